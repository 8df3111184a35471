"""Pods die at the worst moment: nothing accepted is lost, and the bakery comes back by itself."""

import time

import pytest
from bakeries import PROCESSES, seeds
from kube import until

SUBMISSIONS = 30


def kill(namespace, *pods: str) -> None:
    """At once, as when a node dies: nobody is asked to end."""
    namespace.kubectl("delete", "pod", *pods, "--grace-period=0", "--force", "--wait=false")


@pytest.mark.parametrize("victim", ["worker", "writer", "scheduler", "postgres", "redis"])
def test_nothing_accepted_is_lost_when_pods_are_killed_under_load(calm, step, victim):
    with calm.trouble(picture_latency_seconds=1), calm.api() as api:
        places = api.accept(f"draw_cake-{seeds('cake')[0]}.jpg", SUBMISSIONS)
        kill(calm.namespace, *(pod["metadata"]["name"] for pod in calm.pods(victim)))
        with step(f"all ended, {victim} killed"):
            states = api.ends(places, within=300)
    with step("Ready again"):
        calm.ready()
    assert ["created"] * SUBMISSIONS == states


def test_the_api_answers_on_while_one_of_two_gateways_dies(calm):
    gateways = [pod["metadata"]["name"] for pod in calm.pods("gateway")]
    assert 2 == len(gateways)
    kill(calm.namespace, gateways[0])
    with calm.api() as api:
        assert 200 == api.client.get("/api/cakes").status_code
    until("two again", lambda: len(calm.pods("gateway")) == 2, seconds=60)
    calm.ready()


def test_another_operator_takes_over_when_the_leader_dies(operator, calm, step):
    first = operator.led()
    with step("another leads"):
        kill(operator.namespace, first)
        second = until("another leads", lambda: (found := operator.leader()) != first and found, seconds=60)
    assert first != second
    calm.namespace.delete("service", "demo-writer-metrics")
    with step("and mends"):
        until("the Service is back", lambda: calm.namespace.get("service", "demo-writer-metrics"), seconds=60)


def test_an_operator_that_dies_in_the_middle_of_a_rollout_is_replaced_by_one_that_ends_it(operator, calm, step):
    before = calm.started()
    with step("ended by the other"):
        calm.annotate(**{"kubectl.kubernetes.io/restartedAt": str(time.time_ns())})
        until("it has begun", lambda: calm.started() != before, seconds=60)
        kill(operator.namespace, operator.leader())
        until("all pods are new", lambda: not {*before} & {*calm.started()}, seconds=180)
        calm.ready()


def test_a_bakery_needs_no_operator_to_serve(operator, calm):
    before = calm.started()
    with operator.down(), calm.api() as api:
        assert 201 == api.submit(f"draw_cake-{seeds('cake')[0]}.jpg").status_code
    calm.ready()
    assert before == calm.started(*PROCESSES)
