"""The whole process on a real API server, as its own service account: election, watches, passes, health, metrics."""

import asyncio
import contextlib
import json
import os
import sys
import time
from pathlib import Path

import aiohttp
import pytest
import yaml
from api_client import bakery
from api_server import free_port
from test_whole_reconcile import reconciler

from cakegate_operator import environment, kinds, names, process
from cakegate_operator.apiserver import ApiServer
from cakegate_operator.election import Election, LeaseLost

pytestmark = pytest.mark.apiserver

INSTALLED = Path(__file__, "../../../../manifests/install.yaml").resolve()
RIGHTS = {"Namespace", "ServiceAccount", "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"}
HOME = "cakegate-system"


@pytest.fixture(scope="session")
async def account(admin):
    """A token of the operator's own account, with the rights that the manifest gives it."""
    for body in yaml.safe_load_all(INSTALLED.read_text()):
        if body and body["kind"] in RIGHTS:
            await admin.create(body)
    path = f"/api/v1/namespaces/{HOME}/serviceaccounts/cakegate-operator/token"
    asked = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 3600}}
    return (await admin.ask("POST", path, body=asked))["status"]["token"]


@pytest.fixture
async def dead_api(admin):
    """An aggregated API whose server does not answer, as of KEDA's adapter when it is down."""
    body = {
        "apiVersion": "apiregistration.k8s.io/v1",
        "kind": "APIService",
        "metadata": {"name": "v1beta1.external.metrics.k8s.io"},
        "spec": {
            "group": "external.metrics.k8s.io",
            "version": "v1beta1",
            "groupPriorityMinimum": 100,
            "versionPriority": 100,
            "insecureSkipTLSVerify": True,
            "service": {"name": "gone", "namespace": "default"},
        },
    }
    await admin.create(body)
    yield
    await admin.remove(body)


def chosen(**more):
    return environment.Environment(
        namespace=HOME,
        identity="tests",
        metrics_port=free_port(),
        health_port=free_port(),
        probe_upstream=False,
        lease_seconds=3,
        **more,
    )


class Running:
    """An operator in a task of this process, that is told to stop at the end."""

    def __init__(self, server, account, settings):
        self.settings = settings
        self._server, self._account = server, account

    async def __aenter__(self):
        self._task = asyncio.create_task(self._run())
        return self

    async def _run(self):
        async with self._server.client(self._account) as api, asyncio.TaskGroup() as group:
            await process.operate(group, api, self.settings)

    async def __aexit__(self, *_):
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def asked(self, port, path):
        async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}{path}") as answer:
            return answer.status, await answer.text()


async def until(check, *, seconds=20):
    deadline = time.monotonic() + seconds
    while not (found := await check()):
        assert time.monotonic() < deadline, "it did not come"
        await asyncio.sleep(0.1)
    return found


@pytest.mark.parametrize("namespaced", [False, True], ids=["all namespaces", "one namespace"])
async def test_with_a_dead_api_the_first_event_is_handled_at_once(
    server, admin, account, namespace, dead_api, namespaced
):
    settings = chosen(namespaces=(namespace,) if namespaced else ())
    async with Running(server, account, settings) as operator:
        await admin.create(bakery(namespace))
        began = time.monotonic()

        async def reported():
            live = await admin.get(kinds.BAKERY, namespace, "demo")
            return live if "status" in live else None

        live = await until(reported, seconds=10)
        assert time.monotonic() - began < 8
        assert "finalizers" not in live["metadata"]
        assert "annotations" not in live["metadata"]
        assert [] == [each["message"] for each in live["status"]["conditions"] if each["reason"] == "ApplyDenied"]
        assert (200, "ok") == await operator.asked(settings.health_port, "/healthz")
        assert (200, "ok") == await operator.asked(settings.health_port, "/readyz")
        _, text = await operator.asked(settings.metrics_port, "/metrics")
        assert "cakegate_operator_is_leader 1.0" in text


async def test_a_child_that_is_removed_comes_back_by_its_event(server, admin, account, namespace):
    async with Running(server, account, chosen()):
        await admin.create(bakery(namespace))

        async def there():
            return await admin.get(kinds.SERVICE, namespace, "demo-postgres")

        first = await until(there)
        await admin.remove({"apiVersion": "v1", "kind": "Service", **first})

        async def again():
            found = await there()
            return found and found["metadata"]["uid"] != first["metadata"]["uid"]

        assert await until(again, seconds=10)


async def test_of_children_alone_metadata_alone_are_watched(admin, namespace):
    await admin.create({"apiVersion": "v1", "kind": "Service", **_service(namespace, "foreign", {})})
    await admin.create({"apiVersion": "v1", "kind": "Service", **_service(namespace, "ours", {names.BAKERY: "demo"})})
    cluster, heard = ApiServer(admin.api), []
    async with contextlib.aclosing(cluster.watch(kinds.SERVICE, namespace, names.BAKERY, since=None)) as events:
        async for event in events:
            if event["type"] == "BOOKMARK":
                continue
            heard.append((event["type"], event["object"]["metadata"]["name"], "spec" in event["object"]))
            if len(heard) == 1:
                change = {"metadata": {"labels": {"x": "y"}}}
                for name in ("foreign", "ours"):
                    await admin.merge(kinds.SERVICE, namespace, name, change)
                continue
            break
    assert [("ADDED", "ours", False), ("MODIFIED", "ours", False)] == heard


def _service(namespace, name, labels):
    return {
        "metadata": {"name": name, "namespace": namespace, "labels": labels},
        "spec": {"ports": [{"port": 80}]},
    }


async def test_the_verb_status_reads_a_real_one(server, admin, account, namespace):
    await admin.create(bakery(namespace))
    await reconciler(admin.api).reconcile(namespace, "demo")
    asked = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "cakegate", "status", "demo", "-n", namespace, "--kubeconfig", str(server.kubeconfig()),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, env={**os.environ, "COLUMNS": "200"},
    )  # fmt: skip
    output, _ = await asyncio.wait_for(asked.communicate(), 20)
    assert 1 == asked.returncode
    assert f"{namespace}/demo  Not ready  Starting: postgres is starting" in output.decode()


def candidate(api, identity, **more):
    return Election(
        ApiServer(api), namespace="default", name="lease-of-tests", identity=identity, lease_seconds=2, **more
    )


async def test_one_leads_and_another_follows_at_once_when_it_lets_go(admin):
    first, second = (candidate(admin.api, each, renew_seconds=1.4, retry_seconds=0.1) for each in ("a", "b"))
    await first.won()
    waiting = asyncio.create_task(second.won())
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(asyncio.shield(waiting), 0.5)
    await first.release()
    await asyncio.wait_for(waiting, 1)
    assert (False, True) == (first.leads, second.leads)
    await second.release()


async def test_a_leader_that_died_is_followed_when_its_lease_ran_out(admin):
    first, second = (candidate(admin.api, each, renew_seconds=1.4, retry_seconds=0.1) for each in ("c", "d"))
    await first.won()
    began = time.monotonic()
    await asyncio.wait_for(second.won(), 6)
    assert 2 <= time.monotonic() - began
    with pytest.raises(LeaseLost, match="d holds it"):
        await asyncio.wait_for(first.kept(), 5)
    await second.release()


async def test_a_process_that_is_told_to_stop_lets_its_lease_go(server, admin, account, namespace):
    port = free_port()
    variables = {
        **os.environ,
        "KUBECONFIG": str(server.kubeconfig(account)),
        "PYTHONPATH": os.pathsep.join(sys.path),
        "CAKEGATE_OPERATOR_NAMESPACE": HOME,
        "CAKEGATE_OPERATOR_IDENTITY": "a-process",
        "CAKEGATE_OPERATOR_NAMESPACES": namespace,
        "CAKEGATE_OPERATOR_METRICS_PORT": str(free_port()),
        "CAKEGATE_OPERATOR_HEALTH_PORT": str(port),
    }
    started = await asyncio.create_subprocess_exec(
        sys.executable, "-c", "from cakegate_operator import process; process.run()",
        env=variables, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip

    async def leads():
        found = await admin.get(kinds.LEASE, HOME, "cakegate-operator")
        return found and found["spec"]["holderIdentity"] == "a-process"

    try:
        await until(leads)
        started.terminate()
        output, _ = await asyncio.wait_for(started.communicate(), 10)
    finally:
        if started.returncode is None:
            started.kill()
    assert 0 == started.returncode, output.decode()
    lines = [json.loads(line) for line in output.decode().splitlines()]
    assert {"leader.elected", "operator.stopped"} <= {line["event"] for line in lines}
    lease = await admin.get(kinds.LEASE, HOME, "cakegate-operator")
    assert "" == lease["spec"].get("holderIdentity", "")
