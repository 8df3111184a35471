"""Pictures broken at random, through real decoding children: each is answered, and the children's pool outlives it.

A child may die; it is a finding all the same, and told with the number that makes the picture again.
"""

import collections
import contextlib
import os
import random
import time

import made_pictures
import mutations
import pytest

from cakegate import settings
from cakegate.adapters.pixels import pool
from cakegate.domain import errors, renditions, verdicts

GOOD = made_pictures.encoded(made_pictures.quarters())
IN_THE_SUITE = 400


@contextlib.asynccontextmanager
async def leased():
    children = pool.PixelPool(
        settings.Pictures(),
        model_inputs=[verdicts.ModelInput(side_pixels=made_pictures.SIDE_PIXELS, fit=verdicts.Fit.STRETCH)],
        size=1,
    )
    await children.start()
    try:
        async with children.lease() as child:
            yield child
    finally:
        await children.close()


@pytest.fixture(scope="module")
def pictures():
    return mutations.seeds()


async def outcome(child, content):
    """What becomes of a picture; one that is decoded is rendered too."""
    try:
        decoded = await child.decode(content)
        made = await child.render(list(renditions.Preset))
    except errors.PictureError as error:
        return type(error)
    assert made_pictures.SIDE_PIXELS**2 * 3 == len(decoded.model_inputs[0])
    assert 2 * len(renditions.Preset) == len(made)
    return None


async def test_some_hundred_broken_pictures_are_all_answered_and_no_child_dies(pictures):
    async with leased() as child:
        before = await child.decode(GOOD)
        pid = (await child.start()).pid
        found = {number: await outcome(child, mutations.mutated(pictures, number)) for number in range(IN_THE_SUITE)}
        assert [] == [number for number, end in found.items() if end is errors.DecoderDied]
        assert (pid, before) == ((await child.start()).pid, await child.decode(GOOD))

    # Some get in, some do not: else this would test the door alone.
    counted = collections.Counter(found.values())
    assert counted[None] > IN_THE_SUITE // 10
    assert counted[errors.PictureNotAnImage] > IN_THE_SUITE // 10


@pytest.mark.fuzz
@pytest.mark.timeout(0)
async def test_broken_pictures_for_as_long_as_one_likes(pictures, capsys):
    seconds = float(os.environ.get("CAKEGATE_TESTS_FUZZ_SECONDS") or 120)
    first = int(os.environ.get("CAKEGATE_TESTS_FUZZ_SEED") or random.SystemRandom().randrange(10**9) * 10**6)
    counted, slowest, deaths = collections.Counter(), 0.0, []
    until, number = time.monotonic() + seconds, first
    async with leased() as child:
        while time.monotonic() < until:
            began = time.monotonic()
            end = await outcome(child, mutations.mutated(pictures, number))
            slowest = max(slowest, time.monotonic() - began)
            counted[end.__name__ if end else "decoded"] += 1
            if end is errors.DecoderDied:
                deaths.append(number)
            number += 1
        assert 64 == (await child.decode(GOOD)).width
    with capsys.disabled():
        print(f"\nSEED={first}: {dict(counted)}, slowest {slowest:.2f} s, children died of {deaths}")  # noqa: T201
    assert [] == deaths
