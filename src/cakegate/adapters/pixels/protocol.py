"""What passes between a worker and its decoding child: length-prefixed msgpack over the child's stdin and stdout.

::

    worker                       child
    Setup           →
                    ←            Ready              warm, and limited
    Decode, bytes   →            Blame.taken        from here on the picture is to blame for what happens
                    ←            Decoded | Refused
    Render          →
                    ←            Rendered | Refused
    Drop            →                               no answer

That a picture was taken is one byte of memory that both share, not a message: nobody has to wake up for what matters
only when a child ends.
"""

import mmap
import os
import tempfile
from typing import BinaryIO

import msgspec

from cakegate.domain import renditions, verdicts

#: Four bytes, big endian, before each message.
LENGTH_BYTES = 4
#: Far above any answer; a length beyond it means that the child writes nonsense.
ANSWER_MAX_BYTES = 64 * 1024 * 1024


class Setup(msgspec.Struct, frozen=True, kw_only=True):
    """The first message: how the child shall limit itself and what each model wants to see.

    `cpu_seconds` are those of one request.
    """

    max_pixels: int
    memory_bytes: int
    cpu_seconds: int
    model_inputs: list[verdicts.ModelInput]


class Decode(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Decode a picture, whose bytes follow, and hold it until the next message that is not `Render`."""

    size_bytes: int


class Render(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Encode the picture that is held, in both formats for each preset."""

    presets: list[renditions.Preset]


class Drop(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Let the picture go."""


class Ready(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The child has started."""


class Decoded(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A decoded picture: its format, its upright size in pixels, what each model shall see, and how well it can.

    `model_inputs` are in `Setup.model_inputs`' order.
    """

    format: str
    width: int
    height: int
    model_inputs: list[bytes]
    quality: verdicts.Quality


class Rendered(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The renditions that were asked for."""

    renditions: list[renditions.Rendition]


class Refused(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The picture cannot be used: `too_large`, or else no picture we take."""

    too_large: bool
    detail: str


Request = Decode | Render | Drop
Answer = Ready | Decoded | Rendered | Refused


def framed(message: Setup | Request | Answer) -> bytes:
    """A message as it goes over the wire."""
    encoded = msgspec.msgpack.encode(message)
    return len(encoded).to_bytes(LENGTH_BYTES, "big") + encoded


def receive(stream: BinaryIO) -> bytes | None:
    """The child's side of reading: the next message, or None where the worker is gone."""
    head = stream.read(LENGTH_BYTES)
    if len(head) < LENGTH_BYTES:
        return None
    length = int.from_bytes(head, "big")
    body = stream.read(length)
    return body if len(body) == length else None


class Blame:
    """A byte that a worker and its child share: whether the child has read the whole picture and now touches it."""

    def __init__(self, descriptor: int) -> None:
        self._shared = mmap.mmap(descriptor, 1)

    @property
    def taken(self) -> bool:
        """Whether the picture is to blame for what happens."""
        return self._shared[0] == 1

    @taken.setter
    def taken(self, taken: bool) -> None:
        self._shared[0] = int(taken)


def shared_byte() -> int:
    """A descriptor to make a `Blame` from, on both sides; close it then."""
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("cakegate-blame")
    else:  # macOS
        with tempfile.TemporaryFile() as file:
            descriptor = os.dup(file.fileno())
    os.ftruncate(descriptor, 1)
    return descriptor
