"""The ids that tie a request to its logs, its submission and the work behind it."""

import contextvars
import re
import secrets
import uuid
from typing import Final

import msgspec

#: What we take over from a client: it goes into logs, headers and the database.
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._:=+/@-]{1,128}")
#: W3C Trace Context level 1: version, trace id, parent id, flags; not all zeros.
_TRACEPARENT: Final = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


class Ids(msgspec.Struct, frozen=True, kw_only=True):
    """A request's id, and its place in a distributed trace (W3C Trace Context)."""

    request_id: str
    traceparent: str


_current: contextvars.ContextVar[Ids] = contextvars.ContextVar("cakegate_ids")


def begin(*, request_id: str | None, traceparent: str | None) -> Ids:
    """Take over a client's ids where they are sound, else make new ones; `current` gives them from here on."""
    sound_id = request_id is not None and _REQUEST_ID.fullmatch(request_id)
    sound_trace = traceparent is not None and _TRACEPARENT.fullmatch(traceparent)
    ids = Ids(
        request_id=request_id if sound_id and request_id else str(uuid.uuid4()),
        # Flags 00: nobody asked for this trace to be kept.
        traceparent=traceparent
        if sound_trace and traceparent
        else f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-00",
    )
    _current.set(ids)
    return ids


def current() -> Ids:
    """The ids of the request that this task answers."""
    return _current.get()
