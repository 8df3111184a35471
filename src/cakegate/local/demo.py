"""`make demo`: submissions through the public API, good and bad, and a table of what each client got and why.

Nothing is scripted: the pictures are drawn from seeds that the model never saw, and the model judges them.
"""

import asyncio
import concurrent.futures
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import httpx
import msgspec
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from cakegate.domain import errors
from cakegate.local import exhibits, stack, submitting, up

_WAIT_SECONDS: Final = 30.0
_CLIENTS: Final = 4
#: Wherever it is refused, it is because of what stands there, and not because nothing answers.
_METADATA_SERVICE: Final = "http://169.254.169.254/latest/meta-data/"


class Exhibit(msgspec.Struct, frozen=True, kw_only=True):
    """One submission of the demo: what it is, and its picture's address."""

    what: str
    image_url: str


def run(options: up.Options, *, leave: bool) -> None:
    """Bring the stack up, show what it does, keep it up unless `leave`. Raises `InvalidSettings`, `up.Stopped`."""
    asyncio.run(_run(options, up.Terminal(), leave=leave))


async def _run(options: up.Options, console: Console, *, leave: bool) -> None:
    stopping = up.stop_event()
    started = time.monotonic()
    with console.status("starting Postgres, Valkey, the sample legacy API, gateway, worker, writer, scheduler …"):
        context = up.running(options, console, stopping)
        found = await context.__aenter__()
    try:
        for line in up.banner(found, options.folder, seconds=time.monotonic() - started):
            console.print(line, soft_wrap=True)
        console.print(f"logs       {options.folder.absolute() / 'logs'}\n", soft_wrap=True)
        shown = await asyncio.to_thread(_exhibit, found)
        rows = await up.unless(stopping, asyncio.to_thread(_submit_all, found, shown, console))
        console.print(_table(rows))
        listed = await asyncio.to_thread(_listed, found)
        console.print(f"The legacy API now lists {listed} cakes: curl {found.gateway_url}/api/cakes", soft_wrap=True)
        if not leave:
            console.print("The stack stays up. Try: cakegate submit PICTURE --name 'My cake'; Ctrl-C stops it.")
            await stopping.wait()
    finally:
        with console.status("stopping …"):
            await context.__aexit__(None, None, None)


def _exhibit(found: stack.Stack) -> list[Exhibit]:
    """Draw the pictures into the sample API's folder, beside what no model can like."""
    if found.pictures is None:
        raise errors.InvalidSettings("The demo needs the sample legacy API: unset CAKEGATE_UPSTREAM_URL.")
    private = found.database_url.rpartition("@")[2].partition("/")[0]
    return [
        *(
            Exhibit(what=what, image_url=f"{found.sample_url}/pictures/{name}")
            for name, what in exhibits.draw(Path(found.pictures)).items()
        ),
        Exhibit(what="our own database's address", image_url=f"http://{private}/"),
        Exhibit(what="a cloud's metadata service", image_url=_METADATA_SERVICE),
        Exhibit(what="no web address at all", image_url="file:///etc/passwd"),
    ]


def _submit_all(found: stack.Stack, shown: list[Exhibit], console: Console) -> list[tuple[Exhibit, submitting.Outcome]]:
    with (
        httpx.Client(base_url=found.gateway_url, trust_env=False) as client,
        Progress(console=console, transient=True) as bar,
    ):
        task = bar.add_task("submitting", total=len(shown))

        def one(numbered: tuple[int, Exhibit]) -> tuple[Exhibit, submitting.Outcome]:
            number, exhibit = numbered
            outcome = submitting.post(
                client,
                image_url=exhibit.image_url,
                name=f"Demo cake {number}",
                comment=exhibit.what[:200],
                yum=1 + number % 5,
                wait_seconds=_WAIT_SECONDS,
            )
            bar.advance(task)
            return exhibit, outcome

        with concurrent.futures.ThreadPoolExecutor(_CLIENTS) as clients:
            return list(clients.map(one, enumerate(shown, start=1)))


def _table(rows: list[tuple[Exhibit, submitting.Outcome]]) -> Table:
    table = Table(title="What each client got, and why")
    columns: list[tuple[str, Callable[[Exhibit, submitting.Outcome], str]]] = [
        ("submitted", lambda exhibit, _: exhibit.what),
        ("status", lambda _, outcome: str(outcome.status)),
        ("result", lambda _, outcome: outcome.result),
        ("score", lambda _, outcome: "" if outcome.score is None else f"{outcome.score:.3f}"),
        ("why", lambda _, outcome: _field_errors(outcome) or outcome.why),
        ("ms", lambda _, outcome: f"{outcome.milliseconds:.0f}"),
    ]
    for name, _ in columns:
        table.add_column(name, justify="right" if name in {"score", "ms"} else "left")
    for exhibit, outcome in rows:
        table.add_row(*(cell(exhibit, outcome) for _, cell in columns))
    return table


def _field_errors(outcome: submitting.Outcome) -> str:
    return "; ".join(f"{each['field']} {each['message']}" for each in outcome.body.get("errors") or ())


def _listed(found: stack.Stack) -> int:
    with httpx.Client(base_url=found.gateway_url, trust_env=False) as client:
        return len(client.get("/api/cakes", params={"limit": 100}).raise_for_status().json())
