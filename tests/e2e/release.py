"""The operator as Helm installs it, and what it says of itself."""

import contextlib
import os
import re
from pathlib import Path

import httpx
from kube import Namespace, Object, ran, until

CHART = Path(__file__).parents[2] / "charts" / "cakegate"
RELEASE = "cakegate"
OPERATOR = "cakegate-operator"
#: Verbs that change something: what a pass over an unchanged bakery must not ask.
WRITES = ("apply", "apply_status", "create", "delete", "replace")


class Operator:
    """The release `cakegate` in the namespace `cakegate-system`."""

    def __init__(self) -> None:
        self.namespace = Namespace("cakegate-system")
        self.image = _chosen("IMAGE", "docker.io/cakegate/cakegate:dev")
        #: The image before, for the upgrade; none: that scenario is skipped.
        self.previous = _chosen("PREVIOUS_IMAGE", "")

    def install(self, image: str | None = None, *, replicas: int = 2) -> None:
        """Or upgrade; returns when its pods are ready."""
        repository, _, tag = (image or self.image).rpartition(":")
        values = {
            "replicas": str(replicas),
            "image.repository": repository,
            "image.tag": tag,
            "resyncSeconds": "15",
            "defaults.postgresImage": _chosen("POSTGRES_IMAGE", "docker.io/local/postgres:15"),
            "defaults.redisImage": _chosen("REDIS_IMAGE", "docker.io/local/redis:7"),
            "metrics.serviceMonitor.enabled": str(_monitored()).lower(),
            "metrics.prometheusRule.enabled": str(_monitored()).lower(),
            "metrics.dashboard.enabled": "true",
        }
        ran(
            "helm", "upgrade", "--install", RELEASE, str(CHART), "--namespace", self.namespace.name,
            "--create-namespace", "--wait", "--timeout", "120s",
            *(f"--set-string={key}={value}" if key == "image.tag" else f"--set={key}={value}"
              for key, value in values.items()),
            seconds=180,
        )  # fmt: skip
        if replicas:
            # One of the new pods, not one on its way out.
            self.led()

    def uninstall(self) -> None:
        ran("helm", "uninstall", RELEASE, "--namespace", self.namespace.name, "--ignore-not-found", "--wait")

    def pods(self) -> list[Object]:
        found = self.namespace.all("pods", name=OPERATOR, component="operator")
        return [each for each in found if "deletionTimestamp" not in each["metadata"]]

    def leader(self) -> str:
        """The pod that holds the Lease."""
        lease = self.namespace.get("lease", OPERATOR)
        holder = ((lease or {}).get("spec") or {}).get("holderIdentity") or ""
        assert holder in {each["metadata"]["name"] for each in self.pods()}, f"{holder or 'nobody'} leads"
        return holder

    def led(self, *, within: float = 60) -> str:
        return until("an operator leads", self.leader, seconds=within)

    def scale(self, replicas: int) -> None:
        # Not by `kubectl scale`: Helm would find another manager of the field at its next upgrade.
        self.install(replicas=replicas)
        until("the operator is scaled", lambda: len(self.pods()) == replicas, seconds=60)

    def writes(self) -> float:
        """Requests of the leader so far that may have changed something, its Lease and events apart."""
        found = re.findall(
            r'^cakegate_operator_api_requests_total\{kind="(\w+)",verb="(\w+)"\} (\S+)', *self._metrics()
        )
        return sum(float(count) for kind, verb, count in found if verb in WRITES and kind not in {"Lease", "Event"})

    def passes(self) -> float:
        """Passes over bakeries so far."""
        return sum(map(float, re.findall(r"^cakegate_operator_reconcile_total\{.*\} (\S+)", *self._metrics())))

    def _metrics(self) -> tuple[str, re.RegexFlag]:
        """The leader's metrics, to be searched line by line."""
        with self.namespace.forwarded(f"pod/{self.leader()}", 9100) as url:
            return httpx.get(f"{url}/metrics", trust_env=False).text, re.MULTILINE

    @contextlib.contextmanager
    def down(self):
        """No operator, for a block."""
        self.scale(0)
        try:
            yield
        finally:
            self.scale(2)
            self.led()


def _chosen(name: str, default: str) -> str:
    return os.environ.get(f"CAKEGATE_TESTS_E2E_{name}", default)


def _monitored() -> bool:
    return "monitoring.coreos.com/v1" in ran("kubectl", "api-versions").split()
