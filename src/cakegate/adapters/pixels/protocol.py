"""What passes between a worker and its decoding child: length-prefixed msgpack over the child's stdin and stdout."""

import msgspec

from cakegate.domain import renditions, verdicts

#: Four bytes, big endian, before each message.
LENGTH_BYTES = 4
#: Far above any answer; a length beyond it means that the child writes nonsense.
MESSAGE_MAX_BYTES = 256 * 1024 * 1024


class Setup(msgspec.Struct, frozen=True, kw_only=True):
    """The first message: how the child shall limit itself and see."""

    max_pixels: int
    memory_bytes: int
    model_input: verdicts.ModelInput


class Decode(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Decode these bytes and hold the picture until the next message that is not `Render`."""

    content: bytes


class Render(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Encode the picture that is held, in both formats for each preset."""

    presets: list[renditions.Preset]


class Drop(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Let the picture go."""


class Decoded(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A decoded picture: its format, its upright size in pixels, and what the model shall see."""

    format: str
    width: int
    height: int
    model_input: bytes


class Rendered(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The renditions that were asked for."""

    renditions: list[renditions.Rendition]


class Dropped(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """It is gone."""


class Refused(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The picture cannot be used: `too_large`, or else no picture we take."""

    too_large: bool
    detail: str


Request = Decode | Render | Drop
Answer = Decoded | Rendered | Dropped | Refused
