"""`python -m chaos`: a run at length. `SEED=n` replays a plan; exit status 1 where a promise was broken."""

import asyncio
import logging
import random
import shutil
import sys
import tempfile
from pathlib import Path

import click
import structlog
from rich.console import Console

from chaos import report, run


@click.command()
@click.option("--seed", type=int, envvar="SEED", default=None, help="The plan to replay; default: any.")
@click.option("--submissions", default=1000, show_default=True)
@click.option("--kills", default=50, show_default=True)
@click.option("--freezes", default=14, show_default=True)
@click.option("--clients", default=12, show_default=True)
@click.option("--lease-seconds", default=6.0, show_default=True)
@click.option("--keep", is_flag=True, help="Keep the folder with logs and data also where all went well.")
def main(
    *, seed: int | None, submissions: int, kills: int, freezes: int, clients: int, lease_seconds: float, keep: bool
) -> None:
    """Kill and freeze the whole stack at random before an upstream that lies; then see whether it kept its promises."""
    seed = random.randrange(1_000_000) if seed is None else seed
    size = run.Size(submissions=submissions, kills=kills, freezes=freezes, clients=clients, lease_seconds=lease_seconds)
    folder = Path(tempfile.mkdtemp(prefix=f"cakegate-chaos-{seed}-"))
    # Postgres runs as another user where we are root, and must be able to pass through.
    folder.chmod(0o711)
    # That connections break is what happens here.
    logging.getLogger("psycopg.pool").setLevel(logging.ERROR)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    console = Console(highlight=False, markup=False, emoji=False, width=None if sys.stdout.isatty() else 160)
    console.print(f"chaos seed={seed}, logs in {folder / 'stack' / 'logs'}", soft_wrap=True)
    outcome = asyncio.run(run.carried_out(size, seed=seed, folder=folder))
    report.show(outcome, console)
    if keep or not outcome.kept:
        console.print(f"kept: {folder}", soft_wrap=True)
    else:
        shutil.rmtree(folder)
    sys.exit(0 if outcome.kept else 1)


if __name__ == "__main__":
    main()
