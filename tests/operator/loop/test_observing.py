"""What is said of pods that do not run, in the kubelet's words or their own."""

import pytest

from cakegate_operator import complaints

WAITING = {"reason": "ErrImagePull", "message": "no such image"}
ENDED = {"exitCode": 2, "reason": "Error", "message": "starting\ncakegate: CAKEGATE_DATABASE_URL: no such host\n"}
SAID = "pod demo-1: migrate ended with 2: cakegate: CAKEGATE_DATABASE_URL: no such host"
UNSCHEDULED = {"type": "PodScheduled", "status": "False", "message": "0/3 nodes are available"}


def pod(**status):
    return {"metadata": {"name": "demo-1"}, "status": status}


def container(**states):
    return {"containerStatuses": [{"name": "migrate", **states}]}


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ({"conditions": [UNSCHEDULED]}, "pod demo-1: 0/3 nodes are available"),
        (container(state={"waiting": WAITING}), "pod demo-1: ErrImagePull: no such image"),
        (
            container(state={"terminated": ENDED}),
            SAID,
        ),
        (
            container(state={"waiting": {"reason": "CrashLoopBackOff"}}, lastState={"terminated": ENDED}),
            SAID,
        ),
        (
            container(state={"terminated": {"exitCode": 137, "reason": "OOMKilled"}}),
            "pod demo-1: migrate ended with 137: OOMKilled",
        ),
        (container(state={"waiting": {"reason": "ContainerCreating"}}), None),
        (container(state={"running": {}}), None),
        (container(ready=True, state={"running": {}}, lastState={"terminated": ENDED}), None),
        (container(ready=False, state={"running": {}}, lastState={"terminated": ENDED}), SAID),
        ({}, None),
    ],
)
def test_a_pods_complaint_is_one_line(status, words):
    assert words == complaints._complaint(pod(**status))


def test_a_pod_that_is_told_to_end_has_no_say():
    ending = pod(**container(state={"terminated": ENDED}))
    ending["metadata"]["deletionTimestamp"] = "now"
    assert complaints._complaint(ending) is None
