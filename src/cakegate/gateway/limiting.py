"""How often one client may ask, reads and writes apart.

Told in the headers of draft-ietf-httpapi-ratelimit-headers-11: `q` requests in any `w` seconds; `r` more within the
next `t` seconds, after which there may be more again.
"""

import math
from typing import Any, Final

import msgspec

from cakegate import settings
from cakegate.adapters import allowances
from cakegate.domain import errors
from cakegate.gateway import clients, cors

_READS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
#: Asked by machines that must get an answer.
_FREE: Final = frozenset({"/healthz", "/readyz"})


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """What a client is told of its limit; `allowance` is None where it could not be checked."""

    policy: allowances.Policy
    allowance: allowances.Allowance | None

    @property
    def headers(self) -> cors.Headers:
        """`RateLimit-Policy`, and `RateLimit` where there is something to tell."""
        name = f'"{self.policy.name}"'
        told = [(b"ratelimit-policy", f"{name};q={self.policy.quota};w={self.policy.window_seconds}".encode())]
        if self.allowance is not None:
            left, seconds = self.allowance.remaining, _whole(self.allowance.reset_seconds)
            told.append((b"ratelimit", f"{name};r={left};t={seconds}".encode()))
        return told

    @property
    def refusal(self) -> errors.RateLimited | None:
        """What a request that is not allowed gets."""
        if self.allowance is None or self.allowance.allowed:
            return None
        return errors.RateLimited(
            f"One client may send {self.policy.quota} such requests in {self.policy.window_seconds} seconds.",
            retry_after_seconds=_whole(self.allowance.reset_seconds),
        )


class Limiter:
    """Holds each request against its client's allowance."""

    def __init__(self, group: settings.Gateway, *, counted: allowances.Allowances, told_apart: clients.Clients) -> None:
        self._counted = counted
        self._clients = told_apart
        self._reads = allowances.Policy.of("reads", group.read_rate)
        self._writes = allowances.Policy.of("writes", group.write_rate)

    async def standing(self, scope: Any) -> Standing | None:
        """Count this request; None where no limit is set for it."""
        policy = self._reads if scope["method"] in _READS else self._writes
        if policy is None or scope["path"].rstrip("/") in _FREE:
            return None
        return Standing(policy=policy, allowance=await self._counted.take(policy, self._clients.of(scope)))


def _whole(seconds: float) -> int:
    """Rounded up: whoever comes back then finds a place."""
    return max(1, math.ceil(seconds))
