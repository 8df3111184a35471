"""Manifests, kind and Tilt: parsed and held against what they name, for neither kind nor Tilt runs in a test."""

import ast
import os
import re
import shutil
import subprocess
import tomllib

import pytest
import yaml

#: What Starlark does not have, as Python's parser calls it.
NOT_STARLARK = (
    ast.Import, ast.ImportFrom, ast.ClassDef, ast.AsyncFunctionDef, ast.Try, ast.Raise, ast.With, ast.While, ast.Global,
    ast.Yield, ast.Await, ast.JoinedStr, ast.Set, ast.SetComp, ast.GeneratorExp, ast.Delete, ast.Assert, ast.NamedExpr,
)  # fmt: skip
#: https://docs.tilt.dev/api.html, as far as we use it.
TILT = {
    "allow_k8s_contexts", "blob", "config", "helm", "http_get_action", "k8s_kind", "k8s_resource", "k8s_yaml",
    "local_resource", "probe",
}  # fmt: skip


@pytest.fixture(scope="module")
def tilt(root) -> ast.Module:
    return ast.parse((root / "Tiltfile").read_text(encoding="utf-8"))


def test_the_rendered_manifest_is_the_charts(root):
    if shutil.which("helm") is None:
        pytest.skip("helm is not on the PATH: whether manifests/install.yaml is current was not checked")
    made = subprocess.run([root / "manifests" / "render"], capture_output=True, text=True, check=True).stdout
    assert made == (root / "manifests" / "install.yaml").read_text(encoding="utf-8"), "run `make manifests`"


def test_the_rendered_manifest_needs_no_helm(root):
    text = (root / "manifests" / "install.yaml").read_text(encoding="utf-8")
    assert "helm" not in text.lower().replace("without helm", "")
    objects = list(yaml.safe_load_all(text))
    assert None not in objects
    assert ("Namespace", "cakegate-system") == (objects[0]["kind"], objects[0]["metadata"]["name"])
    assert {"CustomResourceDefinition", "Deployment", "ClusterRole", "ClusterRoleBinding", "Role"} <= {
        each["kind"] for each in objects
    }


def test_versions_agree(root):
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    chart = yaml.safe_load((root / "charts" / "cakegate" / "Chart.yaml").read_text(encoding="utf-8"))
    assert (project, project) == (chart["version"], chart["appVersion"])
    assert f"cakegate/cakegate:{project}" in (root / "compose.yaml").read_text(encoding="utf-8")
    assert f"ARG VERSION={project}" in (root / "Dockerfile").read_text(encoding="utf-8")


def test_kind_has_two_nodes_to_spread_over(root):
    cluster = yaml.safe_load((root / "manifests" / "kind.yaml").read_text(encoding="utf-8"))
    assert ("kind.x-k8s.io/v1alpha4", "Cluster", "cakegate") == (
        cluster["apiVersion"], cluster["kind"], cluster["name"],
    )  # fmt: skip
    assert ["control-plane", "worker"] == [node["role"] for node in cluster["nodes"]]


def test_the_tiltfile_is_starlark_and_calls_what_tilt_has(tilt):
    foreign = [type(node).__name__ for node in ast.walk(tilt) if isinstance(node, NOT_STARLARK)]
    assert [] == foreign
    own = {node.name for node in tilt.body if isinstance(node, ast.FunctionDef)}
    called = {
        node.func.value.id if isinstance(node.func, ast.Attribute) else node.func.id
        for node in ast.walk(tilt)
        if isinstance(node, ast.Call) and isinstance(getattr(node.func, "value", node.func), ast.Name)
    }
    assert called - own - {"chosen", "needed"} <= TILT


def test_what_the_tiltfile_names_is_there(root, tilt):
    texts = {node.value for node in ast.walk(tilt) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    paths = {
        text for text in texts if re.fullmatch(r"(Dockerfile|(src|operator|charts|manifests|requirements)/\S+)", text)
    }
    assert {"charts/cakegate", "manifests/samples/minimal.yaml", "src/cakegate", "operator/cakegate_operator"} < paths
    # The lock file of the image is written by `make lock`.
    assert [] == sorted(path for path in paths if not (root / path).exists() and not path.startswith("requirements/"))
    assert f"kind-{yaml.safe_load((root / 'manifests/kind.yaml').read_text(encoding='utf-8'))['name']}" in texts


@pytest.mark.parametrize("script", ["manifests/render", "manifests/dev/sync"])
def test_scripts_are_programs_that_a_shell_can_read(root, script):
    assert os.access(root / script, os.X_OK)
    subprocess.run(["sh", "-n", root / script], check=True)
