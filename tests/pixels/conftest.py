"""Children for the tests: one pool for all that only decode; those that kill children make their own."""

import contextlib

import made_pictures
import pytest

from cakegate import settings
from cakegate.adapters.pixels import pool
from cakegate.domain import verdicts


@contextlib.asynccontextmanager
async def started_pool(*, size=1, **pictures):
    """A pool with settings of its own."""
    children = pool.PixelPool(
        settings.Pictures(**pictures),
        model_inputs=[verdicts.ModelInput(side_pixels=made_pictures.SIDE_PIXELS, fit=verdicts.Fit.STRETCH)],
        size=size,
    )
    await children.start()
    try:
        yield children
    finally:
        await children.close()


@pytest.fixture(scope="session")
async def shared_pool():
    async with started_pool() as children:
        yield children


@pytest.fixture
async def child(shared_pool):
    """A leased child that outlives what the test makes it decode: that is checked at the end."""
    async with shared_pool.lease() as leased:
        before = (await leased.start()).pid
        yield leased
        assert before == (await leased.start()).pid


@pytest.fixture
def new_pool():
    return started_pool
