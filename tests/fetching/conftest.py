"""Hosts of pictures, one allowed and one not, and fetchers that may speak to the first."""

import pytest
from picture_hosts import hosted

from cakegate import settings
from cakegate.adapters.fetcher import client


@pytest.fixture
async def host():
    async with hosted() as running:
        yield running


@pytest.fixture
async def other_host():
    """One that is not allowed."""
    async with hosted() as running:
        yield running


async def nothing_resolves(name, port):
    raise OSError(f"{name} is no name that this test knows")


@pytest.fixture
async def open_fetcher():
    """Fetchers with settings and a resolver of their own: none may speak to anybody but those whom `allow` names."""

    def opened(*, resolve=nothing_resolves, **fetch):
        return client.Fetcher(settings.Fetch(**fetch), resolve=resolve)

    return opened


@pytest.fixture
def fetcher(open_fetcher, host):
    """One that may speak to `host`."""
    return open_fetcher(allow=(f"127.0.0.1:{host.port}",), total_seconds=5.0, max_bytes=200_000, max_page_bytes=20_000)
