"""The image's lock files: all that its processes need, pinned by hash, and nothing of a developer's machine."""

import re
import tomllib

import pytest


@pytest.fixture(scope="module")
def project(root) -> dict:
    return tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def pins(text: str) -> dict[str, list[str]]:
    """Versions by name: one for each range of Pythons."""
    found: dict[str, list[str]] = {}
    for name, version in re.findall(r"^([a-z0-9][a-z0-9._-]*)==(\S+)", text, re.MULTILINE):
        found.setdefault(name, []).append(version)
    return found


def names(requirements: list[str]) -> set[str]:
    return {re.split(r"[\[<>=!~ ;]", each, maxsplit=1)[0].lower().replace("_", "-") for each in requirements}


def test_the_image_has_what_its_verbs_need(root, project):
    extras = project["optional-dependencies"]
    locked = pins((root / "requirements" / "image.lock").read_text(encoding="utf-8"))
    assert names([*project["dependencies"], *extras["objectstore"], *extras["operator"]]) <= set(locked)
    assert not names([*extras["local"], *extras["train"]]) & set(locked)
    assert not {"pip", "uv", "setuptools", "pytest", "ruff"} & set(locked)


def test_the_image_runs_the_versions_that_are_tested(root):
    locked = pins((root / "requirements" / "image.lock").read_text(encoding="utf-8"))
    tested = pins((root / "requirements" / "dev.lock").read_text(encoding="utf-8"))
    assert locked == {name: tested.get(name) for name in locked}


@pytest.mark.parametrize("name", ["image", "build"])
def test_every_pin_has_a_hash(root, name):
    text = (root / "requirements" / f"{name}.lock").read_text(encoding="utf-8")
    for block in re.split(r"\n(?=[a-z0-9])", text):
        if "==" in block.split("\n", 1)[0]:
            assert "--hash=sha256:" in block, block.split("\n", 1)[0]
