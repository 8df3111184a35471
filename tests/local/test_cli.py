"""The command line: what loads, what is said of mistakes, and how a person decides on what waits in review."""

import asyncio
import json
import subprocess
import sys
import uuid

import click.testing
import pytest

import cakegate
from cakegate import cli, settings
from cakegate.adapters.store import creating, judging, pool, reviewing, settling, submissions
from cakegate.domain import cakes, verdicts
from cakegate.domain.submissions import Picture, State, SubmissionId

PROCESSES = {"gateway", "worker", "scheduler", "migrate", "sample", "up"}
TOOLS = {"model", "openapi", "operator", "settings", "status", "submissions", "submit"}
HOSTILE_NAME = "Cake [/b] :smile:"


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Runs the command line in an empty folder: its status, output and complaints."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "300")

    def run(*arguments, **environ):
        for name, value in environ.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(sys, "argv", ["cakegate", *arguments])
        with pytest.raises(SystemExit) as left:
            cli.main()
        said = capsys.readouterr()
        return left.value.code or 0, said.out, said.err

    return run


def test_help_lists_every_verb(run):
    status, out, _ = run("--help")

    assert 0 == status
    assert PROCESSES | TOOLS == {line.split()[0] for line in out.partition("Commands:\n")[2].splitlines()}


def test_the_version_is_the_packages(run):
    assert (0, f"cakegate, version {cakegate.__version__}\n", "") == run("--version")


def test_the_command_line_by_itself_loads_no_process():
    code = "import sys, cakegate.cli; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()

    heavy = {"aiohttp", "alembic", "dramatiq", "granian", "litestar", "numpy", "onnxruntime", "PIL", "psycopg", "redis"}
    assert set() == heavy & set(loaded)


@pytest.mark.parametrize(
    ("arguments", "environ", "complaint"),
    [
        (["settings"], {"CAKEGATE_GATEWAY_PORT": "many"}, "CAKEGATE_GATEWAY_PORT: "),
        (["migrate"], {}, "CAKEGATE_DATABASE_URL"),
        (["gateway"], {}, "CAKEGATE_"),
        (["worker", "--queues", "create"], {}, "CAKEGATE_"),
        (["scheduler"], {}, "CAKEGATE_"),
        (["up"], {"CAKEGATE_UPSTREAM_URL": "nowhere"}, "CAKEGATE_UPSTREAM_URL: "),
        (["up", "--upstream-url", "nowhere"], {}, "CAKEGATE_UPSTREAM_URL: "),
        (["submit", "missing.jpg"], {}, "running local stack"),
        (["submit", "http://p.example/a.jpg", "--state", "none"], {}, "No stack runs in none"),
        (["submissions", "list"], {}, "CAKEGATE_DATABASE_URL"),
        (["sample", "--folder", "sample", "--faults", '{"dwon": true}'], {}, "The faults cannot be read: "),
    ],
)
def test_what_the_user_can_mend_is_one_line_and_status_2(run, arguments, environ, complaint):
    status, out, err = run(*arguments, **environ)

    assert (2, "", 1) == (status, out, err.count("\n"))
    assert err.startswith("cakegate: ")
    assert complaint in err


def test_a_taken_port_of_the_sample_is_said(run, sample_api):
    port = sample_api.url.rpartition(":")[2]

    status, _, err = run("sample", "--folder", "other", "--port", port)

    assert (2, True) == (status, f"cannot be served at 127.0.0.1:{port}" in err)


def test_settings_in_force_are_shown_without_their_secrets(run):
    status, out, _ = run("settings", CAKEGATE_DATABASE_URL="postgresql://me:hidden@db/cakes")

    assert (0, False) == (status, "hidden" in out)
    assert "CAKEGATE_GATEWAY_PORT=8000" in out.splitlines()


def test_the_openapi_document_is_json(run):
    status, out, _ = run("openapi")

    assert (0, "3.1.0") == (status, json.loads(out)["openapi"])


def test_migrate_can_be_repeated_and_lists_what_is_applied(run, database_url):
    first, again = (run("migrate", CAKEGATE_DATABASE_URL=database_url) for _ in range(2))
    status, listing, _ = run("migrate", "--list", CAKEGATE_DATABASE_URL=database_url)

    assert first == again
    assert 0 == status
    assert {"applied"} == {line.split()[1] for line in listing.splitlines()}


@pytest.fixture
async def db(database_url):
    group = settings.Database(url=settings.SecretUrl(database_url), pool_min=1, pool_max=2)
    opened = await pool.Database.open(group, application_name="tests")
    yield opened
    await opened.close()


async def judged(db, *, score, sampled=False):
    """A judged submission, its name as a client may well write it."""
    draft = cakes.CakeDraft(name=HOSTILE_NAME, comment="A comment", image_url="http://p.example/l.jpg", yum_factor=3)
    new = submissions.NewSubmission(id=SubmissionId(uuid.uuid4()), draft=draft)
    await submissions.insert(db, new)
    held = await judging.claim(db, new.id, lease_seconds=60, holder="tests")
    thresholds = verdicts.Thresholds(accept=0.7, review=0.3)
    verdict = verdicts.Verdict(
        score=score,
        decision=verdicts.decide(score, thresholds),
        thresholds=thresholds,
        model=verdicts.Model(name="test", version="1", sha256="0" * 64),
        labels=[verdicts.Label(name="cake", score=score), verdicts.Label(name="cupcake", score=0.25)],
    )
    picture = Picture(sha256=b"\x01" * 32, size_bytes=1234, format="jpeg", width=640, height=480)
    return await judging.settle_verdict(
        db, held, verdict=verdict, picture=picture, actor="tests", timings={}, sampled=sampled
    )


@pytest.fixture
async def doubtful(db):
    """A submission in review."""
    return await judged(db, score=0.5)


@pytest.fixture
def decide(database_url, tmp_path, monkeypatch):
    """Runs `cakegate submissions` beside the tests' event loop."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "300")
    monkeypatch.setenv("CAKEGATE_DATABASE_URL", database_url)

    async def decide(*arguments):
        runner = click.testing.CliRunner()
        return await asyncio.to_thread(runner.invoke, cli.verbs, ["submissions", *map(str, arguments)])

    return decide


async def test_what_waits_is_listed_and_shown_as_the_client_wrote_it(decide, doubtful):
    listed = await decide("list")
    shown = await decide("show", doubtful.id)

    assert (0, 0) == (listed.exit_code, shown.exit_code)
    assert all(part in listed.output for part in (str(doubtful.id), "review", "doubtful", "0.500", HOSTILE_NAME))
    assert all(part in shown.output for part in ("pending", "judging", "review", "review, score 0.5000", HOSTILE_NAME))


@pytest.mark.parametrize(("verb", "state"), [("approve", State.ACCEPTED), ("reject", State.REJECTED)])
async def test_a_person_decides_once_and_it_is_recorded(decide, db, doubtful, verb, state):
    decided = await decide(verb, doubtful.id, "--as", "ada", "--note", "Seen it")
    again = await decide(verb, doubtful.id, "--as", "ada")
    steps = await submissions.history(db, doubtful.id)

    assert f"{doubtful.id} is {state.value} now\n" == decided.output
    assert f"Submission {doubtful.id} is {state.value}, not in review." == str(again.exception)
    assert ("review", state.value, "person:ada", "Seen it") == (
        steps[-1].origin, steps[-1].target, steps[-1].actor, steps[-1].note
    )  # fmt: skip
    assert state is (await submissions.get(db, doubtful.id)).state


async def test_the_decider_is_the_user_unless_somebody_is_named(decide, db, doubtful):
    await decide("approve", doubtful.id)

    assert (await submissions.history(db, doubtful.id))[-1].actor.startswith("person:")
    assert "person:" != (await submissions.history(db, doubtful.id))[-1].actor


@pytest.fixture
async def lost(db, doubtful):
    """A submission whose create was never answered, long ago, without a marker; a cake that looks like it."""
    await reviewing.decide(db, doubtful.id, target=State.ACCEPTED, actor="ada")
    pace = creating.Pace(concurrency=8, lease_seconds=60, send_deadline_seconds=20)
    held = await creating.claim(db, doubtful.id, pace=pace, holder="tests", marked=False)
    row = await creating.settle_uncertain(db, held, status=None, detail="cut", actor="tests", timings={})
    await db.execute("UPDATE submissions SET send_deadline_at = now() - interval '1 day'")
    (parked,) = await settling.parked(db, limit=1, write_max_seconds=1)
    alike = cakes.StoredCake(id="17", item={"id": 17, "name": HOSTILE_NAME}, marker=None)
    await settling.propose(db, parked, alike)
    return row


@pytest.mark.parametrize(
    ("words", "state"),
    [
        (["created"], State.CREATED),
        (["created", "--cake", "18"], State.CREATED),
        (["absent"], State.ACCEPTED),
        (["given-up"], State.FAILED),
    ],
    ids=["created", "created, named", "absent", "given up"],
)
async def test_a_person_says_what_became_of_a_lost_create(decide, db, lost, words, state):
    shown = await decide("show", lost.id)
    resolved = await decide("resolve", lost.id, *words, "--as", "ada")

    assert all(part in shown.output for part in ("looks like", "cake 17", HOSTILE_NAME))
    assert f"{lost.id} is {state.value} now\n" == resolved.output
    assert state is (await submissions.get(db, lost.id)).state


async def test_a_cake_is_named_for_what_was_created_alone(decide, lost):
    resolved = await decide("resolve", lost.id, "absent", "--cake", "18")

    assert 2 == resolved.exit_code
    assert "--cake goes with `created` alone" in resolved.output


async def test_what_was_sampled_is_listed_until_it_is_labelled(decide, db):
    row = await judged(db, score=0.9, sampled=True)

    listed = await decide("sampled")
    said = await decide("label", row.id, "not-cake", "--as", "ada", "--note", "a hat")
    left = await decide("sampled", "--json")
    seen = await decide("sampled", "--seen")

    assert all(part in listed.output for part in (str(row.id), "0.900", "cupcake 0.250", HOSTILE_NAME))
    assert f"{row.id}: not-cake, says ada; the model's score was 0.900\n" == said.output
    assert "" == left.output
    assert all(part in seen.output for part in (str(row.id), "not-cake", "ada", "a hat"))
    assert State.ACCEPTED is (await submissions.get(db, row.id)).state


async def test_what_was_not_sampled_cannot_be_labelled(decide, doubtful):
    said = await decide("label", doubtful.id, "cake")

    assert f"Submission {doubtful.id} was not sampled: there is nothing to be said of it." == str(said.exception)


async def test_lists_come_as_json_for_programs(decide, db, doubtful):
    row = await judged(db, score=0.9, sampled=True)

    listed = json.loads((await decide("list", "--json")).output)
    sampled = json.loads((await decide("sampled", "--json")).output)

    assert (str(doubtful.id), "review", "doubtful", HOSTILE_NAME, 3) == (
        listed["id"], listed["state"], listed["reason"], listed["name"], listed["yum_factor"]
    )  # fmt: skip
    assert 0.5 == listed["verdict"]["score"]
    assert (str(row.id), None, "cupcake") == (
        sampled["submission_id"],
        sampled["opinion"],
        sampled["labels"][1]["name"],
    )


async def test_what_else_a_picture_may_show_is_shown(decide, doubtful):
    assert "cake 0.500, cupcake 0.250" in (await decide("show", doubtful.id)).output
