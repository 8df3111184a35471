"""A cluster as `kubectl` sees it: any KUBECONFIG will do."""

import contextlib
import json
import os
import re
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import httpx

Object = dict[str, Any]
T = TypeVar("T")

CALL_SECONDS = 60.0


class Refused(Exception):
    """The API server, or kubectl, said no; its words."""


def ran(*command: str, given: str | None = None, seconds: float = CALL_SECONDS) -> str:
    """What a command printed; `Refused` where it failed."""
    done = subprocess.run(command, input=given, capture_output=True, text=True, timeout=seconds, check=False)
    if done.returncode:
        raise Refused(f"{' '.join(command[:6])}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def until(what: str, look: Callable[[], T], *, seconds: float, pause: float = 0.3) -> T:
    """What `look` finds, once it is true of anything; an AssertionError with the last of it when the time is over."""
    end, last = time.monotonic() + seconds, None
    while time.monotonic() < end:
        try:
            if last := look():
                return last
        except (Refused, httpx.HTTPError, AssertionError) as error:
            last = error
        time.sleep(pause)  # a cluster is asked, nothing could wake us
    raise AssertionError(f"not within {seconds:.0f} s: {what}; last seen: {last!r}")


class Namespace:
    """One namespace; an empty name stands for the cluster's own objects."""

    def __init__(self, name: str) -> None:
        self.name = name

    def kubectl(self, *arguments: str, given: str | None = None, seconds: float = CALL_SECONDS) -> str:
        scope = ["--namespace", self.name] if self.name else []
        return ran("kubectl", *scope, *arguments, given=given, seconds=seconds)

    def apply(self, *bodies: Object) -> None:
        """As people do: with `kubectl apply`, which refuses unknown fields."""
        self.kubectl("apply", "-f", "-", given=json.dumps({"apiVersion": "v1", "kind": "List", "items": list(bodies)}))

    def get(self, kind: str, name: str) -> Object | None:
        found = self.kubectl("get", kind, name, "-o", "json", "--ignore-not-found")
        return json.loads(found) if found.strip() else None

    def all(self, kind: str, **labels: str) -> list[Object]:
        selector = ["-l", ",".join(f"app.kubernetes.io/{name}={value}" for name, value in labels.items())]
        found = self.kubectl("get", kind, *(selector if labels else []), "-o", "json")
        return json.loads(found)["items"]

    def patch(self, kind: str, name: str, change: Object) -> None:
        self.kubectl("patch", kind, name, "--type", "merge", "-p", json.dumps(change))

    def delete(self, kind: str, name: str, *options: str) -> None:
        self.kubectl("delete", kind, name, "--ignore-not-found", *options, seconds=180)

    @contextlib.contextmanager
    def forwarded(self, target: str, port: int) -> Iterator[str]:
        """The base URL of a port of a pod or Service, while the pod behind it lives."""
        with tempfile.TemporaryFile("w+") as log:
            process = subprocess.Popen(
                ["kubectl", "--namespace", self.name, "port-forward", target, f":{port}"],
                stdout=log, stderr=subprocess.STDOUT, text=True,
            )  # fmt: skip
            try:
                yield f"http://127.0.0.1:{until('a forwarded port', lambda: _port(process, log), seconds=20)}"
            finally:
                process.terminate()
                process.wait(10)


def _port(process: subprocess.Popen[str], log: Any) -> str | None:
    # Read by position: the child writes to the same file.
    said = os.pread(log.fileno(), 10_000, 0).decode()
    if process.poll() is not None:
        raise Refused(f"port-forward ended: {said}")
    found = re.search(r"127\.0\.0\.1:(\d+) ->", said)
    return found and found[1]


def has(api_version: str) -> bool:
    """Whether an optional API is there."""
    return api_version in ran("kubectl", "api-versions").split()


def condition(body: Object | None, kind: str) -> Object:
    """A condition of an object; empty where it has none of that type."""
    found = ((body or {}).get("status") or {}).get("conditions") or []
    return next((each for each in found if each["type"] == kind), {})


def uids(bodies: list[Object]) -> dict[str, str]:
    """Objects by name, each with its uid: equal as long as none was replaced."""
    return {each["metadata"]["name"]: each["metadata"]["uid"] for each in bodies}
