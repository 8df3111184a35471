from datetime import UTC, datetime

from rich.console import Console

from cakegate_operator import status

NOW = datetime(2026, 1, 1, 0, 5, tzinfo=UTC)


def text_of(parts):
    console = Console(width=160, highlight=False)
    with console.capture() as captured:
        for part in parts:
            console.print(part)
    return captured.get()


async def test_a_bakery_is_told_as_a_person_wants_to_read_it(world):
    world.bakery(creationTimestamp="2026-01-01T00:00:00Z")
    await world.converge()
    text = text_of(status.described(world.live(), NOW))
    assert status.is_ready(world.live())
    for words in (
        "default/demo  Ready",
        "http://demo-gateway.default.svc",
        "gateway    2      2        2",
        "MigrationsApplied",
        "1.2.3",
    ):
        assert words in text


async def test_the_version_is_the_one_that_runs_and_then_the_one_that_is_to_run(world):
    await world.bakery().converge()
    world.cluster.edit("CakeBakery", "demo", lambda body: body["spec"].update({"version": "2.0.0"}))
    await world.once()
    assert "1.2.3 → 2.0.0" in text_of(status.described(world.live(), NOW))
    assert "1.2.3 → 2.0.0" in text_of([status._overview([world.live()], NOW)])


async def test_what_is_wrong_is_said_first(world):
    world.bakery({"upstream": {"url": "http://x", "credentialsSecretRef": {"name": "token", "key": "t"}}})
    await world.once()
    text = text_of(status.described(world.live(), NOW))
    assert not status.is_ready(world.live())
    assert text.startswith("default/demo  Not ready  SecretNotFound: spec.upstream.credentialsSecretRef")


async def test_a_change_that_nobody_has_looked_at_is_not_called_ready(world):
    await world.bakery().converge()
    world.cluster.edit("CakeBakery", "demo", lambda body: body["spec"].update({"writer": {"replicas": 2}}))
    assert not status.is_ready(world.live())
    assert "not looked at the newest change" in text_of(status.described(world.live(), NOW))
