"""What the kubelet, the scheduler and the pods themselves complain of, and nothing of it that is secret.

A condition is read by many who may read no Secret, and what a process says last is at times the value that it could not
read: a password with a character too many.
"""

from collections.abc import Iterable, Iterator
from typing import Final
from urllib.parse import unquote

from cakegate_operator import kinds, names, serving
from cakegate_operator.cluster import Cluster
from cakegate_operator.inputs import Object
from cakegate_operator.seen import Seen, condition_of, dig

#: Of what a container said last.
_LONGEST_WORDS: Final = 400
#: On every pod of a Job, by Kubernetes.
_JOB: Final = "batch.kubernetes.io/job-name"
#: Shorter ones are words of any sentence.
_SHORTEST_SECRET: Final = 4


async def told(cluster: Cluster, seen: Seen, values: Iterable[bytes]) -> dict[str, str]:
    """The newest complaint by component, without these secret values; asked only where something is not ready."""
    if not any(_troubled(body) for body in seen.children.values()):
        return {}
    pods = await cluster.list(kinds.POD, seen.namespace, {names.INSTANCE: seen.name, names.APP: names.APP_NAME})
    found: dict[str, str] = {}
    job = _newest_job(seen)
    for pod in sorted(pods, key=lambda each: each["metadata"]["creationTimestamp"], reverse=True):
        component = dig(pod, "metadata", "labels", names.COMPONENT)
        if dig(pod, "metadata", "labels", _JOB, default=job) != job:
            # What kept a migration before this one from its end is over.
            continue
        if component and component not in found and (said := _complaint(pod)):
            found[component] = said
    hidden = sorted({each for value in values for each in _secrets_in(value)}, key=len, reverse=True)
    return {component: _without(said, hidden) for component, said in found.items()}


def _newest_job(seen: Seen) -> str | None:
    jobs = [body["metadata"] for key, body in seen.children.items() if key.kind == kinds.JOB.kind]
    return max(jobs, key=lambda each: str(each["creationTimestamp"]))["name"] if jobs else None


def _secrets_in(value: bytes) -> Iterator[str]:
    """What may be quoted of a Secret's value: all of it, a line, a header's value, a URL's password."""
    text = value.decode(errors="replace").strip()
    for part in (text, *text.splitlines(), *(line.partition(":")[2] for line in text.splitlines())):
        yield part.strip()
    # Not `urlsplit`: a password that would have had to be quoted breaks it.
    login = text.partition("://")[2].rpartition("@")[0]
    password = login.partition(":")[2]
    yield from (login, password, unquote(password))
    # Where the reader takes an unquoted one for the end of the host.
    yield from password.replace("/", " ").replace("?", " ").replace("#", " ").replace("@", " ").split()


def _without(said: str, hidden: list[str]) -> str:
    for each in hidden:
        if len(each) >= _SHORTEST_SECRET:
            said = said.replace(each, "***")
    return said


def _troubled(body: Object) -> bool:
    kind, status = body["kind"], body.get("status") or {}
    if kind == "Deployment":
        # Old pods may serve while a new one fails: it is to be named before the rollout counts as stuck.
        return not serving.is_rolled(body)
    if kind == "StatefulSet":
        return not status.get("readyReplicas")
    return kind == "Job" and not status.get("succeeded")


def _complaint(pod: Object) -> str | None:
    """One line about what keeps a pod from running; one that is told to end has no say."""
    name = pod["metadata"]["name"]
    if pod["metadata"].get("deletionTimestamp"):
        return None
    scheduled = condition_of(pod, "PodScheduled")
    if scheduled and scheduled["status"] == "False":
        return f"pod {name}: {scheduled.get('message') or scheduled.get('reason')}"
    for status in (
        *dig(pod, "status", "initContainerStatuses", default=[]),
        *dig(pod, "status", "containerStatuses", default=[]),
    ):
        if status.get("ready"):
            # However it ended before, it serves now.
            continue
        waiting = dig(status, "state", "waiting", default={})
        ended = dig(status, "state", "terminated", default={}) or dig(status, "lastState", "terminated", default={})
        if ended.get("exitCode"):
            return f"pod {name}: {status['name']} ended with {ended['exitCode']}: {_last_words(ended)}"
        if waiting.get("reason") not in {None, "ContainerCreating", "PodInitializing"}:
            return f"pod {name}: {waiting['reason']}: {waiting.get('message', '')}".rstrip(": ")
    return None


def _last_words(ended: Object) -> str:
    """What a container said last, which our pods ask the kubelet to keep; else why it ended."""
    lines = [line for line in str(ended.get("message") or "").splitlines() if line.strip()]
    return lines[-1].strip()[:_LONGEST_WORDS] if lines else str(ended.get("reason", ""))
