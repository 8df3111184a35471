"""What is shipped besides the code: image, chart, manifests. Pure checks, and more where helm or Lua is."""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def helm():
    """Runs helm, and gives what it printed and whether it was content."""
    if shutil.which("helm") is None:
        pytest.skip("helm is not on the PATH: the chart is only checked as text")

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(["helm", *arguments], capture_output=True, text=True, check=False, cwd=ROOT)

    return run
