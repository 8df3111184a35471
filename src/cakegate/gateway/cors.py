"""Which browsers' pages may call us (Fetch standard, CORS protocol). Around everything, so that errors carry it too.

No cookies and no credentials: the API has none.
"""

from collections.abc import Sequence
from typing import Final

_METHODS: Final = "GET, HEAD, POST, PUT, DELETE"
_MAY_SEND: Final = "Content-Type, Idempotency-Key, Prefer, X-Request-Id, traceparent"
_MAY_READ: Final = (
    "Location, Link, Retry-After, ETag, Preference-Applied, X-Request-Id, Allow, RateLimit, RateLimit-Policy"
)
_PREFLIGHT_SECONDS: Final = 3600

Headers = list[tuple[bytes, bytes]]


class Cors:
    """The rules for one list of origins; `*` is any. An empty list gives no headers at all."""

    def __init__(self, origins: Sequence[str]) -> None:
        self._any = "*" in origins
        self._origins = frozenset(origin.rstrip("/").lower() for origin in origins)

    def headers(self, origin: str | None) -> Headers:
        """What an answer to a request from this origin carries."""
        if not self._origins:
            return []
        # A cache must not give one origin the answer that was meant for another.
        vary: Headers = [] if self._any else [(b"vary", b"Origin")]
        if origin is None or not (self._any or origin.lower() in self._origins):
            return vary
        allowed = b"*" if self._any else origin.encode("latin-1")
        return [
            *vary,
            (b"access-control-allow-origin", allowed),
            (b"access-control-expose-headers", _MAY_READ.encode()),
        ]

    def preflight(self, origin: str | None) -> Headers:
        """What an answer to a browser that asks first carries."""
        headers = self.headers(origin)
        if not any(name == b"access-control-allow-origin" for name, _ in headers):
            return headers
        return [
            *headers,
            (b"access-control-allow-methods", _METHODS.encode()),
            (b"access-control-allow-headers", _MAY_SEND.encode()),
            (b"access-control-max-age", str(_PREFLIGHT_SECONDS).encode()),
        ]
