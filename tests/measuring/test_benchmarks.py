"""Each benchmark runs at its smallest and prints its table, so that none rots. Its figures mean nothing here."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

pytestmark = [pytest.mark.bench, pytest.mark.timeout(240)]

#: Name, options, what is printed, statuses: 1 says that a promise is broken, as it may be in so short a time.
SMALLEST = [
    ("submission", ["--rounds", "2"], "client to client", {0}),
    ("queue", ["--rounds", "1", "--idle", "1", "--each", "2", "--messages", "20", "--judgements", "8"], "celery", {0}),
    ("throughput", ["--rounds", "1", "--scale", "0.02"], "worker : bare", {0}),
    ("load", ["--seconds", "5", "--quiet", "2", "--calibrate", "20"], "the backlog drains", {0, 1}),
    ("soak", ["--minutes", "0.2", "--calibrate", "20", "--warm", "0", "--expiry", "1"], "left in Valkey", {0, 1}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "options", "printed", "statuses"), SMALLEST, ids=[each[0] for each in SMALLEST])
def test_a_benchmark_runs(name, options, printed, statuses):
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", name, *options], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert printed in done.stdout, done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    assert done.returncode in statuses
