"""What the builders make, corners included: taken strictly, the same when applied again, and pods within `restricted`.

Objects of optional APIs are left out here: other tests let those APIs come and go.
"""

import copy
import sys
from pathlib import Path

import pytest
from api_client import Admin, Refused, _path

sys.path.insert(0, str(Path(__file__).parents[1] / "builders"))

import cases

from cakegate_operator import inputs

pytestmark = pytest.mark.apiserver

OPTIONAL_GROUPS = {api.api_version for api in inputs.OPTIONAL}


@pytest.mark.parametrize("case", cases.CASES, ids=lambda case: case.name)
async def test_each_object_is_taken_once(admin: Admin, namespace: str, case: cases.Case) -> None:
    made = [each for each in cases.objects(cases.case_inputs(case)) if each["apiVersion"] not in OPTIONAL_GROUPS]
    changed_again = []
    for each in made:
        body = copy.deepcopy(each)
        body["metadata"] = {**body["metadata"], "namespace": namespace}
        first, second = [await applied(admin, body) for _ in range(2)]
        if first["metadata"]["resourceVersion"] != second["metadata"]["resourceVersion"]:
            changed_again.append((each["kind"], each["metadata"]["name"]))
    # A claim is only ever created.
    assert [] == [each for each in changed_again if each[0] != "PersistentVolumeClaim"]


async def applied(admin: Admin, body: dict) -> dict:
    return await admin.ask(
        "PATCH",
        f"{_path(body)}/{body['metadata']['name']}",
        body=body,
        content_type="application/apply-patch+yaml",
        query_params=[("fieldManager", "cakegate-operator"), ("fieldValidation", "Strict"), ("force", "true")],
    )


@pytest.mark.parametrize("case", cases.CASES, ids=lambda case: case.name)
async def test_each_pod_is_admitted_where_restricted_is_enforced(
    admin: Admin, namespace: str, case: cases.Case
) -> None:
    await restrict(admin, namespace)
    for where, template in cases.pod_specs(cases.objects(cases.case_inputs(case))).items():
        spec = copy.deepcopy(template["spec"])
        # Its class would have to be there, and the claim of a StatefulSet is added by its controller.
        spec.pop("priorityClassName", None)
        if where.startswith("StatefulSet"):
            spec["volumes"].append({"name": "data", "persistentVolumeClaim": {"claimName": "data"}})
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "one", "labels": template["metadata"]["labels"]}}
        await admit(admin, namespace, {**pod, "spec": spec})


async def test_a_pod_that_may_do_more_is_not_admitted_there(admin: Admin, namespace: str) -> None:
    """Else the test above would show nothing."""
    await restrict(admin, namespace)
    spec = {"containers": [{"name": "one", "image": "docker.io/library/busybox:1"}]}
    with pytest.raises(Refused, match="violates PodSecurity"):
        await admit(admin, namespace, {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "one"}, "spec": spec})


async def restrict(admin: Admin, namespace: str) -> None:
    label = {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}}
    await admin.ask("PATCH", f"/api/v1/namespaces/{namespace}", body=label, content_type="application/merge-patch+json")


async def admit(admin: Admin, namespace: str, pod: dict) -> None:
    strictly = [("dryRun", "All"), ("fieldValidation", "Strict")]
    await admin.ask("POST", f"/api/v1/namespaces/{namespace}/pods", body=pod, query_params=strictly)
