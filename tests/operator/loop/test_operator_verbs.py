import subprocess
import sys

import pytest
from click.testing import CliRunner

from cakegate.domain.errors import InvalidSettings
from cakegate_operator import verbs


def test_the_verbs_load_neither_kopf_nor_a_client():
    code = "import sys, cakegate_operator.verbs; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert set() == {"kopf", "kubernetes", "aiohttp"} & set(loaded)


def test_without_the_extra_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "cakegate_operator.process", None)
    with pytest.raises(InvalidSettings, match=r"pip install 'cakegate\[operator\]'"):
        CliRunner().invoke(verbs.operator, catch_exceptions=False)
