"""Who gets which secrets and settings, and what restarts whom."""

import ast
from typing import Any

import cases
import msgspec
import pytest

from cakegate import settings
from cakegate_operator import names
from cakegate_operator.build import credentials, migration, pods, variables, worker

# Secrets


def test_each_process_gets_its_secrets_and_no_others() -> None:
    found = cases.built(cases.ALL_SECRETS)
    secrets = {component: pods.references(each) for component, each in cases.templates(found).items()}
    shared = [("db", "ca"), ("db", "url"), ("redis", "ca"), ("redis", "url")]
    upstream = [("legacy", "ca"), ("legacy", "headers"), ("legacy", "token")]
    pictures = [("pictures", "url")]
    expected = {
        "gateway": sorted(shared + upstream + pictures),
        "worker": sorted(shared + pictures),
        "writer": sorted(shared + upstream),
        "scheduler": sorted(shared + upstream),
    }
    assert expected == secrets
    (job,) = (each for each in found if each["kind"] == "Job")
    assert [("db", "ca"), ("db", "url")] == pods.references(job["spec"]["template"])


def test_a_changed_secret_restarts_the_pods_that_read_it_and_only_those() -> None:
    first = cases.given(cases.resource(cases.ALL_SECRETS))

    def rotated(name: str, key: str) -> set[str]:
        digests = {**first.facts.secrets, (name, key): "another"}
        later = msgspec.structs.replace(first, facts=msgspec.structs.replace(first.facts, secrets=digests))
        return cases.changed(cases.objects(first), cases.objects(later))

    assert {"gateway", "writer", "scheduler"} == rotated("legacy", "token")
    assert {"gateway", "worker"} == rotated("pictures", "url")
    assert {"gateway", "worker", "writer", "scheduler"} == rotated("db", "url")


def test_with_the_policy_ignore_no_secret_restarts_anything() -> None:
    spec = {**cases.ALL_SECRETS, "rollout": {"secretChangePolicy": "Ignore"}}
    before = cases.built(spec)
    after = cases.built(spec, secrets={("db", "url"): "another"})
    assert cases.pod_specs(before) == cases.pod_specs(after)


def test_what_a_database_that_stays_would_need_has_no_owner_whatever_the_retention_is_now() -> None:
    def owned(spec: dict[str, Any]) -> dict[str, bool]:
        wanted = credentials.wanted(cases.given(cases.resource(spec)))
        return {each.name: "ownerReferences" in each.secret["metadata"] for each in wanted}

    deleted = {"managed": {"retention": "Delete"}}
    assert {"demo-postgres": False, "demo-redis": True} == owned({"upstream": cases.SAMPLE})
    assert {"demo-postgres": False, "demo-redis": True} == owned({"upstream": cases.SAMPLE, "database": deleted})
    assert {} == owned(cases.ALL_SECRETS)
    dumped = {"managed": {"retention": "Delete", "dumps": {}}}
    claim = cases.one(
        cases.built({"upstream": cases.SAMPLE, "database": dumped}), "PersistentVolumeClaim", "demo-dumps"
    )
    assert "ownerReferences" not in claim["metadata"]


def test_a_broken_server_is_replaced_and_an_old_stateful_set_stays_as_it_was_made() -> None:
    spec = {"upstream": cases.SAMPLE}
    made, old = cases.built(spec), cases.built(spec, ordered=frozenset({names.POSTGRES}))
    for component in (names.POSTGRES, names.REDIS, names.SAMPLE):
        policy = cases.one(made, "StatefulSet", f"demo-{component}")["spec"]["podManagementPolicy"]
        assert "Parallel" == policy
    assert "podManagementPolicy" not in cases.one(old, "StatefulSet", "demo-postgres")["spec"]
    assert "podManagementPolicy" in cases.one(old, "StatefulSet", "demo-redis")["spec"]


def test_a_filled_credential_has_all_that_its_readers_ask_for() -> None:
    postgres, of_redis = credentials.wanted(cases.given(cases.resource({"upstream": cases.SAMPLE})))
    assert {
        "username": "cakegate",
        "password": "pass-word_1",
        "url": "postgresql://cakegate:pass-word_1@demo-postgres.shop.svc:5432/cakegate",
    } == cases.decoded(postgres.filled("pass-word_1"))
    assert "redis://:pass-word_1@demo-redis.shop.svc:6379" == cases.decoded(of_redis.filled("pass-word_1"))["url"]


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgresql://u:p@db.example.com/cakes", ("db.example.com", 5432)),
        ("postgres://u:p@db.data.svc:6432/cakes?sslmode=require", ("db.data.svc", 6432)),
        ("rediss://:p@[fd00::1]:6380", ("fd00::1", 6380)),
        ("redis://redis", ("redis", 6379)),
        ("https://models.example.com/a", ("models.example.com", 443)),
        ("http://10.1.2.3", ("10.1.2.3", 80)),
        ("s3://bucket/prefix", None),
        ("postgresql://u:p@[broken/", None),
        ("redis://host:99999", None),
        ("no url", None),
    ],
)
def test_where_a_url_leads(url: str, expected: tuple[str, int] | None) -> None:
    found = credentials.endpoint(url)
    assert expected == (found and (found.host, found.port))


# Settings


def test_what_pods_are_told_are_settings_of_cakegate() -> None:
    known = {variable.name for variable in settings.variables()}
    for case in cases.CASES:
        for where, each in cases.pod_specs(cases.objects(cases.case_inputs(case))).items():
            environment = cases.environment(each) if "env" in each["spec"]["containers"][0] else {}
            ours = {name for name in environment if name.startswith("CAKEGATE_")}
            assert set() == ours - known - {"CAKEGATE_REDIS_CA_FILE"}, where


def test_what_a_process_is_told_is_what_it_takes() -> None:
    """The processes' own reader takes it, and reads the same: no name, unit or form is off."""
    found = cases.built({
        "upstream": {**cases.LEGACY, "timeoutSeconds": 7, "writeMaxSeconds": 77, "createConcurrency": 3},
        "worker": {"threads": 6, "terminationGracePeriodSeconds": 120},
        "writer": {"threads": 2},
        "database": {"managed": {}, "poolMax": 1},
        "detector": {"thresholds": {"accept": 0.9, "review": 0.25}},
    })  # fmt: skip
    read = {
        component: settings.from_env(
            {name: value for name, value in cases.environment(each).items() if not name.endswith("_URL")}, env_file=None
        )
        for component, each in cases.templates(found).items()
    }
    assert [7.0] * 3 == [read[each].upstream.timeout_seconds for each in ("gateway", "writer", "scheduler")]
    assert (77.0, 3) == (read["scheduler"].upstream.write_max_seconds, read["writer"].upstream.create_concurrency)
    assert (6, 100.0) == (read["worker"].worker.threads, read["worker"].worker.shutdown_seconds)
    assert (2, 50.0) == (read["writer"].worker.threads, read["writer"].worker.shutdown_seconds)
    assert (1, 1) == (read["gateway"].database.pool_min, read["gateway"].database.pool_max)
    assert (0.9, 0.25) == (read["worker"].detector.accept_threshold, read["worker"].detector.review_threshold)


def test_a_setting_goes_to_the_processes_that_read_its_group() -> None:
    before = cases.built({"upstream": cases.LEGACY})

    def restarted(name: str) -> set[str]:
        return cases.changed(before, cases.built({"upstream": cases.LEGACY, "settings": {name: "1"}}))

    assert {"gateway"} == restarted("CAKEGATE_GATEWAY_MAX_WAITERS")
    assert {"worker"} == restarted("CAKEGATE_FETCH_MAX_REDIRECTS")
    assert {"gateway", "worker", "writer", "scheduler"} == restarted("CAKEGATE_TELEMETRY_LOG_LEVEL")
    assert {"gateway", "worker", "writer", "scheduler"} == restarted("CAKEGATE_MISSPELT_NAME")


def test_a_field_made_for_a_purpose_wins_over_settings() -> None:
    found = cases.built(
        {"upstream": cases.LEGACY, "worker": {"threads": 3}, "settings": {"CAKEGATE_WORKER_THREADS": "9"}}
    )
    assert "3" == cases.environment(cases.template(found, "worker"))["CAKEGATE_WORKER_THREADS"]


def test_the_samples_pictures_may_be_fetched_besides_what_settings_allow() -> None:
    spec = {"upstream": cases.SAMPLE, "settings": {"CAKEGATE_FETCH_ALLOW": "pictures.example.com:8443"}}
    allowed = cases.environment(cases.template(cases.built(spec), "worker"))["CAKEGATE_FETCH_ALLOW"]
    assert "demo-sample.shop.svc:8900,pictures.example.com:8443" == allowed


@pytest.mark.parametrize(
    ("component", "package"), [("gateway", "gateway"), ("scheduler", "scheduler"), ("worker", "worker")]
)
def test_each_process_gets_the_groups_that_its_sources_read(component: str, package: str) -> None:
    groups = set(settings.groups())
    read: set[str] = set()
    for path in (cases.REPOSITORY / "src" / "cakegate" / package).glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and node.attr in groups and ast.unparse(node.value).endswith("config"):
                read.add(node.attr)
    given = variables.GROUPS[component] | (variables.GROUPS[names.WRITER] if component == names.WORKER else set())
    assert read
    assert set() == read - given


def test_the_two_packs_change_places_by_what_stands_in_the_resource() -> None:
    """Switching over, and back: nothing else of the pods is different."""
    old, new = ({"volume": {"claimName": "models", "path": each}} for each in ("old", "new"))

    def mounted(pack: Any, shadow: Any) -> dict[str, str]:
        detector = {"pack": pack, "shadow": shadow}
        found = cases.template(cases.built({"upstream": cases.LEGACY, "detector": detector}), "worker")
        (container,) = found["spec"]["containers"]
        env = cases.environment(found)
        paths = {each["mountPath"]: each.get("subPath", "") for each in container["volumeMounts"]}
        return {role: paths[env[name]] for role, name in _PACKS.items()}

    assert {"primary": "old", "shadow": "new"} == mounted(old, new)
    assert {"primary": "new", "shadow": "old"} == mounted(new, old)


_PACKS = {"primary": "CAKEGATE_DETECTOR_PACK", "shadow": "CAKEGATE_DETECTOR_SHADOW_PACK"}


def test_what_the_detectors_fields_say_is_what_its_processes_read() -> None:
    fields = {"reviewBand": 0, "sampleShare": 0, "shadow": {"volume": {"claimName": "m"}, "share": 0}}
    found = cases.environment(cases.template(cases.built({"upstream": cases.LEGACY, "detector": fields}), "worker"))
    read = settings.from_env(
        {name: value for name, value in found.items() if name.startswith("CAKEGATE_DETECTOR_")}, env_file=None
    ).detector
    assert (0, 0, 0) == (read.review_band, read.sample_share, read.shadow_share)
    assert "/var/lib/cakegate/shadow-pack" == read.shadow_pack


def test_the_default_of_a_childs_memory_is_the_processes_own() -> None:
    assert settings.Pictures().child_memory_bytes == worker.CHILD_MEMORY_BYTES


def test_a_workers_limit_has_room_for_all_its_decoding_children() -> None:
    def limit(**spec: Any) -> str:
        found = cases.template(cases.built({"upstream": cases.LEGACY, **spec}), "worker")
        limits: dict[str, str] = found["spec"]["containers"][0]["resources"]["limits"]
        return limits["memory"]

    assert "4480Mi" == limit()
    assert "1408Mi" == limit(worker={"threads": 1})
    volume = {"volume": {"claimName": "models"}}
    assert "4544Mi" == limit(detector={"shadow": volume})
    half = {"CAKEGATE_PICTURES_CHILD_MEMORY_BYTES": str(512 * 2**20)}
    assert "2432Mi" == limit(settings=half)
    assert "1Gi" == limit(worker={"resources": {"limits": {"memory": "1Gi"}}})


# Versions, restarts, images


def test_a_new_version_restarts_what_runs_cakegate_and_nothing_else() -> None:
    spec = {"upstream": cases.SAMPLE}
    assert {"gateway", "worker", "writer", "scheduler", "sample"} == cases.changed(
        cases.built(spec, version="1.0.0"), cases.built(spec, version="1.1.0")
    )


def test_a_digest_pins_the_image_so_that_a_version_restarts_nothing() -> None:
    spec = {"upstream": cases.LEGACY, "image": {"digest": "sha256:" + "a" * 64}}
    assert set() == cases.changed(cases.built(spec, version="1.0.0"), cases.built(spec, version="1.1.0"))


def test_a_restart_on_request_concerns_the_processes() -> None:
    made = cases.given(cases.resource({"upstream": cases.SAMPLE}))
    annotations = {names.RESTARTED_AT: "2026-01-02T03:04:05Z"}
    asked = msgspec.structs.replace(made, bakery=msgspec.structs.replace(made.bakery, annotations=annotations))
    assert set(names.PROCESSES) == cases.changed(cases.objects(made), cases.objects(asked))


def test_labels_of_the_resource_never_replace_ours() -> None:
    theirs = {"app.kubernetes.io/component": "mine", "team": "cakes"}
    found = cases.template(
        cases.built({"upstream": cases.LEGACY, "gateway": {"template": {"metadata": {"labels": theirs}}}}), "gateway"
    )
    labels = found["metadata"]["labels"]
    assert ("gateway", "cakes") == (labels["app.kubernetes.io/component"], labels["team"])


# Migration


def job_name(spec: dict[str, Any], **facts: Any) -> str:
    return next(each["metadata"]["name"] for each in cases.built(spec, **facts) if each["kind"] == "Job")


def test_a_migration_is_called_by_its_image_and_its_database() -> None:
    spec = {"upstream": cases.LEGACY}
    same = {**spec, "gateway": {"replicas": 5}, "settings": {"CAKEGATE_FETCH_MAX_BYTES": "1"}}
    elsewhere = {**spec, "database": {"urlSecretRef": {"name": "db", "key": "url"}}}
    first = job_name(spec, version="1.0.0")
    assert first == job_name(same, version="1.0.0")
    assert first != job_name(spec, version="1.0.1")
    assert first != job_name(elsewhere, version="1.0.0")
    assert job_name(elsewhere, secrets={("db", "url"): "one"}) != job_name(elsewhere, secrets={("db", "url"): "other"})


def test_migrations_by_hand_make_no_job() -> None:
    found = cases.built({"upstream": cases.LEGACY, "database": {"managed": {}, "migrationPolicy": "Manual"}})
    assert [] == [each for each in found if each["kind"] == migration.JOB[1]]
