"""Every rule of the definition takes what it should and refuses what it should, with a word that names the field."""

import pytest
from api_client import Refused, bakery

from cakegate_operator import crd
from cakegate_operator.kinds import BAKERY

pytestmark = pytest.mark.apiserver

_KEY = {"name": "n", "key": "k"}

ACCEPTED = {
    "minimal": {"upstream": {"url": "https://legacy.example"}},
    "sample": {"upstream": {"sample": {}}},
    "fixed": {"gateway": {"replicas": 3}, "worker": {"replicas": 2}},
    "autoscaled": {"gateway": {"autoscaling": {"maxReplicas": 4}}, "worker": {"autoscaling": {"provider": "CPU"}}},
    "external": {"database": {"urlSecretRef": _KEY}, "redis": {"urlSecretRef": _KEY}},
    "cnpg": {"database": {"cloudNativePG": {"instances": 1}}},
    "metric": {"worker": {"autoscaling": {"provider": "ExternalMetric", "externalMetric": {"name": "m"}}}},
    "route": {"exposure": {"type": "HTTPRoute", "httpRoute": {"parentRefs": [{"name": "public"}]}}},
    "settings": {"settings": {"CAKEGATE_GATEWAY_WAIT_SECONDS": "3"}},
    "shadow": {
        "detector": {"shadow": {"volume": {"claimName": "packs"}, "share": 0}, "reviewBand": 0, "sampleShare": 1}
    },
    "quantities": {
        "gateway": {
            "resources": {
                "requests": {"cpu": 1, "memory": "1.5Gi", "ephemeral-storage": "+1e3", "hugepages-2Mi": "4Mi"},
                "limits": {"cpu": 0.5, "memory": ".5G", "example.org/oven": "2"},
                "claims": [{"name": "oven"}],
            }
        }
    },
    "no quantities": {"worker": {"resources": {}}, "writer": {"resources": {"limits": {}}}},
    **{
        f"schedule {schedule}": {"database": {"managed": {"dumps": {"schedule": schedule}}}}
        for schedule in (
            "17 2 * * *",
            "*/15 0-6,22-23 ? JAN-mar,12 MON-Fri",
            "  5/10  04 1,15 * 0 ",
            "*,1-59/2 * 31 12 6",
            "@daily",
            "@every 1h30m",
        )
    },
    "pack": {"detector": {"pack": {"volume": {"claimName": "packs"}}, "thresholds": {"accept": 0.9, "review": 0.2}}},
}
REFUSED = {
    "no shadow": ({"detector": {"shadow": {"share": 0.5}}}, "detector.shadow: exactly one of volume, download"),
    "two shadows": (
        {"detector": {"shadow": {"volume": {"claimName": "a"}, "download": {"url": "https://x", "sha256": "a" * 64}}}},
        "detector.shadow: exactly one of volume, download",
    ),
    "share": ({"detector": {"sampleShare": 1.5}}, "spec.detector.sampleShare"),
    "band": ({"detector": {"reviewBand": -1}}, "spec.detector.reviewBand"),
    "no upstream": ({"upstream": {}}, "exactly one of url, sample"),
    "two upstreams": ({"upstream": {"url": "https://x", "sample": {}}}, "exactly one of url, sample"),
    "url": ({"upstream": {"url": "ftp://x"}}, "spec.upstream.url"),
    "both numbers of gateways": ({"gateway": {"replicas": 1, "autoscaling": {}}}, "exclude each other"),
    "both numbers of workers": ({"worker": {"replicas": 1, "autoscaling": {}}}, "exclude each other"),
    "gateways upside down": (
        {"gateway": {"autoscaling": {"minReplicas": 3, "maxReplicas": 2}}},
        "minReplicas must not be above maxReplicas",
    ),
    "workers upside down": (
        {"worker": {"autoscaling": {"minReplicas": 3, "maxReplicas": 2}}},
        "minReplicas must not be above maxReplicas",
    ),
    "metric without its provider": (
        {"worker": {"autoscaling": {"externalMetric": {"name": "m"}}}},
        "externalMetric goes with provider ExternalMetric alone",
    ),
    "budget": (
        {"gateway": {"podDisruptionBudget": {"minAvailable": 1, "maxUnavailable": 1}}},
        "exactly one of minAvailable, maxUnavailable",
    ),
    "two databases": ({"database": {"managed": {}, "urlSecretRef": _KEY}}, "exactly one of managed"),
    "no database": ({"database": {}}, "exactly one of managed"),
    "two redis": ({"redis": {"managed": {}, "urlSecretRef": _KEY}}, "exactly one of managed"),
    "no pack": ({"detector": {"pack": {}}}, "exactly one of volume, download"),
    "thresholds": ({"detector": {"thresholds": {"accept": 0.2, "review": 0.9}}}, "review must not be above accept"),
    "ingress": ({"exposure": {"type": "Ingress"}}, "type Ingress needs the block ingress"),
    "route": ({"exposure": {"type": "HTTPRoute"}}, "type HTTPRoute needs the block httpRoute"),
    "setting's name": ({"settings": {"PATH": "/"}}, "every name must begin with CAKEGATE_"),
    "setting of an address": ({"settings": {"CAKEGATE_DATABASE_URL": "x"}}, "set by the fields made for them"),
    "unknown field": ({"worker": {"replica": 2}}, 'unknown field "spec.worker.replica"'),
    "type": ({"writer": {"replicas": "many"}}, "spec.writer.replicas"),
    "range": ({"writer": {"replicas": 0}}, "spec.writer.replicas"),
    "digest": ({"image": {"digest": "latest"}}, "spec.image.digest"),
    "size": ({"database": {"managed": {"storage": {"size": "large"}}}}, "spec.database.managed.storage.size"),
    "major": ({"database": {"managed": {"major": 14}}}, "spec.database.managed.major"),
    "sha256": ({"detector": {"pack": {"download": {"url": "https://x", "sha256": "0"}}}}, "sha256"),
    "cidr": ({"networkPolicy": {"clusterCIDRs": ["everything"]}}, "spec.networkPolicy.clusterCIDRs"),
    "quantity": (
        {"gateway": {"resources": {"requests": {"cpu": "lots"}}}},
        "spec.gateway.resources.requests.cpu: Invalid value",
    ),
    "negative quantity": (
        {"redis": {"managed": {"resources": {"limits": {"memory": "-1Gi"}}}}},
        "spec.redis.managed.resources.limits.memory: Invalid value",
    ),
    **{
        f"schedule {schedule}": (
            {"database": {"managed": {"dumps": {"schedule": schedule}}}},
            "database.managed.dumps.schedule: must be in cron's notation",
        )
        for schedule in (
            "every night",
            "",
            "* * * *",
            "* * * * * *",
            "60 2 * * *",
            "0 24 * * *",
            "0 2 * * 7",
            "@nightly",
        )
    },
    "a Secret of another namespace": (
        {"upstream": {"url": "https://x", "credentialsSecretRef": {"name": "../../other/secrets/n", "key": "k"}}},
        "spec.upstream.credentialsSecretRef.name",
    ),
    "a Secret's key": ({"redis": {"urlSecretRef": {"name": "n", "key": "a/b"}}}, "spec.redis.urlSecretRef.key"),
    "cidr of another form": ({"networkPolicy": {"clusterCIDRs": ["1.2.3.4.5/8"]}}, "every one must be a CIDR"),
}
NAMED = "metadata.name: must be lower-case letters, digits and hyphens, begin with a letter"
CHANGES = {
    "variant of database": ({}, {"database": {"managed": None, "urlSecretRef": _KEY}}, "variant cannot be changed"),
    "variant of redis": ({}, {"redis": {"managed": None, "urlSecretRef": _KEY}}, "variant cannot be changed"),
    "major": ({}, {"database": {"managed": {"major": 18}}}, "major cannot be changed in place"),
    "storage": ({}, {"database": {"managed": {"storage": {"size": "20Gi"}}}}, "storage cannot be changed in place"),
    "storage of the sample": ({}, {"upstream": {"sample": {"size": "2Gi"}}}, "upstream.sample.size cannot be changed"),
    "storage of redis": ({}, {"redis": {"managed": {"storage": {"size": "20Gi"}}}}, "storage cannot be changed"),
}


@pytest.mark.parametrize("name", ACCEPTED)
async def test_it_takes_what_is_right(admin, namespace, name):
    spec = {"upstream": {"sample": {}}, **ACCEPTED[name]}
    made = await admin.create(bakery(namespace, spec))
    assert ("managed" in made["spec"]["database"]) == ("managed" in spec.get("database", {"managed": {}}))


@pytest.mark.parametrize("name", REFUSED)
async def test_it_refuses_what_is_wrong_and_names_it(admin, namespace, name):
    part, words = REFUSED[name]
    with pytest.raises(Refused) as refused:
        await admin.create(bakery(namespace, {"upstream": {"sample": {}}, **part}))
    assert words in str(refused.value)


@pytest.mark.parametrize("name", CHANGES)
async def test_it_refuses_changes_that_cannot_be_made_in_place(admin, namespace, name):
    before, change, words = CHANGES[name]
    await admin.create(bakery(namespace, {"upstream": {"sample": {}}, **before}))
    with pytest.raises(Refused) as refused:
        await admin.merge(BAKERY, namespace, "demo", {"spec": change})
    assert words in str(refused.value)


def test_columns_show_the_version_that_runs_and_the_one_that_is_to_run():
    """The second in `-o wide` alone."""
    columns = {each["name"]: each for each in crd.definition()["spec"]["versions"][0]["additionalPrinterColumns"]}
    assert (".status.lastSuccessfulVersion", 0) == (
        columns["Version"]["jsonPath"],
        columns["Version"].get("priority", 0),
    )
    assert (".status.targetVersion", 1) == (columns["Target"]["jsonPath"], columns["Target"]["priority"])


@pytest.mark.parametrize("name", ["9lives", "a" * 41, "two.parts"])
async def test_a_name_of_which_no_childs_name_could_be_made_is_refused(admin, namespace, name):
    with pytest.raises(Refused) as refused:
        await admin.create(bakery(namespace, name=name))
    assert NAMED in str(refused.value)


def test_every_rule_of_the_definition_is_tried():
    rules = {rule["message"] for rule in _rules(crd.definition())}
    words = [words for _, words in REFUSED.values()] + [words for *_, words in CHANGES.values()] + [NAMED]
    assert [] == sorted(rule for rule in rules if not any(said in rule for said in words))


def _rules(schema):
    if isinstance(schema, dict):
        yield from schema.get("x-kubernetes-validations", ())
        for inner in schema.values():
            yield from _rules(inner)
    elif isinstance(schema, list):
        for inner in schema:
            yield from _rules(inner)
