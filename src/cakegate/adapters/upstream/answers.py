"""What the legacy API answers, read within its bounds, and what that proves. Decided here and nowhere else."""

import contextlib
import zlib
from collections.abc import AsyncIterator
from email.utils import parsedate_to_datetime
from time import time
from typing import Any, Final

import aiohttp
import msgspec
from yarl import URL

from cakegate.domain import cakes, errors

#: 408, 425 and 429 mean later (RFC 9110 §15.5.9, RFC 8470 §5.2, RFC 6585 §4).
_BUSY: Final = frozenset({408, 425, 429})
_GONE: Final = frozenset({404, 410})
_CHUNK_BYTES: Final = 64 * 1024
#: A day: whoever asks for more is asked again then.
_LONGEST_WAIT_SECONDS: Final = 86_400.0


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """`body` is read of 2xx only."""

    status: int
    body: bytes
    location: str | None
    retry_after_seconds: float | None

    @property
    def fine(self) -> bool:
        """Whether it is a 2xx."""
        return 200 <= self.status < 300  # noqa: PLR2004


class Unreadable(Exception):
    """An answer too large, or compressed in a way that we did not ask for."""


async def received(response: aiohttp.ClientResponse, *, most_bytes: int) -> Answer:
    """An answer, its body read where that matters.

    Raises:
        Unreadable: it is larger than `most_bytes`, or compressed in a way that we did not ask for.
    """
    fine = 200 <= response.status < 300  # noqa: PLR2004
    # The status says all that we need of any other answer; a short body that came along is already read.
    pieces = [piece async for piece in _capped(response, most_bytes)] if fine else []
    return Answer(
        status=response.status,
        body=b"".join(pieces),
        location=response.headers.get("Location"),
        retry_after_seconds=_retry_after(response.headers.get("Retry-After")),
    )


async def _capped(response: aiohttp.ClientResponse, most: int) -> AsyncIterator[bytes]:
    """The body, expanded where it came compressed all the same; `Unreadable` above `most` bytes."""
    encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding not in {"identity", "gzip", "x-gzip", "deflate"}:
        raise Unreadable(f"an answer encoded as {encoding!r}")
    # 32: zlib finds out by itself whether it is gzip's or zlib's format.
    expand = None if encoding == "identity" else zlib.decompressobj(wbits=32 + zlib.MAX_WBITS)
    left = most
    async for raw in response.content.iter_chunked(_CHUNK_BYTES):
        try:
            piece = raw if expand is None else expand.decompress(raw, left + 1)
        except zlib.error as error:
            raise Unreadable("a broken compressed answer") from error
        left -= len(piece)
        if left < 0:
            raise Unreadable(f"an answer of more than {most} bytes")
        yield piece
    if expand is not None and not expand.eof:
        raise Unreadable("a compressed answer cut short")


def redirected(url: URL, answer: Answer) -> URL:
    """Where a read goes on. Raises `UpstreamBroken` where that is not the same origin, or another page of the list.

    A redirect that drops the query gives the first page for any other: a scan that believed it would take it for the
    end of the list, and what it did not see for absent.
    """
    try:
        target = url.join(URL(answer.location or "", encoded=True))
        if target.origin() != url.origin():
            raise errors.UpstreamBroken("It redirects away from itself.", status=answer.status)
        if not url.query.items() <= target.query.items():
            raise errors.UpstreamBroken("It redirects to other than was asked for.", status=answer.status)
    except ValueError as error:
        raise errors.UpstreamBroken("It redirects to what is no address.", status=answer.status) from error
    return target


def check_4xx(answer: Answer, cake_id: cakes.CakeId | None) -> None:
    """Raise what a 4xx proves, for reads and writes alike."""
    if answer.status in _BUSY:
        raise errors.UpstreamBusy(
            f"It answered {answer.status}.", status=answer.status, retry_after_seconds=answer.retry_after_seconds
        )
    if answer.status in _GONE and cake_id is not None:
        raise errors.CakeNotFound(cake_id)
    if 400 <= answer.status < 500:  # noqa: PLR2004
        raise errors.UpstreamRefused(f"It answered {answer.status}.", status=answer.status)


def decoded(answer: Answer) -> Any:
    """The body of a read as JSON. Raises `UpstreamBroken` where it is none."""
    try:
        return msgspec.json.decode(answer.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise errors.UpstreamBroken("The answer is not JSON.", status=answer.status) from error


def _retry_after(value: str | None) -> float | None:
    """Seconds from now; the header holds seconds or a date (RFC 9110 §10.2.3)."""
    if value is None:
        return None
    seconds: float | None = None
    if value.strip().isdecimal():
        seconds = float(value)
    else:
        with contextlib.suppress(ValueError, OverflowError):
            seconds = max(0.0, parsedate_to_datetime(value).timestamp() - time())
    return None if seconds is None else min(seconds, _LONGEST_WAIT_SECONDS)
