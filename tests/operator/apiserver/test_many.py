"""Two hundred bakeries: what the operator takes, and that a resync of all of them writes nothing.

KUBEBUILDER_ASSETS=... pytest -m slow -s tests/operator/apiserver/test_many.py
"""

import asyncio
import os
import resource
import sys
import time

import pytest
from api_client import bakery
from test_whole_reconcile import reconciler, settle

from cakegate_operator import metrics

pytestmark = [pytest.mark.apiserver, pytest.mark.slow, pytest.mark.timeout(900)]

MANY = int(os.environ.get("BAKERIES", "200"))
AT_ONCE = 4


async def test_a_resync_of_many_bakeries_writes_nothing(admin, namespace):
    limit = asyncio.Semaphore(AT_ONCE)
    loop = reconciler(admin.api)
    names = [f"b{number}" for number in range(MANY)]

    async def one(name):
        async with limit:
            return await loop.reconcile(namespace, name)

    await asyncio.gather(*(admin.create(bakery(namespace, name=name)) for name in names))
    for _ in range(3):
        await asyncio.gather(*map(one, names))
        await settle(admin, namespace)
    await asyncio.gather(*map(one, names))
    written, asked = metrics.mutating_requests(), _requests()
    wall, cpu = time.monotonic(), time.process_time()
    await asyncio.gather(*map(one, names))
    wall, cpu = time.monotonic() - wall, time.process_time() - cpu
    assert written == metrics.mutating_requests()
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    sys.stdout.write(
        f"\n{MANY} bakeries: a resync of all takes {wall:.1f} s, {cpu:.1f} s of CPU and {_requests() - asked:.0f}"
        f" requests; the process, with the tests in it, has {memory} MiB at most\n"
    )


def _requests():
    return sum(sample.value for sample in next(iter(metrics.API_REQUESTS.collect())).samples if "_total" in sample.name)
