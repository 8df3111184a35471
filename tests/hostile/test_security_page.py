"""SECURITY.md names modules and tests: they exist."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "SECURITY.md").read_text()
TESTS = {path: path.read_text() for path in (ROOT / "tests").rglob("test_*.py")}
WORDS = set(re.findall(r"`([^`\s]+)`", PAGE))


@pytest.mark.parametrize(
    "name", sorted(word for word in WORDS if re.match(r"(.*::)?test_\w+", word) and ".py" not in word)
)
def test_each_test_that_is_named_exists(name):
    # A long name may be cut off with an ellipsis.
    start = name.rpartition("::")[2]
    pattern = rf"def {start.removesuffix('…')}" + ("" if start.endswith("…") else r"\b")
    assert any(re.search(pattern, text) for text in TESTS.values())


@pytest.mark.parametrize("word", sorted(word for word in WORDS if re.search(r"\.py(::|$)", word)))
def test_each_file_that_is_named_exists_and_holds_what_is_said(word):
    file, _, test = word.partition("::")
    found = [path for folder in ("src/cakegate", "tests") for path in (ROOT / folder).rglob(Path(file).name)]
    assert any(path.as_posix().endswith(f"/{file}") for path in found)
    assert not test or any(f"def {test.removesuffix('…')}" in path.read_text() for path in found)


@pytest.mark.parametrize("word", sorted(word for word in WORDS if word.endswith("/")))
def test_each_folder_that_is_named_exists(word):
    assert any((ROOT / root / word).is_dir() for root in ("", "src/cakegate"))


@pytest.mark.parametrize("number", sorted(set(re.findall(r"decision (\d+)", PAGE))))
def test_each_decision_that_is_named_exists(number):
    assert list((ROOT / "docs/decisions").glob(f"{int(number):04}-*.md"))
