"""`make e2e`: scenarios on a real cluster, any KUBECONFIG; a table of their times at the end.

They need `kubectl` and `helm`, and the images that CAKEGATE_TESTS_E2E_IMAGE, _POSTGRES_IMAGE, _REDIS_IMAGE and, for the
upgrade, _PREVIOUS_IMAGE name. CAKEGATE_TESTS_E2E_KEEP=1 leaves everything where it is.
"""

import contextlib
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from bakeries import Bakery
from kube import Namespace, ran
from release import Operator

HERE = Path(__file__).parent
SCENARIO_SECONDS = 900
_TIMES: list[tuple[str, str, float, str]] = []


def pytest_configure(config) -> None:
    config.addinivalue_line("markers", "e2e: needs a cluster; run with `make e2e`")


def pytest_collection_modifyitems(config, items) -> None:
    mine = [item for item in items if HERE in item.path.parents]
    for item in mine:
        item.add_marker(pytest.mark.e2e)
        item.add_marker(pytest.mark.timeout(SCENARIO_SECONDS))
    if "e2e" not in (config.option.markexpr or ""):
        items[:] = [item for item in items if item not in mine]
        config.hook.pytest_deselected(items=mine)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if HERE in item.path.parents and (report.when == "call" or report.outcome != "passed"):
        what = item.name.removeprefix("test_").replace("_", " ")
        _TIMES.append((what if report.when == "call" else f"{what} ({report.when})", "", call.duration, report.outcome))
    return report


def pytest_terminal_summary(terminalreporter) -> None:
    if not _TIMES:
        return
    terminalreporter.section("scenarios")
    for scenario, step, seconds, outcome in _TIMES:
        terminalreporter.write_line(f"{seconds:8.1f} s  {outcome:8}{'    ' + step if step else scenario}")


@pytest.fixture
def step():
    """Times a part of a scenario: `with step("what"):`."""

    @contextlib.contextmanager
    def timed(what: str) -> Iterator[None]:
        began = time.monotonic()
        yield
        _TIMES.append(("", what, time.monotonic() - began, ""))

    return timed


@pytest.fixture
def note():
    """Tells the table of something that was timed elsewhere: `note("what", seconds)`."""
    return lambda what, seconds: _TIMES.append(("", what, seconds, ""))


@pytest.fixture(scope="session")
def cluster() -> None:
    """A cluster that answers, or a skip that says what is missing."""
    for tool in ("kubectl", "helm"):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not on the PATH")
    if not os.environ.get("KUBECONFIG"):
        pytest.skip("KUBECONFIG is not set: no cluster to run on")
    ran("kubectl", "version")


@pytest.fixture(scope="session")
def operator(cluster) -> Iterator[Operator]:
    """Installed; gone again at the end."""
    found = Operator()
    found.install()
    found.led()
    yield found
    if not os.environ.get("CAKEGATE_TESTS_E2E_KEEP"):
        found.uninstall()


@pytest.fixture(scope="session")
def namespaces(operator) -> Iterator:
    """Makes namespaces that enforce the Pod Security Standard `restricted`."""
    made: list[Namespace] = []

    def make(name: str) -> Namespace:
        label = {"pod-security.kubernetes.io/enforce": "restricted"}
        Namespace("").apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": label}})
        made.append(Namespace(name))
        return made[-1]

    yield make
    if not os.environ.get("CAKEGATE_TESTS_E2E_KEEP"):
        for each in made:
            Namespace("").delete("namespace", each.name, "--wait=false")


@pytest.fixture(scope="session")
def demo(namespaces) -> Bakery:
    """The bakery of manifests/samples/minimal.yaml, Ready: what most scenarios are about."""
    bakery = Bakery(namespaces("e2e-demo"), "demo")
    bakery.apply()
    bakery.ready()
    return bakery


@pytest.fixture
def calm(demo) -> Bakery:
    """The same, Ready at the start of each scenario, and without a limit of requests: one client sends them all."""
    settings = {"CAKEGATE_GATEWAY_READ_RATE": "off", "CAKEGATE_GATEWAY_WRITE_RATE": "off"}
    # What another scenario may have left behind goes.
    demo.change(settings=settings, gateway=None, worker=None, rollout=None, upstream={"credentialsSecretRef": None})
    demo.ready()
    return demo
