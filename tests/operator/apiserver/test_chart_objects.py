"""Every object that the chart makes, at every corner of its values, as the API server takes it."""

import asyncio
import os
import shutil

import pytest
from api_client import small_definition

from cakegate_operator import inputs

#: One value each; together they reach every template.
CORNERS = {
    "as it comes": [],
    "monitored": [
        "metrics.serviceMonitor.enabled=true", "metrics.prometheusRule.enabled=true", "metrics.dashboard.enabled=true",
        "networkPolicy.enabled=true", "metrics.serviceAnnotations.a=b", "serviceAccount.annotations.a=b",
    ],
    "placed": [
        "nodeSelector.disk=fast", "tolerations[0].operator=Exists", "priorityClassName=high", "podLabels.a=b",
        "podAnnotations.a=b", "imagePullSecrets[0].name=registry", "extraEnv[0].name=HTTPS_PROXY,extraEnv[0].value=x",
        "affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].topologyKey=zone",
    ],
    "two namespaces": ["watchNamespaces={north,south}"],
    "no rights": ["rbac.create=false"],
    "one replica": ["replicas=1"],
    "by digest": ["image.digest=sha256:" + 64 * "a"],
}  # fmt: skip


@pytest.fixture(scope="module")
async def furnished(admin):
    """Namespaces that the chart's objects go to, and the APIs of the Prometheus Operator; these are gone afterwards."""
    for name in ("ovens", "north", "south"):
        await admin.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    definitions = [
        small_definition(inputs.SERVICE_MONITOR, "servicemonitors"),
        small_definition(inputs.PROMETHEUS_RULE, "prometheusrules"),
    ]
    for each in definitions:
        await admin.define(each)
    yield
    for each in definitions:
        await admin.undefine(each)


async def run(*command, given=None, environ=None):
    process = await asyncio.create_subprocess_exec(
        *map(str, command),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, **(environ or {})},
    )  # fmt: skip
    said, _ = await process.communicate(given)
    return process.returncode, said.decode()


@pytest.mark.apiserver
@pytest.mark.parametrize("corner", CORNERS)
async def test_the_api_server_takes_all_that_the_chart_makes(server, furnished, request, corner):
    for tool in ("helm", "kubectl"):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not on the PATH: the chart's objects were not shown to an API server")
    sets = [f"--set={each}" for each in CORNERS[corner]]
    chart = request.config.rootpath / "charts" / "cakegate"
    status, objects = await run("helm", "template", "cakegate", chart, "--namespace", "ovens", *sets)
    assert 0 == status, objects
    status, said = await run(
        "kubectl", "apply", "--server-side", "--force-conflicts", "--dry-run=server", "--validate=strict", "-f", "-",
        given=objects.encode(), environ={"KUBECONFIG": str(server.kubeconfig())},
    )  # fmt: skip
    assert 0 == status, said
