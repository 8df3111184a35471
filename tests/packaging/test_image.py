"""The Dockerfile's promises, read from its text: `make image` builds it, `make e2e` runs it."""

import re
import shlex

import pytest


@pytest.fixture(scope="module")
def instructions(root) -> list[tuple[str, str]]:
    """Instructions with their arguments, continued lines joined, comments left out."""
    text = "\n".join(
        line for line in (root / "Dockerfile").read_text(encoding="utf-8").splitlines() if not line.startswith("#")
    )
    lines = text.replace("\\\n", " ").splitlines()
    return [(name, rest.strip()) for name, _, rest in (line.strip().partition(" ") for line in lines) if name]


def of(instructions, name: str) -> list[str]:
    return [rest for found, rest in instructions if found == name]


def test_every_stage_stands_on_the_one_base_that_a_build_argument_names(instructions):
    stages = [rest.split() for rest in of(instructions, "FROM")]
    names = [words[2] for words in stages]
    assert {"${PYTHON_IMAGE}", *names} >= {words[0] for words in stages}
    assert ["PYTHON_IMAGE=docker.io/library/python:3.13-slim"] == of(instructions, "ARG")[:1]
    assert "image" == names[-1]


def test_all_that_is_installed_is_in_a_lock_file_with_hashes(instructions):
    installs = [
        each for run in of(instructions, "RUN") for each in run.split("&&") if re.search(r"\bpip\b.*\binstall\b", each)
    ]
    assert installs
    for each in installs:
        assert "--require-hashes" in each or ("--no-deps" in each and "--no-index" in each), each


def test_it_runs_as_a_user_without_rights_and_writes_no_bytecode(instructions):
    assert {"10001:10001"} == set(of(instructions, "USER"))
    environment = dict(each.split("=", 1) for each in shlex.split(" ".join(of(instructions, "ENV"))))
    assert "1" == environment["PYTHONDONTWRITEBYTECODE"]
    assert '["cakegate"]' == of(instructions, "ENTRYPOINT")[-1]


def test_it_says_what_it_is(instructions):
    labels = " ".join(of(instructions, "LABEL"))
    for name in ("title", "description", "source", "licenses", "version", "revision"):
        assert f"org.opencontainers.image.{name}=" in labels


def test_the_builder_gets_what_is_copied_and_nothing_else(root, instructions):
    ignored = (root / ".dockerignore").read_text(encoding="utf-8").split()
    let_in = {line.removeprefix("!") for line in ignored if line.startswith("!")}
    copied = {
        source for rest in of(instructions, "COPY") if not rest.startswith("--from") for source in rest.split()[:-1]
    }
    assert "*" in ignored
    assert copied == let_in
