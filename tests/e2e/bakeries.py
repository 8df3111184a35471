"""A bakery under test: what people do to one, and how they look at it."""

import contextlib
import time
from collections.abc import Iterator
from typing import Any

import httpx
from kube import Namespace, Object, condition, until

from cakegate import drawings

API = "cakegate.dev/v1alpha1"
PROCESSES = ("gateway", "worker", "writer", "scheduler")
WAIT_SECONDS = 30


def seeds(kind: str) -> range:
    """Of the sample's pictures of a kind, `cake` or `other`; of the first the model is sure."""
    return drawings.DEMO_SEEDS[: {"cake": 6, "other": 4}[kind]]


#: Requests of a bakery beside the demo's: a node of two cores holds both.
_LIGHT = {"requests": {"cpu": "10m", "memory": "64Mi"}, "limits": {"memory": "1536Mi"}}


def light() -> Object:
    """The processes of a small bakery: one pod each."""
    return {name: {"replicas": 1, "resources": _LIGHT} for name in PROCESSES}


class Bakery:
    """One CakeBakery and what it is made of."""

    def __init__(self, namespace: Namespace, name: str) -> None:
        self.namespace, self.name = namespace, name

    def body(self, **spec: Any) -> Object:
        spec = {"upstream": {"sample": {}}, **spec}
        return {"apiVersion": API, "kind": "CakeBakery", "metadata": {"name": self.name}, "spec": spec}

    def apply(self, **spec: Any) -> None:
        self.namespace.apply(self.body(**spec))

    def change(self, **spec: Any) -> None:
        self.namespace.patch("cakebakery", self.name, {"spec": spec})

    def annotate(self, **annotations: str) -> None:
        self.namespace.patch("cakebakery", self.name, {"metadata": {"annotations": annotations}})

    def seen(self) -> Object:
        found = self.namespace.get("cakebakery", self.name)
        assert found is not None
        return found

    def condition(self, kind: str) -> Object:
        """A condition that is about the resource as it is now; empty where there is none yet."""
        seen = self.seen()
        if seen.get("status", {}).get("observedGeneration") != seen["metadata"]["generation"]:
            return {}
        return condition(seen, kind)

    def says(self, kind: str, *, status: str, reason: str | None = None, within: float = 60) -> Object:
        """The condition, once it says so."""

        def look() -> Object | None:
            found = self.condition(kind)
            assert found, f"{kind} is not said"
            assert found["status"] == status, found
            assert reason in {None, found["reason"]}, found
            return found

        return until(f"{kind} is {status} {reason or ''}", look, seconds=within)

    def ready(self, *, within: float = 120) -> None:
        """Ready, and nothing under way."""

        def look() -> bool:
            found, rolling = self.condition("Ready"), self.condition("Reconciling")
            assert ("True", None) == (found.get("status"), rolling.get("status")), [found, rolling]
            return True

        until(f"{self.name} is Ready", look, seconds=within)

    def pods(self, component: str) -> list[Object]:
        """Pods that are not on their way out."""
        found = self.namespace.all("pods", instance=self.name, component=component)
        return [each for each in found if "deletionTimestamp" not in each["metadata"]]

    def started(self, *components: str) -> dict[str, str]:
        """Which containers run, by pod: differs after every restart."""
        return {
            pod["metadata"]["name"]: f"{pod['metadata']['uid']}/{_restarts(pod)}"
            for component in components or PROCESSES
            for pod in self.pods(component)
        }

    @contextlib.contextmanager
    def api(self) -> Iterator["Api"]:
        """Its API, as clients see it, through the Service."""
        with (
            self.namespace.forwarded(f"service/{self.name}-gateway", 80) as url,
            httpx.Client(base_url=url, timeout=75, trust_env=False) as client,
        ):
            yield Api(client, f"http://{self.name}-sample.{self.namespace.name}.svc:8900/pictures", self)

    @contextlib.contextmanager
    def trouble(self, **faults: object) -> Iterator[None]:
        """The sample legacy API in trouble, for a block."""
        with self.namespace.forwarded(f"pod/{self.name}-sample-0", 8900) as url:
            httpx.post(f"{url}/faults", json=faults, trust_env=False).raise_for_status()
        try:
            yield
        finally:
            with self.namespace.forwarded(f"pod/{self.name}-sample-0", 8900) as url:
                httpx.post(f"{url}/faults", json={}, trust_env=False).raise_for_status()


class Api:
    """The public API."""

    def __init__(self, client: httpx.Client, pictures: str, bakery: Bakery) -> None:
        self.client, self.bakery = client, bakery
        # The address that the worker may fetch from is what the operator told it.
        allowed = _environment(bakery, "worker").get("CAKEGATE_FETCH_ALLOW", "").partition(",")[0]
        self.pictures = f"http://{allowed}/pictures" if allowed else pictures

    def submit(self, picture: str, *, name: str = "A cake of e2e", wait: int = WAIT_SECONDS) -> httpx.Response:
        address = picture if "://" in picture or picture.startswith("file:") else f"{self.pictures}/{picture}"
        body = {"name": name, "comment": "Sent by make e2e", "imageUrl": address, "yumFactor": 3}
        return self.client.post("/api/cakes", json=body, headers={"Prefer": f"wait={wait}"})

    def accept(self, picture: str, count: int) -> list[str]:
        """Where the submissions are that were taken in without waiting for their end."""
        answers = [self.submit(picture, name=f"Cake {number}", wait=0) for number in range(count)]
        assert [202] * count == [each.status_code for each in answers]
        return [each.headers["location"] for each in answers]

    def ends(self, places: list[str], *, within: float) -> list[str]:
        """The states that submissions end in, once all have."""
        last = {"created", "rejected", "failed", "review"}
        found: dict[str, str] = {}
        end = time.monotonic() + within
        while len(found) < len(places) and time.monotonic() < end:
            for place in places:
                if place not in found and (state := self.client.get(place).json().get("state")) in last:
                    found[place] = state
            time.sleep(0.3)  # between two rounds of questions
        assert len(places) == len(found), f"{len(places) - len(found)} of {len(places)} did not end"
        return [found[place] for place in places]


def _restarts(pod: Object) -> int:
    """How often its containers were started again; a pod that is only just made has none yet."""
    return sum(each["restartCount"] for each in pod["status"].get("containerStatuses", []))


def _environment(bakery: Bakery, component: str) -> dict[str, str]:
    deployment = bakery.namespace.get("deployment", f"{bakery.name}-{component}")
    assert deployment is not None
    entries = deployment["spec"]["template"]["spec"]["containers"][0]["env"]
    return {each["name"]: each.get("value", "") for each in entries}
