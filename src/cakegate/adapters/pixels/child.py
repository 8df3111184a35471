"""The decoding child: whatever a picture does to it, it does to nobody else.

Reads requests from stdin, answers on stdout, ends when stdin does.
"""

import contextlib
import io
import math
import os
import resource
import signal
import sys
from collections.abc import Sequence
from typing import BinaryIO, Final

import msgspec
from PIL import GifImagePlugin, Image, ImageCms, JpegImagePlugin, MpoImagePlugin, PngImagePlugin, WebPImagePlugin

from cakegate.adapters.pixels import decoding, measuring, preparing, protocol, rendering
from cakegate.domain import renditions, verdicts

# Named here so that they are loaded at the start and no other decoder is, ever: Pillow loads on demand by default. MPO
# is what phones write: JPEG with more pictures behind the first.
_PLUGINS: Final = (GifImagePlugin, JpegImagePlugin, MpoImagePlugin, PngImagePlugin, WebPImagePlugin)
#: A Ctrl-C, a closed terminal or an init system reach the whole process group; our worker alone decides when we end.
_IGNORED: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_DETAIL_CHARACTERS: Final = 500


def main() -> None:
    """Serve until stdin ends."""
    for each in _IGNORED:
        signal.signal(each, signal.SIG_IGN)
    requests, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    # Whatever a library prints must not get between two answers.
    os.dup2(2, 1)
    blame = protocol.Blame(descriptor := int(sys.argv[1]))
    os.close(descriptor)
    first = protocol.receive(requests)
    if first is None:
        return
    setup = msgspec.msgpack.decode(first, type=protocol.Setup)
    del first
    warm_up(setup)
    limit(setup.memory_bytes)
    _send(answers, protocol.Ready())
    _serve(requests, answers, setup, blame)


def _serve(requests: BinaryIO, answers: BinaryIO, setup: protocol.Setup, blame: protocol.Blame) -> None:
    held: Image.Image | None = None
    decoder = msgspec.msgpack.Decoder(protocol.Request)
    while message := protocol.receive(requests):
        request = decoder.decode(message)
        del message
        held = held if isinstance(request, protocol.Render) else None
        limit_time(setup.cpu_seconds)
        if isinstance(request, protocol.Decode):
            content = requests.read(request.size_bytes)
            if len(content) < request.size_bytes:
                return
            blame.taken = True
            answer, held = _decode(content, setup)
            del content
            _send(answers, answer)
        elif isinstance(request, protocol.Render):
            _send(answers, _render(held, request))


def _decode(content: bytes, setup: protocol.Setup) -> tuple[protocol.Answer, Image.Image | None]:
    try:
        picture = decoding.decode(content, max_pixels=setup.max_pixels)
    except decoding.TooLargeError as error:
        return protocol.Refused(too_large=True, detail=str(error)[:_DETAIL_CHARACTERS]), None
    except decoding.NotAnImageError as error:
        return protocol.Refused(too_large=False, detail=str(error)[:_DETAIL_CHARACTERS]), None
    return _seen(picture, setup.model_inputs), picture.image


def _seen(picture: decoding.Picture, wanted: Sequence[verdicts.ModelInput]) -> protocol.Decoded:
    """What the models shall see of a picture; those that want the same share it."""
    reduced = preparing.reduce(picture.image, wanted[0])
    made = {wanted[0]: preparing.finish(reduced, wanted[0])}
    for each in wanted:
        if each not in made:
            made[each] = preparing.prepare(picture.image, each)
    return protocol.Decoded(
        format=picture.format,
        width=picture.width,
        height=picture.height,
        model_inputs=[made[each] for each in wanted],
        quality=measuring.measured(picture, reduced),
    )


def _render(held: Image.Image | None, request: protocol.Render) -> protocol.Answer:
    if held is None:
        return protocol.Refused(too_large=False, detail="no picture is held")
    return protocol.Rendered(renditions=rendering.render(held, request.presets))


def warm_up(setup: protocol.Setup) -> None:
    """Go all ways once: what Pillow imports on its way must be there before the limits are, and is then quick."""
    drawn = Image.new("RGB", (8, 8))
    exif = Image.Exif()
    exif[0x0112] = 6
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for name in ("JPEG", "PNG", "WEBP", "GIF"):
        buffer = io.BytesIO()
        drawn.save(buffer, name, exif=exif, icc_profile=profile)
        answer, held = _decode(buffer.getvalue(), setup)
        if held is None:
            raise RuntimeError(f"This Pillow cannot decode {name}: {answer}")
        _render(held, protocol.Render(presets=list(renditions.Preset)))


def limit(memory_bytes: int) -> None:
    """No more memory than that, no core dumps, no file written, and nothing opened: no file, no socket, no process."""
    # A new descriptor takes the lowest free number, and must be below the limit.
    lowest_free = os.dup(0)
    os.close(lowest_free)
    wanted = {
        resource.RLIMIT_AS: memory_bytes,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_NOFILE: lowest_free,
        # Of no effect for root.
        resource.RLIMIT_NPROC: 0,
    }
    for what, most in wanted.items():
        # macOS refuses a limit on address space; the others hold there too.
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(what, (most, most))


def limit_time(seconds: int) -> None:
    """So much processor time from now on. The worker's clock is quicker; this is for when the worker is gone."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    soft = math.ceil(used.ru_utime + used.ru_stime) + seconds + 1
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    if hard == resource.RLIM_INFINITY or soft < hard:
        resource.setrlimit(resource.RLIMIT_CPU, (soft, hard))


def _send(stream: BinaryIO, message: protocol.Answer) -> None:
    stream.write(protocol.framed(message))
    stream.flush()


if __name__ == "__main__":
    with contextlib.suppress(BrokenPipeError):
        main()
