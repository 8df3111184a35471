"""The chart: what its values may be, and what it makes of them."""

import json
import re
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import yaml

#: Corners of the values, by what they are about.
CORNERS = {
    "as it comes": {},
    "everything on": {
        "imagePullSecrets": [{"name": "registry"}],
        "podAnnotations": {"a": "b"},
        "podLabels": {"team": "cakes"},
        "nodeSelector": {"disk": "fast"},
        "tolerations": [{"operator": "Exists"}],
        "affinity": {"nodeAffinity": {}},
        "topologySpreadConstraints": [
            {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway", "labelSelector": {}}
        ],
        "priorityClassName": "high",
        "extraEnv": [{"name": "HTTPS_PROXY", "value": "http://proxy.example:3128"}],
        "serviceAccount": {"annotations": {"cloud.example/role": "operator"}},
        "defaults": {
            "repository": "registry.example/cakegate",
            "version": "1.2.3",
            "pullSecrets": ["one", "two"],
            "monitorLabels": {"release": "kps", "a": "b"},
            "ruleLabels": {"release": "kps"},
            "runbookUrl": "https://wiki.example/{alert}/page",
        },
        "metrics": {
            "serviceAnnotations": {"a": "b"},
            "serviceMonitor": {"enabled": True, "labels": {"release": "kps"}},
            "prometheusRule": {"enabled": True, "labels": {"release": "kps"}},
            "dashboard": {"enabled": True, "annotations": {"folder": "Cakes"}},
        },
        "networkPolicy": {"enabled": True},
    },
    "two namespaces": {"watchNamespaces": ["north", "south"]},
    "no rights": {"rbac": {"create": False}},
    "no people": {"rbac": {"aggregate": False}},
    "no definition": {"crds": {"enabled": False}},
    "a definition that goes": {"crds": {"keep": False}},
    "by digest": {"image": {"digest": "sha256:" + 64 * "a"}},
    "one replica": {"replicas": 1},
    "no budget": {"podDisruptionBudget": {"enabled": False}},
    "somebody else's account": {"serviceAccount": {"create": False, "name": "theirs"}},
    "another name": {"fullnameOverride": "baker"},
}


@pytest.fixture(scope="module")
def chart(root) -> Path:
    return root / "charts" / "cakegate"


@pytest.fixture(scope="module")
def values(chart) -> dict:
    return yaml.safe_load((chart / "values.yaml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def schema(chart) -> dict:
    return json.loads((chart / "values.schema.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def rendered(helm, chart, tmp_path_factory):
    """The objects that some values give, by kind and name; each corner is rendered once."""
    folder, known = tmp_path_factory.mktemp("values"), {}

    def render(name: str) -> dict[str, dict]:
        if name not in known:
            path = folder / "values.yaml"
            path.write_text(json.dumps(CORNERS[name]), encoding="utf-8")
            done = helm("template", "cakegate", str(chart), "--namespace", "ovens", "--values", str(path))
            assert "" == done.stderr
            objects = [each for each in yaml.safe_load_all(done.stdout) if each]
            known[name] = {key(each): each for each in objects}
            assert len(objects) == len(known[name])
        return known[name]

    return render


def key(body: dict) -> str:
    where = body["metadata"].get("namespace")
    return f"{body['kind']}/{where + '/' if where else ''}{body['metadata']['name']}"


def test_every_value_is_described_and_every_description_has_a_value(values, schema):
    def compare(found: dict, described: dict, path: str) -> None:
        assert described.get("additionalProperties") is False, path
        names = set(described["properties"]) - {"global"}
        assert set(found) == names, path
        for name in names:
            inner = described["properties"][name]
            assert "description" in inner, f"{path}.{name}"
            if "properties" in inner:
                compare(found[name], inner, f"{path}.{name}")

    compare(values, schema, "values")


def test_a_template_makes_one_object(chart):
    for path in sorted(chart.glob("templates/**/*.yaml")):
        text = path.read_text(encoding="utf-8")
        assert 1 == len(re.findall(r"^kind: |files/crd\.yaml", text, re.MULTILINE)), path.name


def test_helm_finds_nothing_to_complain_of(helm, chart):
    done = helm("lint", "--strict", str(chart))
    assert 0 == done.returncode, done.stdout


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        ("unknown=1", "additional properties 'unknown' not allowed"),
        ("image.tags=x", "additional properties 'tags' not allowed"),
        ("replicas=9", "maximum"),
        ("crds.keep=perhaps", "want boolean"),
        ("defaults.runbookUrl=https://wiki.example/", "pattern"),
        ("watchNamespaces={Not_a_name}", "pattern"),
    ],
)
def test_a_wrong_value_is_refused_by_name(helm, chart, value, complaint):
    done = helm("template", "cakegate", str(chart), "--set", value)
    assert 0 != done.returncode
    assert complaint in done.stderr


@pytest.fixture
def late_operator():
    """A port at which nothing is answered at first, and then, as an operator does, its metrics."""
    metrics = b'cakegate_operator_build_info{version="1.2.3"} 1\n'
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            listening.accept()[0].close()
            connection, _ = listening.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(b"HTTP/1.0 200 OK\r\n\r\n" + metrics)

        serving = threading.Thread(target=serve, daemon=True)
        serving.start()
        yield listening.getsockname()[1]
        serving.join(timeout=10)
        assert not serving.is_alive()


def test_the_release_is_tested_though_its_operator_has_only_just_begun(rendered, late_operator):
    (container,) = rendered("as it comes")["Pod/ovens/cakegate-operator-test"]["spec"]["containers"]
    program = container["args"][0]
    address = "cakegate-operator-metrics.ovens:9100"
    assert address in program
    program = program.replace(address, f"127.0.0.1:{late_operator}")
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=30, env={}
    )
    assert (0, 'cakegate_operator_build_info{version="1.2.3"} 1\n') == (done.returncode, done.stdout)


@pytest.mark.parametrize("corner", CORNERS)
def test_every_pod_meets_the_restricted_standard(rendered, corner):
    pods = [
        body["spec"]["template"]["spec"] if body["kind"] == "Deployment" else body["spec"]
        for body in rendered(corner).values()
        if body["kind"] in {"Deployment", "Pod"}
    ]
    assert 2 == len(pods)
    for pod in pods:
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert "RuntimeDefault" == pod["securityContext"]["seccompProfile"]["type"]
        assert pod["enableServiceLinks"] is False
        for container in pod["containers"]:
            security = container["securityContext"]
            assert security["allowPrivilegeEscalation"] is False
            assert security["readOnlyRootFilesystem"] is True
            assert {"drop": ["ALL"]} == security["capabilities"]
            assert container["resources"]["limits"]["memory"]


@pytest.mark.parametrize("corner", CORNERS)
def test_all_objects_have_the_usual_labels_and_selectors_never_a_version(rendered, corner):
    for name, body in rendered(corner).items():
        assert "cakegate-operator" == body["metadata"]["labels"]["app.kubernetes.io/name"], name
        selector = (body.get("spec") or {}).get("selector") or {}
        assert not [label for label in str(selector).split("'") if label.endswith("/version")], name


def test_what_uninstalling_keeps_is_said_in_the_definition(rendered, chart):
    name = "CustomResourceDefinition/cakebakeries.cakegate.dev"
    kept, gone = rendered("as it comes")[name], rendered("a definition that goes")[name]
    assert "keep" == kept["metadata"]["annotations"]["helm.sh/resource-policy"]
    assert "annotations" not in gone["metadata"]
    generated = yaml.safe_load((chart / "files" / "crd.yaml").read_text(encoding="utf-8"))
    assert generated["spec"] == kept["spec"]
    assert name not in rendered("no definition")


def test_cluster_wide_it_has_one_role_and_namespaced_one_in_each(rendered):
    wide, narrow = rendered("as it comes"), rendered("two namespaces")
    assert "ClusterRole/cakegate-operator" in wide
    assert {"Role/north/cakegate-operator", "Role/south/cakegate-operator"} < narrow.keys()
    assert {"RoleBinding/north/cakegate-operator", "RoleBinding/south/cakegate-operator"} < narrow.keys()
    assert not {"ClusterRole/cakegate-operator", "ClusterRoleBinding/cakegate-operator"} & narrow.keys()
    # What it may not do in any mode: list or watch Secrets, or change one that is there.
    for body in (wide["ClusterRole/cakegate-operator"], narrow["Role/north/cakegate-operator"]):
        verbs = [rule["verbs"] for rule in body["rules"] if "secrets" in rule["resources"]]
        assert [["get", "create"]] == verbs
    assert not [name for name in rendered("no rights") if "Role" in name]


def test_roles_are_bound_to_the_account_that_runs_it(rendered):
    for corner, account in (("as it comes", "cakegate-operator"), ("somebody else's account", "theirs")):
        found = rendered(corner)
        bound = [body["subjects"] for body in found.values() if body["kind"].endswith("RoleBinding")]
        assert 2 == len(bound)
        for subjects in bound:
            assert [{"kind": "ServiceAccount", "name": account, "namespace": "ovens"}] == subjects
        deployment = found["Deployment/ovens/cakegate-operator"]
        assert account == deployment["spec"]["template"]["spec"]["serviceAccountName"]


def test_a_single_operator_has_no_budget_that_would_hold_up_a_drain(rendered):
    name = "PodDisruptionBudget/ovens/cakegate-operator"
    assert name in rendered("as it comes")
    assert name not in rendered("one replica")
    assert name not in rendered("no budget")


def test_the_image_is_the_charts_version_or_the_digest(rendered, chart):
    version = yaml.safe_load((chart / "Chart.yaml").read_text(encoding="utf-8"))["appVersion"]

    def image(corner: str) -> str:
        return rendered(corner)["Deployment/ovens/cakegate-operator"]["spec"]["template"]["spec"]["containers"][0][
            "image"
        ]

    assert f"ghcr.io/cakegate/cakegate:{version}" == image("as it comes")
    assert f"ghcr.io/cakegate/cakegate@sha256:{64 * 'a'}" == image("by digest")


def test_monitoring_is_off_until_it_is_asked_for(rendered):
    kinds = {body["kind"] for body in rendered("as it comes").values()}
    assert not {"ServiceMonitor", "PrometheusRule", "ConfigMap", "NetworkPolicy"} & kinds
    found = rendered("everything on")
    monitor = found["ServiceMonitor/ovens/cakegate-operator"]
    assert "kps" == monitor["metadata"]["labels"]["release"]
    assert "NetworkPolicy/ovens/cakegate-operator" in found
