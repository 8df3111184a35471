"""The clients: each sends one order after another through the gateway, and repeats what it may repeat."""

import asyncio
import random
from collections.abc import Iterator
from typing import Any, Final
from uuid import UUID

import aiohttp
import msgspec

from cakegate.local.sample import Sample
from chaos import plans, progress, records

#: A gateway that does not answer a client for so long has failed it.
UNANSWERED_SECONDS: Final = 60.0
_PAUSE_SECONDS: Final = (0.2, 0.6)
_CHANGE_TRIES: Final = 6
_HASTY_TRIES: Final = 2
_PATIENCE_SECONDS: Final = 15.0
_MARKER: Final = "cakegate="


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What came back; `status` is None where nothing did."""

    status: int | None
    body: Any = None
    headers: dict[str, str] = {}

    @property
    def problem(self) -> str | None:
        """The last part of the problem's type."""
        kind = self.body.get("type", "") if isinstance(self.body, dict) else ""
        return kind.rpartition("/")[2] or None


class Clients:
    """Several clients of one gateway, and what they were told."""

    def __init__(
        self, gateway_url: str, pictures_url: str, upstream: Sample, *, moving: progress.Progress, seed: int
    ) -> None:
        self.told: list[records.Told] = []
        self.changes: list[records.Change] = []
        self.leaks: list[str] = []
        self._gateway_url = gateway_url
        self._pictures_url = pictures_url
        self._upstream = upstream
        self._moving = moving
        self._dice = random.Random(f"{seed}-clients")
        self._session = aiohttp.ClientSession()

    async def close(self) -> None:
        """Let go of all connections."""
        await self._session.close()

    async def send(self, orders: list[plans.Order], *, clients: int) -> None:
        """Send all orders, `clients` at a time; returns when each client was answered, or has given up."""
        waiting = iter(orders)
        await asyncio.gather(*(self._work(waiting) for _ in range(clients)))

    async def _work(self, waiting: Iterator[plans.Order]) -> None:
        for order in waiting:
            await self._moving.step()
            await self.carry_out(order)
            await self._moving.through()

    async def carry_out(self, order: plans.Order) -> records.Told:
        """Submit until there is an answer, ask after it, do with the cake what the order says."""
        told = records.Told(order=order)
        self.told.append(told)
        await self._submit(told)
        last = told.last
        if last.status in {200, 202} and last.submission is not None:
            told.asked.append((await self.ask(last.submission)).status)
        if last.status == 201 and last.cake is not None:
            await self._go_on(order, str(last.cake["id"]))
        return told

    async def _submit(self, told: records.Told) -> None:
        """A key may be repeated; without one, only what the gateway says it did not take in."""
        until = asyncio.get_running_loop().time() + UNANSWERED_SECONDS
        while asyncio.get_running_loop().time() < until:
            attempt = await self._post(told.order, len(told.attempts))
            told.attempts.append(attempt)
            unsure = attempt.status is None or attempt.problem == "outcome-unknown"
            if attempt.status not in {None, 503} or (unsure and told.order.key is None):
                return
            await self._pause()

    async def _post(self, order: plans.Order, number: int) -> records.Attempt:
        request_id = f"order-{order.number}/{number}"
        prefer = f"wait={order.wait_seconds}" if order.wait_seconds else "respond-async"
        headers = {"X-Request-Id": request_id, "Prefer": prefer}
        if order.key is not None:
            headers["Idempotency-Key"] = order.key
        body = {
            "name": order.name,
            "comment": order.comment,
            "imageUrl": f"{self._pictures_url}/{order.picture}",
            "yumFactor": order.yum_factor,
        }
        # Who hung up before its own wait was over learns patience, or would never hear an end.
        seconds = order.patience_seconds if number < _HASTY_TRIES else _PATIENCE_SECONDS
        answer = await self._request("POST", "/api/cakes", body, headers, seconds=seconds)
        return records.Attempt(
            request_id=request_id,
            status=answer.status,
            problem=answer.problem,
            submission=_submission_of(answer),
            cake=answer.body if answer.status == 201 else None,
        )

    async def _go_on(self, order: plans.Order, cake_id: str) -> None:
        if order.then in {plans.Then.REPLACE, plans.Then.REPLACE_AND_DELETE}:
            await self._replace(order, cake_id)
        if order.then in {plans.Then.DELETE, plans.Then.REPLACE_AND_DELETE}:
            await self.delete(cake_id)
        if order.then is plans.Then.DELETED_BY_OTHERS:
            self._upstream.cakes.delete(int(cake_id))

    async def _replace(self, order: plans.Order, cake_id: str) -> None:
        for number in range(_CHANGE_TRIES):
            comment = f"Changed after order {order.number}, try {number}"
            body = {"name": order.name, "comment": comment, "yumFactor": 6 - order.yum_factor}
            answer = await self._request("PUT", f"/api/cakes/{cake_id}", body, {})
            self.changes.append(
                records.Change(
                    method="PUT", cake_id=cake_id, status=answer.status, problem=answer.problem, comment=comment
                )
            )
            if answer.status in {200, 404}:
                return
            await self._pause()

    async def delete(self, cake_id: str) -> None:
        """DELETE until it is certain that the cake is gone, or a few times."""
        for _ in range(_CHANGE_TRIES):
            answer = await self._request("DELETE", f"/api/cakes/{cake_id}", None, {})
            self.changes.append(
                records.Change(method="DELETE", cake_id=cake_id, status=answer.status, problem=answer.problem)
            )
            if answer.status in {200, 404}:
                return
            await self._pause()

    async def ask(self, submission: UUID) -> Answer:
        """What the submission's own address says, as soon as the gateway can say anything."""
        until = asyncio.get_running_loop().time() + UNANSWERED_SECONDS
        while True:
            answer = await self._request("GET", f"/api/submissions/{submission}", None, {})
            if answer.status not in {None, 503} or asyncio.get_running_loop().time() > until:
                return answer
            await self._pause()

    async def page(self, *, skip: int, limit: int) -> list[dict[str, Any]]:
        """A page of the list; empty where there is none to be had."""
        answer = await self._request("GET", f"/api/cakes?skip={skip}&limit={limit}", None, {})
        return answer.body if answer.status == 200 else []

    async def _request(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None,
        headers: dict[str, str],
        *,
        seconds: float = _PATIENCE_SECONDS,
    ) -> Answer:
        limit = aiohttp.ClientTimeout(total=seconds)
        try:
            async with self._session.request(
                method, f"{self._gateway_url}{path}", json=body, headers=headers, timeout=limit
            ) as response:
                content = await response.read()
                status, received = response.status, dict(response.headers)
        except (aiohttp.ClientError, TimeoutError, OSError):
            return Answer(status=None)
        if _MARKER in content.decode(errors="replace"):
            self.leaks.append(f"{method} {path}: {content[:300]!r}")
        return Answer(status=status, body=msgspec.json.decode(content) if content else None, headers=received)

    async def _pause(self) -> None:
        await asyncio.sleep(self._dice.uniform(*_PAUSE_SECONDS))


def _submission_of(answer: Answer) -> UUID | None:
    """The submission that an answer names: in its body, its problem, its `Location` or its `Link`."""
    body = answer.body if isinstance(answer.body, dict) else {}
    if answer.status in {200, 202}:
        return UUID(body["id"])
    if answer.status == 201:
        return UUID(answer.headers["Link"].partition("/api/submissions/")[2][:36])
    address = body.get("submission") or answer.headers.get("Location", "")
    return UUID(address.rpartition("/")[2]) if address else None
