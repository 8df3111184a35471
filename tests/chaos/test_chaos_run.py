"""The short form of the chaos run, `make chaos-smoke`; `make chaos` is the long one."""

import io

import pytest
from rich.console import Console

from chaos import report, run


@pytest.mark.slow
@pytest.mark.timeout(120)
async def test_a_stack_that_is_killed_before_a_lying_upstream_keeps_its_promises(stack_folder):
    size = run.Size(submissions=40, kills=7, freezes=1, clients=8, lease_seconds=2.0)

    outcome = await run.carried_out(size, seed=1, folder=stack_folder("chaos"))

    printed = io.StringIO()
    report.show(outcome, Console(file=printed, width=160))
    assert outcome.kept, printed.getvalue()
    assert "chaos seed=1: 40 submissions, 7 kills, 0 lost, 0 doubled, 0 resurrected" in outcome.line
