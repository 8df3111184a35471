"""Whether enough pods of each process serve, and how far a rollout of them is."""

from typing import Final

from cakegate_operator import names, reasons
from cakegate_operator.build import autoscaling, gateway
from cakegate_operator.inputs import Inputs, Object
from cakegate_operator.seen import Problem, Seen, condition_of, dig
from cakegate_operator.verdicts import Verdict, no, yes

#: Of the fewest pods that the resource asks for: as much as a Deployment keeps in a rollout by default.
_ENOUGH_PERCENT: Final = 75


def verdict(component: str, seen: Seen, inputs: Inputs) -> Verdict:
    """Whether enough pods of a process are available, of whatever generation.

    The Deployment's own `Available` does not say that: no pod may be missing in our rollouts, so it is False while a
    single one is, and so whenever an autoscaler wants more.
    """
    kind = f"{component.capitalize()}Available"
    deployment = seen.child("Deployment", component)
    if deployment is None:
        return no(kind, reasons.NOT_CREATED, f"Deployment {names.child(seen.name, component)} is not there yet")
    enough, available = _enough(component, inputs), dig(deployment, "status", "availableReplicas", default=0)
    if available >= enough:
        return yes(kind, reasons.AVAILABLE, f"{dig(deployment, 'status', 'readyReplicas', default=0)} ready")
    if trouble := _trouble(component, seen, deployment):
        return no(kind, reasons.NOT_READY, f"{component}: {trouble}")
    return no(kind, reasons.UNAVAILABLE, f"{component}: {available} pods of at least {enough} are ready yet")


def _enough(component: str, inputs: Inputs) -> int:
    return max(1, fewest(component, inputs) * _ENOUGH_PERCENT // 100)


def fewest(component: str, inputs: Inputs) -> int:
    """The fewest pods that the resource asks for: an autoscaler adds to them."""
    spec = inputs.bakery.spec
    if component == names.GATEWAY:
        return (
            spec.gateway.autoscaling.min_replicas if spec.gateway.autoscaling else gateway.replicas(spec.gateway) or 1
        )
    if component == names.WORKER:
        scaling = autoscaling.wanted(inputs)
        return scaling.min_replicas if scaling else spec.worker.replicas or 1
    return spec.writer.replicas if component == names.WRITER else spec.scheduler.replicas


def rolling(seen: Seen) -> Problem | None:
    """A rollout that is under way, or stuck, while enough pods serve; of several one of which somebody complains."""
    under_way: Problem | None = None
    troubled: Problem | None = None
    for component in names.PROCESSES:
        deployment = seen.child("Deployment", component)
        if deployment is None:
            continue
        if stuck := _stuck(component, seen, deployment):
            return stuck
        if is_rolled(deployment):
            continue
        trouble = _trouble(component, seen, deployment)
        said = f"{component}: {trouble or 'pods are being replaced or added'}"
        under_way = under_way or Problem(reason=reasons.ROLLING, message=said)
        if trouble:
            troubled = troubled or Problem(reason=reasons.ROLLING, message=said)
    return troubled or under_way


def _stuck(component: str, seen: Seen, deployment: Object) -> Problem | None:
    progressing = condition_of(deployment, "Progressing") or {}
    if progressing.get("status") != "False" or progressing.get("reason") != "ProgressDeadlineExceeded":
        return None
    if not _is_seen(deployment):
        # Said of the template before: whoever has just mended it is not to be told that it is stuck.
        return None
    trouble = _trouble(component, seen, deployment) or progressing["message"]
    return Problem(reason=reasons.ROLLOUT_STUCK, message=f"{component}: {trouble}")


def _trouble(component: str, seen: Seen, deployment: Object) -> str | None:
    """What keeps pods from being ready: the kubelet's words, or why there may be no pods."""
    return seen.troubles.get(component) or _refusal(deployment)


def _refusal(deployment: Object) -> str | None:
    """Pods that were refused at the door, e.g. by a quota: no kubelet ever sees them."""
    failure = condition_of(deployment, "ReplicaFailure") or {}
    return str(failure.get("message")) if failure.get("status") == "True" else None


def _is_seen(deployment: Object) -> bool:
    """Whether the Deployment's status is about the Deployment as it is now."""
    seen: int = dig(deployment, "status", "observedGeneration", default=0)
    generation: int = dig(deployment, "metadata", "generation")
    return seen >= generation


def is_replaced(deployment: Object) -> bool:
    """Whether no pod of an older template is left, as far as the cluster counts those that are ending."""
    status = deployment.get("status") or {}
    ending = status.get("terminatingReplicas", 0)
    return _is_seen(deployment) and not ending and status.get("replicas", 0) == status.get("updatedReplicas", 0)


def is_rolled(deployment: Object) -> bool:
    """Whether there are as many pods as there are to be, all of the newest template and all of them available."""
    wanted = dig(deployment, "spec", "replicas", default=1)
    counts = ("updatedReplicas", "availableReplicas", "replicas")
    return _is_seen(deployment) and all(dig(deployment, "status", each, default=0) == wanted for each in counts)
