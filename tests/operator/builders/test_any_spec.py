"""What holds of whatever a valid resource makes."""

import re

import cases
import msgspec
import specs
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cakegate_operator import bakery, build, inputs, names
from cakegate_operator.build import credentials
from cakegate_operator.inputs import Inputs, Object

LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
#: What Kubernetes puts behind a name must fit too: a hash in a StatefulSet's pods' label, minutes in a Job's name.
SHORTER = {"StatefulSet": 52, "CronJob": 52, "Service": 63, "Job": 63}
APIS = st.frozensets(st.sampled_from(inputs.OPTIONAL))

many = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


@st.composite
def any_inputs(draw: st.DrawFn) -> Inputs:
    made = bakery.Bakery(
        name=draw(specs.NAMES), namespace="shop", uid="uid-1", generation=1, spec=draw(specs.SPECS),
        annotations=draw(st.sampled_from([{}, {names.RESTARTED_AT: "2026-01-02T03:04:05Z"}])),
    )  # fmt: skip
    apis = draw(APIS)
    return cases.given(made, apis=apis, unknown_apis=draw(APIS) - apis)


@many
@given(any_inputs())
def test_whatever_is_valid_builds_and_keeps_the_rules(made: Inputs) -> None:
    found = cases.objects(made)
    check_names(found)
    check_ownership(made, found)
    check_selectors(found)
    for where, template in cases.pod_specs(found).items():
        check_restricted(where, template["spec"])
        check_mounts(where, template["spec"])
    assert found == cases.objects(msgspec.convert(msgspec.to_builtins(made, str_keys=False), Inputs, str_keys=False))


def check_names(found: list[Object]) -> None:
    refs = [(each["kind"], each["metadata"]["name"]) for each in found]
    assert len(set(refs)) == len(refs)
    for kind, name in refs:
        assert LABEL.fullmatch(name), (kind, name)
        assert len(name) <= SHORTER.get(kind, 253), (kind, name)


def check_ownership(made: Inputs, found: list[Object]) -> None:
    for each in found:
        metadata, component = each["metadata"], each["metadata"]["labels"][names.COMPONENT]
        expected = names.labels(made.bakery.name, component)
        assert expected == {name: metadata["labels"].get(name) for name in expected}, each
        owners = [owner["uid"] for owner in metadata.get("ownerReferences", [])]
        free = names.KEPT in metadata["labels"] or each["kind"] == "Cluster"
        assert owners == [made.bakery.uid] or (free and owners == []), each
        assert metadata["namespace"] == made.bakery.namespace


def check_selectors(found: list[Object]) -> None:
    for each in found:
        if each["kind"] in {"Deployment", "StatefulSet", "PodDisruptionBudget", "NetworkPolicy", "Service"}:
            spec = each["spec"]
            selector = spec["podSelector"] if each["kind"] == "NetworkPolicy" else spec["selector"]
            labels = selector.get("matchLabels", selector)
            assert {names.APP, names.INSTANCE, names.COMPONENT} == set(labels), each
            if "template" in spec:
                assert labels.items() <= spec["template"]["metadata"]["labels"].items()


def check_restricted(where: str, spec: Object) -> None:
    """Pod Security Standards, `restricted`, and what we promise above it."""
    assert not {"hostNetwork", "hostPID", "hostIPC", "serviceAccountName"} & set(spec), where
    assert {"emptyDir", "secret", "persistentVolumeClaim"} >= {
        kind for volume in spec["volumes"] for kind in volume if kind != "name"
    }
    assert spec["automountServiceAccountToken"] is False
    assert spec["enableServiceLinks"] is False
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["runAsUser"] > 0
    for container in [*spec["containers"], *spec.get("initContainers", [])]:
        context = container["securityContext"]
        assert context["allowPrivilegeEscalation"] is False
        assert context["readOnlyRootFilesystem"] is True
        assert context["runAsNonRoot"] is True
        assert context["capabilities"] == {"drop": ["ALL"]}
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}
        assert not any("hostPort" in port for port in container.get("ports", []))
        assert container["resources"]


def check_mounts(where: str, spec: Object) -> None:
    volumes = {volume["name"] for volume in spec["volumes"]} | {"data"}
    for container in [*spec["containers"], *spec.get("initContainers", [])]:
        paths = [mount["mountPath"] for mount in container["volumeMounts"]]
        variables = [entry["name"] for entry in container.get("env", [])]
        assert {mount["name"] for mount in container["volumeMounts"]} <= volumes, where
        assert len(set(paths)) == len(paths), where
        assert len(set(variables)) == len(variables), where


@many
@given(any_inputs())
def test_replicas_are_said_exactly_where_no_autoscaler_decides(made: Inputs) -> None:
    found = cases.objects(made)
    scaled = [
        each["spec"]["scaleTargetRef"]["name"]
        for each in found
        if each["kind"] in {"HorizontalPodAutoscaler", "ScaledObject"}
    ]
    assert len(set(scaled)) == len(scaled), "two autoscalers for one Deployment"
    open_numbers = {
        each["metadata"]["name"] for each in found if each["kind"] == "Deployment" and "replicas" not in each["spec"]
    }
    worker = names.child(made.bakery.name, names.WORKER)
    undecided = {worker} if build.kept(made) >= {build.Ref("keda.sh/v1alpha1", "ScaledObject", worker)} else set()
    assert open_numbers >= set(scaled)
    assert open_numbers <= set(scaled) | undecided


@many
@given(any_inputs())
def test_what_must_be_gone_or_stay_is_never_what_is_wanted(made: Inputs) -> None:
    wanted = {build.ref(each) for each in cases.objects(made)}
    assert not build.rivals(made) & wanted
    assert not build.kept(made) & wanted
    assert not build.kept(made) & build.rivals(made)


@many
@given(any_inputs())
def test_references_do_not_depend_on_what_is_in_the_secrets(made: Inputs) -> None:
    blind = msgspec.structs.replace(made, facts=msgspec.structs.replace(made.facts, secrets={}))
    assert build.references(blind) == build.references(made)


@many
@given(any_inputs())
def test_kept_secrets_have_names_of_their_own_and_no_value(made: Inputs) -> None:
    wanted = credentials.wanted(made)
    assert len({each.name for each in wanted}) == len(wanted)
    for each in wanted:
        assert "data" not in each.secret
        assert names.KEPT in each.secret["metadata"]["labels"]
    ours = {each.name for each in wanted}
    referred = {key.name for key in build.references(made)}
    assert ours <= referred
