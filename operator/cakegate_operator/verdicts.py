"""One check's word, and short ways to say it."""

from typing import Literal

import msgspec


class Verdict(msgspec.Struct, frozen=True):
    """A condition before it is dated."""

    type: str
    status: Literal["True", "False", "Unknown"]
    reason: str
    message: str


def yes(kind: str, reason: str, message: str) -> Verdict:
    """It holds."""
    return Verdict(kind, "True", reason, message)


def no(kind: str, reason: str, message: str) -> Verdict:
    """It does not."""
    return Verdict(kind, "False", reason, message)


def unknown(kind: str, reason: str, message: str) -> Verdict:
    """Nobody can say."""
    return Verdict(kind, "Unknown", reason, message)
