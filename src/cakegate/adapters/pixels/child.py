"""The decoding child: whatever a picture does to it, it does to nobody else.

Reads requests from stdin, answers on stdout, ends when stdin does.
"""

import contextlib
import os
import resource
import signal
import sys
from typing import BinaryIO

import msgspec
from PIL import GifImagePlugin, Image, JpegImagePlugin, PngImagePlugin, WebPImagePlugin

from cakegate.adapters.pixels import decoding, preparing, protocol

# Named here so that they are loaded at the start and no other decoder is, ever: Pillow loads on demand by default.
_PLUGINS = (GifImagePlugin, JpegImagePlugin, PngImagePlugin, WebPImagePlugin)


def main() -> None:
    """Serve until stdin ends."""
    # A Ctrl-C at the terminal reaches the whole process group; our worker decides when we end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    requests, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    # Whatever a library prints must not get between two answers.
    os.dup2(2, 1)
    setup = msgspec.msgpack.decode(_receive(requests) or b"", type=protocol.Setup)
    limit(setup.memory_bytes)
    held: Image.Image | None = None
    decoder = msgspec.msgpack.Decoder(protocol.Request)
    while message := _receive(requests):
        request = decoder.decode(message)
        del message
        answer: protocol.Answer
        if isinstance(request, protocol.Decode):
            held = None
            answer, held = _decode(request.content, setup)
        elif isinstance(request, protocol.Render):
            if held is None:
                answer = protocol.Refused(too_large=False, detail="no picture is held")
            else:
                answer = protocol.Rendered(renditions=decoding.render(held, request.presets))
        else:
            held, answer = None, protocol.Dropped()
        del request
        _send(answers, msgspec.msgpack.encode(answer))


def _decode(content: bytes, setup: protocol.Setup) -> tuple[protocol.Answer, Image.Image | None]:
    try:
        name, (width, height), image = decoding.decode(content, max_pixels=setup.max_pixels)
    except decoding.TooLargeError as error:
        return protocol.Refused(too_large=True, detail=str(error)[:500]), None
    except decoding.NotAnImageError as error:
        return protocol.Refused(too_large=False, detail=str(error)[:500]), None
    seen = preparing.prepare(image, setup.model_input)
    return protocol.Decoded(format=name, width=width, height=height, model_input=seen), image


def limit(memory_bytes: int) -> None:
    """No more memory than that, no files written, no core dumps, no new processes' worth of descriptors."""
    wanted = {
        resource.RLIMIT_AS: memory_bytes,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_NOFILE: 16,
    }
    for what, most in wanted.items():
        # macOS refuses a limit on address space; the others hold there too.
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(what, (most, most))


def _receive(stream: BinaryIO) -> bytes | None:
    head = stream.read(protocol.LENGTH_BYTES)
    if len(head) < protocol.LENGTH_BYTES:
        return None
    length = int.from_bytes(head, "big")
    body = stream.read(length)
    return body if len(body) == length else None


def _send(stream: BinaryIO, message: bytes) -> None:
    stream.write(len(message).to_bytes(protocol.LENGTH_BYTES, "big"))
    stream.write(message)
    stream.flush()


if __name__ == "__main__":
    with contextlib.suppress(BrokenPipeError):
        main()
