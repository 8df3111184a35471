"""`cakegate model compare` and `export-reviews`: what a shadow would have done, and what people said."""

import asyncio
import csv
import hashlib

import msgspec
import pytest
from click.testing import CliRunner
from judged_pictures import Judged

from cakegate import cli, settings
from cakegate.adapters.store import pool
from cakegate.domain.verdicts import Flaw


@pytest.fixture
def judged(database_url, tmp_path, monkeypatch):
    """Runs a coroutine function with a `Judged`; the verbs find the database by its variable."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CAKEGATE_DATABASE_URL", database_url)
    group = settings.Database(url=settings.SecretUrl(database_url), pool_min=1, pool_max=2)

    def judged(work):
        async def run():
            db = await pool.Database.open(group, application_name="tests")
            try:
                return await work(Judged(db))
            finally:
                await db.close()

        return asyncio.run(run())

    return judged


def ran(*arguments):
    done = CliRunner().invoke(cli.verbs, ["model", *map(str, arguments)], catch_exceptions=False)
    assert 0 == done.exit_code, done.output
    return done.stdout


async def _four(put):
    found = [
        await put.submission(0.9, 0.8),
        await put.submission(0.5, 0.9),
        await put.submission(0.6, 0.2),
        await put.submission(0.1, 0.75, host="other.example"),
    ]
    await put.submission(0.9)
    await put.says(found[0], cake=True)
    await put.says(found[1], cake=True)
    await put.says(found[2], cake=False)
    return found


def test_a_comparison_is_printed(judged):
    rows = judged(_four)

    printed = ran("compare", "--limit", 2)

    assert "old 1 (aaaaaaaaaaaa) decides, new 2 (bbbbbbbbbbbb) is its shadow: 4 pictures" in printed
    assert "agreement 25.0%; the shadow would have accepted 2 that the primary did not, and rejected 1" in printed
    assert "people say of 2 that they are cakes, of 1 that they are not" in printed
    assert [str(rows[3].id), str(rows[1].id)] == [
        word for word in printed.split() if word in {str(row.id) for row in rows}
    ]
    assert "http://other.example/l.jpg" in printed


def test_a_comparison_is_one_object_for_a_program(judged):
    rows = judged(_four)

    found = msgspec.json.decode(ran("compare", "--json", "--since", "1h", "--limit", 1))

    assert (4, 0.25, 2, 1) == (found["pairs"], found["agreement"], found["accepted_anew"], found["rejected_anew"])
    assert {"accept": 1, "review": 0, "reject": 1} == found["decisions"]["review"]
    assert {"right": 3, "wrong": 0, "auc": 1.0} == found["people"]["shadow"]
    # The primary had two of the three in doubt, and puts a cake below what is none.
    assert {"right": 1, "wrong": 0, "auc": 0.5} == found["people"]["primary"]
    assert [
        {
            "submission_id": str(rows[3].id),
            "image_url": "http://other.example/l.jpg",
            "primary_score": 0.1,
            "shadow_score": 0.75,
            "primary_decision": "reject",
            "shadow_decision": "accept",
        }
    ] == found["most_different"]


def test_without_a_shadow_there_is_nothing_to_compare_and_the_verb_says_how_to_get_one(judged):
    judged(lambda put: put.submission(0.9))

    assert "no shadow has judged since" in ran("compare")
    assert "" == ran("compare", "--json")


@pytest.mark.parametrize("since", ["yesterday", "7 days", "2026-13-01", "999999w"])
def test_what_is_no_time_is_a_usage_error(judged, since):
    done = CliRunner().invoke(cli.verbs, ["model", "compare", "--since", since])

    assert 2 == done.exit_code
    assert "is no time like" in done.output


async def _said(put):
    cake = await put.submission(0.5, content=b"cake")
    other = await put.submission(0.6, content=b"other", host="phones.example")
    sample = await put.submission(0.9, content=b"sample")
    blurred = await put.submission(0.5, content=b"blurred", flaw=Flaw.BLURRED)
    gone = await put.submission(0.5)
    for row, is_cake in ((cake, True), (other, False), (sample, False), (blurred, False), (gone, True)):
        await put.says(row, cake=is_cake)
    await put.submission(0.5, content=b"nobody said anything")


def name(content):
    return f"{hashlib.sha256(content).hexdigest()[:32]}.jpg"


def held(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.jpg")}


SAID = {
    f"cake/{name(b'cake')}": b"\xff\xd8cake",
    f"not_cake/{name(b'other')}": b"\xff\xd8other",
    f"not_cake/{name(b'sample')}": b"\xff\xd8sample",
}


def listed(folder):
    with (folder / "manifest.csv").open(newline="") as lines:
        return {row["file"]: row for row in csv.DictReader(lines)}


def test_pictures_are_exported_by_what_people_said_with_the_host_that_they_are_from(judged, tmp_path):
    judged(_said)

    printed = ran("export-reviews", tmp_path / "said")

    assert SAID == held(tmp_path / "said")
    assert {
        f"cake/{name(b'cake')}": ("", "cake", "shop.example", ""),
        f"not_cake/{name(b'other')}": ("", "not_cake", "phones.example", ""),
        f"not_cake/{name(b'sample')}": ("", "not_cake", "shop.example", ""),
    } == {
        file: (row["archive"], row["label"], row["source"], row["kind"])
        for file, row in listed(tmp_path / "said").items()
    }
    assert [
        f"{tmp_path / 'said'}: 1 cakes and 2 others written",
        "1 rejected while too small, blank or blurred: nobody said what they show",
        "1 of which no rendition is kept",
    ] == printed.splitlines()


def test_an_export_that_was_cut_off_is_taken_up_and_nothing_is_written_over(judged, tmp_path):
    judged(_said)
    ran("export-reviews", tmp_path)
    first, second = sorted(SAID)[:2]
    (tmp_path / first).unlink()
    (tmp_path / second).write_bytes(b"mine")
    manifest = tmp_path / "manifest.csv"
    manifest.write_bytes(manifest.read_bytes() + b",cake/ab")

    printed = ran("export-reviews", tmp_path)

    assert {**SAID, second: b"mine"} == held(tmp_path)
    assert set(SAID) == set(listed(tmp_path))
    assert "2 there already" in printed


def test_a_manifest_that_an_editor_wrote_again_keeps_its_last_line(judged, tmp_path):
    judged(_said)
    ran("export-reviews", tmp_path)
    before = listed(tmp_path)
    manifest = tmp_path / "manifest.csv"
    manifest.write_text(manifest.read_text().rstrip())

    ran("export-reviews", tmp_path)

    assert before == listed(tmp_path)
    assert manifest.read_bytes().endswith(b"\r\n")


def test_of_a_picture_that_came_twice_the_later_word_counts_and_one_exported_stays(judged, tmp_path):
    async def first(put):
        await put.says(await put.submission(0.5, content=b"twice"), cake=True)

    async def second(put):
        await put.says(await put.submission(0.5, content=b"twice"), cake=False)

    judged(first)
    ran("export-reviews", tmp_path / "before")
    judged(second)
    ran("export-reviews", tmp_path / "after")
    printed = ran("export-reviews", tmp_path / "before")

    assert [f"cake/{name(b'twice')}"] == list(held(tmp_path / "before"))
    assert [f"not_cake/{name(b'twice')}"] == list(held(tmp_path / "after"))
    assert "1 there already as the other, left as they are" in printed


def test_what_was_said_before_a_time_is_left_out(judged, tmp_path):
    judged(_said)

    assert "0 cakes and 0 others" in ran("export-reviews", tmp_path / "said", "--since", "2100-01-01")


def test_what_was_said_by_a_time_and_since_it_are_all_and_nothing_twice(judged, tmp_path):
    async def first(put):
        await put.says(await put.submission(0.5, content=b"before"), cake=True)
        return (await put.db.fetch_one("SELECT clock_timestamp() AS at"))["at"].isoformat()

    async def second(put):
        await put.says(await put.submission(0.5, content=b"after"), cake=True)

    at = judged(first)
    judged(second)
    ran("export-reviews", tmp_path / "train", "--until", at)
    ran("export-reviews", tmp_path / "test", "--since", at)

    assert [f"cake/{name(b'before')}"] == list(held(tmp_path / "train"))
    assert [f"cake/{name(b'after')}"] == list(held(tmp_path / "test"))


def test_a_manifest_of_another_kind_is_not_touched(judged, tmp_path):
    judged(_said)
    (tmp_path / "manifest.csv").write_text("what,ever\n1,2")

    done = CliRunner().invoke(cli.verbs, ["model", "export-reviews", str(tmp_path)])

    assert "has not the columns archive, file, label, source, kind" in str(done.exception)
    assert "what,ever\n1,2" == (tmp_path / "manifest.csv").read_text()
