"""What verbs that ask a stack's database, or the settings', have in common: whose it is, and how they print."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, TypeVar

import click
from rich.console import Console

from cakegate.adapters.store import pool
from cakegate.local import stack

T = TypeVar("T")

STATE = click.option(
    "--state", "folder", type=click.Path(file_okay=False, path_type=Path), default=None,
    help="State folder of the stack; default: .cakegate in this folder, else the settings' database.",
)  # fmt: skip

_AGO: Final = re.compile("([0-9]{1,6})([mhdw])")
_UNITS: Final = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


class _Since(click.ParamType[datetime]):
    """A time, in UTC where it names no zone, or how long ago it was: `30m`, `12h`, `7d`, `2w`."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        if isinstance(value, datetime):
            return value
        try:
            if ago := _AGO.fullmatch(value):
                return datetime.now(UTC) - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
            said = datetime.fromisoformat(value)
        except (ValueError, OverflowError):
            self.fail(f"{value!r} is no time like 2026-01-31 and no span like 7d", param, ctx)
        return said if said.tzinfo else said.replace(tzinfo=UTC)


SINCE: Final = _Since()

#: Columns where nobody looks at a screen.
_PIPE_WIDTH = 240


def plain_console() -> Console:
    """What clients wrote is shown as they wrote it: a name like `[/b]` is no markup.

    A file or a pipe has no width: lines are left whole for whoever reads them there.
    """
    console = Console(highlight=False, markup=False, emoji=False)
    return console if console.is_terminal else Console(highlight=False, markup=False, emoji=False, width=_PIPE_WIDTH)


def with_database(folder: Path | None, what: Callable[[pool.Database], Awaitable[T]]) -> T:
    """What `what` gives, asked of the database of the stack in a folder, else the settings'.

    Raises:
        InvalidSettings: there is neither.
    """
    group = stack.database(folder)

    async def run() -> T:
        db = await pool.Database.open(group, application_name="cakegate-cli")
        try:
            return await what(db)
        finally:
            await db.close()

    found: Any = asyncio.run(run())
    return found  # type: ignore[no-any-return]
