"""`make demo`: every kind of ending is shown, judged by the model and not scripted."""

import re
import subprocess
import sys

import pytest

from cakegate import drawings


@pytest.fixture(scope="module")
def shown(stack_folder):
    """What the demo printed, a row of its table a list of cells, and its exit status."""
    folder = stack_folder("demo")
    done = subprocess.run(
        [sys.executable, "-m", "cakegate", "up", "--demo", "--exit", "--state", "state"],
        cwd=folder, capture_output=True, text=True, check=False, timeout=100, env={"COLUMNS": "200", "PATH": ""},
    )  # fmt: skip
    assert (0, "") == (done.returncode, done.stderr), done.stdout
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in done.stdout.splitlines() if "│" in line]
    return done.stdout, {row[0]: row[1:] for row in rows}


@pytest.mark.timeout(120)
def test_the_banner_names_every_address(shown):
    output, _ = shown

    assert re.search(r"^gateway    http://127\.0\.0\.1:\d+$", output, re.MULTILINE)
    assert 4 == len(re.findall(r"^metrics    http://127\.0\.0\.1:\d+/metrics \(\w+\)$", output, re.MULTILINE))
    assert "(the sample legacy API)" in output


@pytest.mark.parametrize(
    ("exhibit", "status", "result", "why"),
    [
        ("a JPEG cut off after a third", "422", "image-unusable", "not-an-image"),
        ("text that calls itself a JPEG", "422", "image-unusable", "not-an-image"),
        ("a picture that is not there", "422", "image-unusable", "unreachable"),
        ("our own database's address", "422", "image-unusable", "not-allowed"),
        ("a cloud's metadata service", "422", "image-unusable", "not-allowed"),
        ("no web address at all", "422", "invalid-cake", "imageUrl must be an http or https URL with a host"),
    ],
)
def test_what_cannot_be_liked_says_why(shown, exhibit, status, result, why):
    _, rows = shown

    assert [status, result, "", why] == rows[exhibit][:4]


def test_drawings_are_judged_and_what_is_created_is_listed(shown):
    output, rows = shown
    judged = {what: row for what, row in rows.items() if what.startswith(("drawing", "a page"))}
    created = [row for row in judged.values() if row[:2] == ["201", "created"]]

    assert 11 == len(judged)
    assert all(0 <= float(row[2]) <= 1 for row in judged.values())
    assert all(
        row[1] in {"not-a-cake", "review"} for what, row in judged.items() if what.startswith("drawing of something")
    )
    assert len(created) >= 4
    assert f"The legacy API now lists {len(created)} cakes" in output


def test_the_demo_draws_from_seeds_that_training_never_saw():
    assert set() == set(drawings.DEMO_SEEDS) & set(drawings.TRAINING_SEEDS)
