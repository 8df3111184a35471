"""When an apply is skipped: against what the API server makes of objects, and what it says of whose they are."""

import copy

from cakegate_operator import names, owned

WANTED = owned.stamped(
    {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "demo", "namespace": "default", "labels": {"a": "b"}},
        "spec": {
            "type": "ClusterIP",
            "selector": {"app": "x"},
            "loadBalancerSourceRanges": [],
            "ports": [{"name": "http", "port": 80, "targetPort": "http"}],
        },
    }
)
FIELDS = {
    "f:metadata": {"f:labels": {"f:a": {}}, "f:annotations": {f"f:{owned.APPLIED}": {}}},
    "f:spec": {
        "f:type": {},
        "f:selector": {},
        "f:ports": {'k:{"port":80,"protocol":"TCP"}': {".": {}, "f:name": {}, "f:port": {}, "f:targetPort": {}}},
    },
}


def live(change=lambda _live, _fields: None):
    """As the API server has it: with defaults, without what was empty, and with who owns what."""
    found, fields = copy.deepcopy(WANTED), copy.deepcopy(FIELDS)
    del found["spec"]["loadBalancerSourceRanges"]
    found["spec"]["ports"][0]["protocol"] = "TCP"
    found["spec"]["clusterIP"] = "10.0.0.1"
    change(found, fields)
    entry = {"manager": names.FIELD_MANAGER, "operation": "Apply", "fieldsV1": fields}
    found["metadata"]["managedFields"] = [entry]
    return found


def test_what_is_as_it_was_applied_stands():
    assert owned.stands(WANTED, live())


def test_what_others_added_changes_nothing():
    assert owned.stands(WANTED, live(lambda found, _: found["metadata"]["labels"].update(team="cakes")))


def test_a_field_that_somebody_took_does_not_stand():
    assert not owned.stands(WANTED, live(lambda _, fields: fields["f:spec"].pop("f:type")))
    taken = live(lambda _, fields: next(iter(fields["f:spec"]["f:ports"].values())).pop("f:targetPort"))
    assert not owned.stands(WANTED, taken)


def test_a_field_that_somebody_removed_does_not_stand():
    def remove(found, fields):
        del found["spec"]["selector"]
        del fields["f:spec"]["f:selector"]

    assert not owned.stands(WANTED, live(remove))


def test_an_item_that_somebody_removed_does_not_stand():
    def remove(found, fields):
        found["spec"]["ports"] = []
        del fields["f:spec"]["f:ports"]

    assert not owned.stands(WANTED, live(remove))


def test_what_is_wanted_otherwise_does_not_stand():
    other = copy.deepcopy(WANTED)
    other["spec"]["type"] = "NodePort"
    del other["metadata"]["annotations"]
    assert not owned.stands(owned.stamped(other), live())
