"""Edits, good and bad, and what others do to a bakery's objects."""

import base64
import time

import pytest
from bakeries import PROCESSES, Bakery, light, seeds
from kube import Namespace, Object, Refused, until

#: What the operator makes, as far as every cluster has it.
KINDS = (
    "deployment", "statefulset", "service", "job", "poddisruptionbudget", "networkpolicy", "configmap",
    "horizontalpodautoscaler", "persistentvolumeclaim", "secret",
)  # fmt: skip


def generations(bakery: Bakery) -> dict[str, object]:
    """How often each object's spec was changed; of objects without a generation, all that they hold."""
    found = {}
    for kind in KINDS:
        for each in bakery.namespace.all(kind, instance=bakery.name):
            name = f"{kind}/{each['metadata']['name']}"
            found[name] = each["metadata"].get("generation") or {**each, "metadata": each["metadata"]["uid"]}
    return {name: value for name, value in found.items() if "keda-hpa" not in name}


def passed(operator, bakery: Bakery, at: str) -> None:
    """Wait until the operator has looked, because it was asked to."""
    bakery.annotate(**{"cakegate.dev/requestedAt": at})
    until("the operator looked", lambda: bakery.seen()["status"].get("lastHandledReconcileAt") == at, seconds=60)


def test_applying_the_same_again_and_a_resync_change_nothing(operator, calm):
    passed(operator, calm, "settled")
    objects, started, writes, passes = generations(calm), calm.started(), operator.writes(), operator.passes()
    spec = calm.seen()["spec"]
    calm.namespace.apply(calm.body(**spec))
    until("three more passes", lambda: operator.passes() >= passes + 3, seconds=120)
    assert objects == generations(calm)
    assert started == calm.started()
    assert writes == operator.writes()


def test_an_edit_rolls_only_the_pods_that_read_it(calm):
    others = tuple(each for each in PROCESSES if each != "worker")
    before, workers = calm.started(*others), calm.started("worker")
    calm.change(worker={"threads": 3})
    until("new workers alone", lambda: not {*workers} & {*calm.started("worker")}, seconds=90)
    calm.ready()
    assert before == calm.started(*others)


def test_what_is_deleted_comes_back(calm):
    before = {f"{kind}/{each['metadata']['name']}": each["metadata"]["uid"]
              for kind in ("service", "poddisruptionbudget", "networkpolicy", "deployment")
              for each in calm.namespace.all(kind, instance=calm.name)}  # fmt: skip
    gone = ["service/demo-gateway", "deployment/demo-writer", *(name for name in before if "networkpolicy" in name)]
    calm.namespace.kubectl("delete", "--wait=false", *gone)

    def back() -> bool:
        for name in gone:
            found = calm.namespace.get(*name.split("/"))
            assert found, name
            assert before[name] != found["metadata"]["uid"]
        return True

    until("all is back", back, seconds=30)
    calm.ready()


def test_what_is_edited_by_hand_goes_back(calm):
    calm.namespace.patch("service", "demo-gateway", {"spec": {"selector": {"app.kubernetes.io/component": "nobody"}}})
    calm.namespace.kubectl("set", "image", "deployment/demo-scheduler", "scheduler=example.org/nothing:1")

    def back() -> bool:
        service, scheduler = (
            calm.namespace.get("service", "demo-gateway"),
            calm.namespace.get("deployment", "demo-scheduler"),
        )
        assert service
        assert scheduler
        assert "gateway" == service["spec"]["selector"]["app.kubernetes.io/component"]
        assert "example.org/nothing:1" != scheduler["spec"]["template"]["spec"]["containers"][0]["image"]
        return True

    until("all is as it was", back, seconds=30)
    calm.ready()


def test_what_others_own_is_left_to_them(calm):
    """An annotation of somebody's tool, and the number of replicas that an autoscaler has chosen."""
    calm.namespace.kubectl("annotate", "deployment/demo-gateway", "example.org/note=kept")
    passed_at = "others"
    calm.annotate(**{"cakegate.dev/requestedAt": passed_at})
    until("a pass", lambda: calm.seen()["status"].get("lastHandledReconcileAt") == passed_at, seconds=60)
    deployment = calm.namespace.get("deployment", "demo-gateway")
    assert deployment is not None
    assert "kept" == deployment["metadata"]["annotations"]["example.org/note"]


def secret(name: str, **values: str) -> Object:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": values}


def test_a_secret_that_is_missing_holds_the_pods_and_its_change_rolls_those_that_read_it(calm, step):
    before = calm.started()
    calm.change(upstream={"credentialsSecretRef": {"name": "legacy", "key": "token"}})
    with step("the missing Secret is named"):
        said = calm.says("ReferencesResolved", status="False", reason="SecretNotFound")
    assert "legacy" in said["message"]
    assert before == calm.started()
    with step("its readers rolled once it is there"):
        calm.namespace.apply(secret("legacy", token="first"))
        calm.says("ReferencesResolved", status="True")
        readers = ("gateway", "writer", "scheduler")
        until("its readers are new", lambda: not {*before} & {*calm.started(*readers)}, seconds=120)
        calm.ready()
    with step("and again when it changes"):
        first, workers = calm.started(*readers), calm.started("worker")
        calm.namespace.apply(secret("legacy", token="second"))
        until("its readers are newer", lambda: not {*first} & {*calm.started(*readers)}, seconds=120)
        calm.ready()
    assert {each: before[each] for each in workers} == workers
    calm.change(upstream={"credentialsSecretRef": None})
    calm.ready()


def test_an_image_that_cannot_be_had_is_named_and_its_mending_needs_no_help(calm, step):
    """Of a server with one pod: the broken pod is replaced, though it never became ready."""
    before = running(calm, "redis")
    calm.change(images={"redis": "example.org/nothing:1"})
    with step("the image is named"):
        calm.says("RedisReady", status="False", reason="NotReady")
        said = calm.says("Ready", status="False", reason="NotReady")
    assert "demo-redis-0" in said["message"]
    assert "example.org/nothing:1" in said["message"]
    with step("Ready again, by itself"):
        calm.change(images={"redis": None})
        calm.ready()
    after = running(calm, "redis")
    assert list(before.values()) == list(after.values())
    assert {*before}.isdisjoint(after)
    with calm.api() as api:
        assert 201 == api.submit(f"draw_cake-{seeds('cake')[0]}.jpg").status_code


def running(bakery: Bakery, component: str) -> dict[str, str]:
    """The images of a component's pods, by the pods' uids."""
    return {pod["metadata"]["uid"]: str(pod["spec"]["containers"][0]["image"]) for pod in bakery.pods(component)}


def test_a_pause_changes_nothing_and_goes_on_reporting(calm):
    calm.change(paused=True)
    calm.says("Paused", status="True")
    calm.namespace.delete("service", "demo-scheduler-metrics", "--wait=true")
    calm.annotate(**{"cakegate.dev/requestedAt": "paused"})
    until("it was looked at", lambda: calm.seen()["status"].get("lastHandledReconcileAt") == "paused", seconds=60)
    assert calm.namespace.get("service", "demo-scheduler-metrics") is None
    calm.change(paused=False)
    until("it is back", lambda: calm.namespace.get("service", "demo-scheduler-metrics"), seconds=30)
    calm.ready()


def test_a_restart_on_request_restarts_every_process_once(calm):
    before = calm.started()
    calm.annotate(**{"kubectl.kubernetes.io/restartedAt": str(time.time_ns())})
    until("all pods are new", lambda: not {*before} & {*calm.started()}, seconds=150)
    calm.ready()


def test_what_cannot_be_changed_in_place_is_refused_with_what_to_do(calm):
    with pytest.raises(Refused, match="major cannot be changed in place"):
        calm.change(database={"managed": {"major": 16}})
    with pytest.raises(Refused, match="variant cannot be changed in place"):
        calm.change(database={"managed": None, "urlSecretRef": {"name": "x", "key": "y"}})


def test_a_failing_migration_says_why_and_the_old_pods_serve_on(namespaces, calm, step):
    """A bakery on a database of somebody else's, which then names one where it may make no tables."""
    namespace = namespaces("e2e-external")
    bakery = Bakery(namespace, "guest")
    url = database(calm.namespace, "guest", lent_to=namespace)
    with step("Ready on an external database"):
        namespace.apply(secret("database", url=url))
        bakery.apply(database={"urlSecretRef": {"name": "database", "key": "url"}}, **light())
        bakery.ready()
    before = bakery.started()
    with step("the migration's failure is said"):
        # A server that is not there (yet) is waited for; one that refuses is a failure.
        namespace.apply(secret("database", url=powerless(calm.namespace, url)))
        said = bakery.says("MigrationsApplied", status="False", reason="MigrationFailed", within=180)
    assert "Stalled" in {each["type"] for each in bakery.seen()["status"]["conditions"] if each["status"] == "True"}
    assert said["message"]
    assert before == bakery.started()
    with bakery.api() as api:
        assert 200 == api.client.get("/api/cakes").status_code
    with step("Ready again with the right one"):
        namespace.apply(secret("database", url=url))
        bakery.ready()
    bakery.namespace.delete("cakebakery", "guest")


def powerless(host: Namespace, url: str) -> str:
    """The URL of an empty database whose user may do nothing in it."""
    sql(host, "CREATE ROLE powerless LOGIN PASSWORD 'powerless'", "CREATE DATABASE barren")
    return f"postgresql://powerless:powerless@{url.rpartition('@')[2].rpartition('/')[0]}/barren"


def sql(host: Namespace, *statements: str) -> None:
    """On the demo's server, as its administrator."""
    program = (
        'PGPASSWORD="$POSTGRES_PASSWORD" psql -h 127.0.0.1 -U "$POSTGRES_USER" -d "$POSTGRES_DB" -v ON_ERROR_STOP=1'
    )
    chosen = [argument for statement in statements for argument in ("-c", statement)]
    host.kubectl("exec", "demo-postgres-0", "--", "sh", "-c", f'{program} "$@"', "psql", *chosen)


def database(host: Namespace, name: str, *, lent_to: Namespace) -> str:
    """A database of its own on the demo's server, which lets this namespace in; its URL."""
    sql(host, f"CREATE DATABASE {name}")
    policy = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": f"lends-{name}"},
        "spec": {
            "podSelector": {"matchLabels": {"app.kubernetes.io/component": "postgres"}},
            "ingress": [
                {"from": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": lent_to.name}}}]}
            ],
        },
    }
    host.apply(policy)
    found = host.get("secret", "demo-postgres")
    assert found is not None
    url = base64.b64decode(found["data"]["url"]).decode()
    return f"{url.rpartition('/')[0]}/{name}"


def test_the_status_verb_says_it_in_words(operator, calm):
    said = operator.namespace.kubectl(
        "exec", operator.leader(), "--", "cakegate", "status", calm.name, "-n", calm.namespace.name
    )
    assert "Ready" in said
    assert "demo-gateway" in said or "gateway" in said
