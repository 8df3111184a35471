"""Prometheus's own tool, where it is installed."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Promtool = Callable[..., str]


@pytest.fixture(scope="session")
def promtool() -> Promtool:
    """Runs it and returns what it printed; fails unless it is content."""
    found = shutil.which("promtool") or shutil.which("promtool", path=os.environ.get("KUBEBUILDER_ASSETS", ""))
    if found is None:
        pytest.skip("promtool is not on the PATH: it comes with Prometheus (https://prometheus.io/download)")

    def run(*arguments: str | Path) -> str:
        ended = subprocess.run([found, *map(str, arguments)], capture_output=True, text=True, check=False)
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout

    return run
