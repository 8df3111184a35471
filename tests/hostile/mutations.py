"""Pictures broken at random, the same for the same number: small seeds of every format, and ways to spoil them.

Checksums and lengths are mended most of the time: else a decoder would turn back at the door.
"""

import random
import struct
import zlib

import made_pictures as made
from file_vectors import BOMBS, FILES, JUDGED

#: Seeds are small: what decoders do wrong, they do at the first bytes, and a child takes thousands of them a minute.
_SEED_MOST_BYTES = 8_000
_ODD_NUMBERS = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x100, 0x7FFF, 0x8000, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
_PNG_MAGIC = b"\x89PNG\r\n\x1a\n"


def seeds():
    """Every odd picture and every hostile file that is a picture and no bomb, if it is small."""
    pictures = [make() for make in made.ODD.values()]
    pictures += [file.make() for file in FILES if file.end is JUDGED and file not in BOMBS]
    return [content for content in pictures if len(content) <= _SEED_MOST_BYTES]


def mutated(pictures, number):
    """One seed, spoilt in one to eight places."""
    chance = random.Random(number)
    content = bytearray(chance.choice(pictures))
    for _ in range(chance.choice((1, 1, 2, 3, 8))):
        chance.choice(_WAYS)(content, chance, pictures)
    return bytes(_mended(content) if chance.random() < 0.8 else content)


def _place(content, chance):
    # Headers matter more than pixels.
    most = len(content) if chance.random() < 0.5 else min(len(content), 200)
    return chance.randrange(max(1, most))


def _flip(content, chance, _pictures):
    if content:
        content[_place(content, chance)] ^= 1 << chance.randrange(8)


def _number(content, chance, _pictures):
    at, size = _place(content, chance), chance.choice((1, 2, 4))
    order = chance.choice(("big", "little"))
    content[at : at + size] = (chance.choice(_ODD_NUMBERS) % 256**size).to_bytes(size, order)


def _cut(content, chance, _pictures):
    at = _place(content, chance)
    del content[at : at + chance.choice((1, 2, 4, 16, 400))]


def _repeat(content, chance, _pictures):
    at = _place(content, chance)
    piece = bytes(content[at : at + chance.choice((1, 4, 16, 200))])
    content[at:at] = piece * chance.choice((1, 2, 50))


def _noise(content, chance, _pictures):
    at = _place(content, chance)
    content[at:at] = chance.randbytes(chance.choice((1, 4, 16, 200)))


def _end(content, chance, _pictures):
    del content[_place(content, chance) :]


def _other(content, chance, pictures):
    """A piece of another picture, of whatever format."""
    other = chance.choice(pictures)
    start = chance.randrange(max(1, len(other)))
    at = _place(content, chance)
    content[at : at + 50] = other[start : start + chance.choice((10, 50, 500))]


_WAYS = (_flip, _flip, _number, _number, _cut, _repeat, _noise, _end, _other)


def _mended(content):
    if content.startswith(_PNG_MAGIC):
        return _with_checksums(content)
    if content.startswith(b"RIFF"):
        content[4:8] = struct.pack("<I", max(0, len(content) - 8))
    return content


def _with_checksums(content):
    at = len(_PNG_MAGIC)
    while at + 12 <= len(content):
        length = int.from_bytes(content[at : at + 4], "big")
        end = at + 8 + length
        if end + 4 > len(content):
            break
        content[end : end + 4] = struct.pack(">I", zlib.crc32(content[at + 4 : end]))
        at = end + 4
    return content
