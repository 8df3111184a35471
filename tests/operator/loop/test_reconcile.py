from cakegate_operator import inputs, names
from cakegate_operator.reconcile import Ended


async def test_a_minimal_resource_becomes_a_ready_bakery(world):
    world.bakery()
    await world.converge()
    conditions = world.conditions()
    assert ("True", "Available") == conditions["Ready"]
    assert {"Reconciling", "Stalled"}.isdisjoint(conditions)
    for component in names.PROCESSES:
        assert f"Deployment/demo-{component}" in world.cluster.names()


async def test_a_second_pass_and_a_new_operator_write_nothing(world):
    await world.bakery().converge()
    world.cluster.writes.clear()
    assert Ended.DONE is await world.once()
    world.restart()
    assert Ended.DONE is await world.once()
    assert [] == world.cluster.writes


async def test_nothing_changes_while_it_is_paused_but_the_status(world):
    await world.bakery().converge()
    world.cluster.edit(
        "CakeBakery", "demo", lambda body: body["spec"].update({"paused": True, "writer": {"replicas": 2}})
    )
    world.cluster.writes.clear()
    assert Ended.PAUSED is await world.once()
    assert {"apply_status", "create"} == {verb for verb, *_ in world.cluster.writes}
    assert ("True", "Paused") == world.conditions()["Paused"]
    assert ("True", "Available") == world.conditions()["Ready"]
    assert 1 == world.cluster.shown("Deployment", "demo-writer")["spec"]["replicas"]


async def test_a_missing_secret_holds_the_pods_and_is_named(world):
    await world.bakery().converge()
    change = {"upstream": {"url": "http://legacy", "credentialsSecretRef": {"name": "token", "key": "t"}}}
    world.cluster.edit("CakeBakery", "demo", lambda body: body["spec"].update(change))
    before = world.cluster.shown("Deployment", "demo-writer")
    assert Ended.HELD is await world.once()
    assert before == world.cluster.shown("Deployment", "demo-writer")
    assert ("False", "SecretNotFound") == world.conditions()["ReferencesResolved"]
    assert ("False", "SecretNotFound") == world.conditions()["Ready"]
    assert ("True", "SecretNotFound") == world.conditions()["Stalled"]
    assert "spec.upstream.credentialsSecretRef: there is no Secret token in default" == world.message("Ready")


async def test_a_changed_secret_rolls_the_pods_that_use_it_and_only_those(world):
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "token", "namespace": "default"}}
    world.cluster.put({**secret, "data": {"t": "b25l"}})
    world.bakery({"upstream": {"url": "http://legacy", "credentialsSecretRef": {"name": "token", "key": "t"}}})
    await world.converge()
    before = {name: world.cluster.shown("Deployment", f"demo-{name}") for name in names.PROCESSES}
    world.cluster.edit("Secret", "token", lambda body: body["data"].update({"t": "dHdv", "other": "dHdv"}))
    await world.converge()
    rolled = {
        name
        for name in names.PROCESSES
        if before[name]["spec"] != world.cluster.shown("Deployment", f"demo-{name}")["spec"]
    }
    assert {names.GATEWAY, names.WRITER, names.SCHEDULER} == rolled


async def test_a_failed_migration_keeps_the_pods_and_says_why(world):
    await world.bakery().converge()
    world.cluster.edit("CakeBakery", "demo", lambda body: body["spec"].update({"version": "2.0.0"}))
    before = world.cluster.shown("Deployment", "demo-gateway")
    await world.once()
    (job,) = [name for kind, _, name in world.cluster.objects if kind == "Job" and not _done(world, name)]
    failed = {"conditions": [{"type": "Failed", "status": "True", "message": "no such table"}]}
    world.cluster.status("Job", job, failed)
    await world.once()
    assert before == world.cluster.shown("Deployment", "demo-gateway")
    assert ("False", "MigrationFailed") == world.conditions()["Ready"]
    assert "no such table" in world.message("Ready")
    world.cluster.status("Job", job, {"conditions": [{"type": "Complete", "status": "True"}]})
    await world.converge()
    assert "2.0.0" == world.cluster.shown("Deployment", "demo-gateway")["metadata"]["labels"][names.VERSION]


def _done(world, job):
    return bool((world.cluster.shown("Job", job).get("status") or {}).get("succeeded"))


async def test_processes_wait_for_the_migration(world):
    world.bakery()
    assert Ended.WAITING is await world.once()
    assert ("False", "Running") == world.conditions()["MigrationsApplied"]
    assert "True" == world.conditions()["Reconciling"][0]
    assert "Deployment/demo-gateway" not in world.cluster.names()
    world.settle()
    await world.once()
    assert "Deployment/demo-gateway" in world.cluster.names()


async def test_a_later_migration_waits_for_the_database(world):
    await world.bakery().converge()
    world.cluster.status("StatefulSet", "demo-postgres", {"replicas": 1})
    world.cluster.edit("CakeBakery", "demo", lambda body: body["spec"].update({"version": "2.0.0"}))
    jobs = {name for name in world.cluster.names() if name.startswith("Job/")}
    assert Ended.WAITING is await world.once()
    assert jobs == {name for name in world.cluster.names() if name.startswith("Job/")}
    assert ("Unknown", "WaitingForDatabase") == world.conditions()["MigrationsApplied"]


async def test_pods_that_are_not_there_yet_count_as_none(world):
    await world.bakery().converge()
    del world.cluster.objects["Deployment", "default", "demo-writer"]
    await world.once()
    wanted = {"replicas": 0, "readyReplicas": 0, "updatedReplicas": 0}
    assert wanted == world.live()["status"]["writer"]


async def test_a_new_operator_keeps_the_version_that_runs(world):
    await world.bakery().converge()
    before = world.cluster.shown("Deployment", "demo-gateway")
    world.restart(inputs.Release(version="9.9.9"))
    world.cluster.writes.clear()
    await world.once()
    assert before == world.cluster.shown("Deployment", "demo-gateway")
    assert {"apply_status"} == {verb for verb, *_ in world.cluster.writes}
    assert "1.2.3" == world.live()["status"]["targetVersion"]


async def test_an_object_of_somebody_else_is_left_alone_until_it_may_be_adopted(world):
    metadata = {"name": "demo-gateway", "namespace": "default"}
    world.cluster.put({"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": {"type": "NodePort"}})
    world.bakery()
    for _ in range(4):
        await world.once()
        world.settle()
    assert ("False", "ResourceConflict") == world.conditions()["Ready"]
    assert "Service/demo-gateway is there already" in world.message("Ready")
    assert "NodePort" == world.cluster.shown("Service", "demo-gateway")["spec"]["type"]
    adopted = {"annotations": {names.ADOPT: "true"}}
    world.cluster.edit("Service", "demo-gateway", lambda body: body["metadata"].update(adopted))
    await world.converge()
    assert "ClusterIP" == world.cluster.shown("Service", "demo-gateway")["spec"]["type"]
    assert ("True", "Available") == world.conditions()["Ready"]


async def test_replicas_are_handed_over_to_an_autoscaler_as_they_are(world):
    await world.bakery({"upstream": {"sample": {}}, "worker": {"replicas": 7}}).converge()
    world.cluster.edit("CakeBakery", "demo", lambda body: body["spec"].update({"worker": {}}))
    await world.converge()
    assert 7 == world.cluster.shown("Deployment", "demo-worker")["spec"]["replicas"]
    world.cluster.edit("Deployment", "demo-worker", lambda body: body["spec"].update({"replicas": 9}))
    world.cluster.writes.clear()
    await world.once()
    assert 9 == world.cluster.shown("Deployment", "demo-worker")["spec"]["replicas"]
    assert "apply" not in {verb for verb, *_ in world.cluster.writes}


async def test_a_lost_password_is_not_replaced_while_its_volume_is_there(world):
    await world.bakery().converge()
    del world.cluster.objects["Secret", "default", "demo-postgres"]
    metadata = {"name": "data-demo-postgres-0", "namespace": "default"}
    world.cluster.put({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": {}})
    assert Ended.HELD is await world.once()
    assert ("False", "CredentialLost") == world.conditions()["ReferencesResolved"]
    assert "Secret/demo-postgres" not in world.cluster.names()


async def test_a_secret_of_somebody_else_is_not_taken_for_a_password(world):
    metadata = {"name": "demo-postgres", "namespace": "default"}
    world.cluster.put({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": {"else": "eA=="}})
    world.bakery()
    assert Ended.HELD is await world.once()
    assert "the Secret demo-postgres is there already and has no key url" == world.message("Ready")


async def test_a_secret_without_the_servers_password_is_not_taken_either(world):
    metadata = {"name": "demo-redis", "namespace": "default"}
    world.cluster.put({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": {"url": "eA=="}})
    world.bakery()
    assert Ended.HELD is await world.once()
    assert "the Secret demo-redis is there already and has no key password" == world.message("Ready")


async def test_asking_and_restarting_are_echoed_when_they_were_done(world):
    await world.bakery(annotations={names.REQUESTED_AT: "now", names.RESTARTED_AT: "then"}).converge()
    status = world.live()["status"]
    assert ("now", "then") == (status["lastHandledReconcileAt"], status["lastHandledRestartAt"])
    template = world.cluster.shown("Deployment", "demo-worker")["spec"]["template"]
    assert "then" == template["metadata"]["annotations"][names.RESTARTED_AT]


async def test_a_spec_that_cannot_be_understood_names_the_field_and_changes_nothing(world):
    await world.bakery().converge()
    world.cluster.edit("CakeBakery", "demo", lambda body: body["spec"].update({"writer": {"replicas": "many"}}))
    world.cluster.writes.clear()
    assert Ended.HELD is await world.once()
    assert {"apply_status", "create"} == {verb for verb, *_ in world.cluster.writes}
    assert ("False", "InvalidSpec") == world.conditions()["Ready"]
    assert "$.writer.replicas" in world.message("Ready")
    assert ("True", "Available") == world.conditions()["GatewayAvailable"]


async def test_a_right_that_is_missing_is_named_and_nothing_is_touched(world):
    await world.bakery().converge()
    before = world.cluster.names()
    world.cluster.denied = {"Service"}
    assert Ended.HELD is await world.once()
    assert ("False", "ApplyDenied") == world.conditions()["Ready"]
    assert "may not list services" == world.message("Ready")
    assert before == world.cluster.names()


async def test_a_transition_is_told_once(world):
    await world.bakery().converge()
    told = [key for key in world.cluster.objects if key[0] == "Event"]
    ready = [world.cluster.shown(*key[::2]) for key in told]
    assert "Available" == ready[-1]["reason"]
    await world.once()
    assert told == [key for key in world.cluster.objects if key[0] == "Event"]


async def test_a_bakery_that_is_gone_is_left_to_the_garbage_collector(world):
    await world.bakery().converge()
    del world.cluster.objects["CakeBakery", "default", "demo"]
    world.cluster.writes.clear()
    assert Ended.GONE is await world.once()
    assert [] == world.cluster.writes


def _failing(world, component, name, *, job=None, **state):
    labels = names.labels("demo", component) | ({"batch.kubernetes.io/job-name": job} if job else {})
    metadata = {"name": name, "namespace": "default", "labels": labels, "creationTimestamp": "2026-01-01T00:00:01Z"}
    world.cluster.put({"apiVersion": "v1", "kind": "Pod", "metadata": metadata})
    world.cluster.status("Pod", name, {"containerStatuses": [{"name": component, "ready": False, "state": state}]})


def _events(world):
    return [world.cluster.shown(kind, name) for kind, _, name in world.cluster.objects if kind == "Event"]


async def test_an_image_that_cannot_be_pulled_is_in_the_summary_and_in_an_event(world):
    world.bakery()
    await world.once()
    waiting = {"reason": "ErrImagePull", "message": "no such image"}
    _failing(world, names.POSTGRES, "demo-postgres-0", waiting=waiting)
    assert Ended.WAITING is await world.once()
    words = "pod demo-postgres-0: ErrImagePull: no such image"
    assert words == world.message("Ready")
    assert f"Ready=False: {words}" in [each["message"] for each in _events(world)]


async def test_a_new_pod_that_crashes_is_named_while_the_old_serve(world):
    await world.bakery().converge()
    edit = {"settings": {"CAKEGATE_GATEWAY_MAX_WAIT_SECONDS": "soon"}}
    world.cluster.edit("CakeBakery", "demo", lambda body: body["spec"].update(edit))
    await world.once()
    world.settle()
    await world.once()
    rolling = {
        "observedGeneration": 99,
        "replicas": 3,
        "readyReplicas": 2,
        "updatedReplicas": 1,
        "availableReplicas": 2,
    }
    world.cluster.status(
        "Deployment", "demo-gateway", {**rolling, "conditions": [{"type": "Available", "status": "True"}]}
    )
    _failing(world, names.GATEWAY, "demo-gateway-new", waiting={"reason": "CrashLoopBackOff", "message": "back-off"})
    # Looked at again soon: the kubelet's words are no event.
    assert Ended.UNSETTLED is await world.once()
    assert ("True", "Available") == world.conditions()["Ready"]
    assert "gateway: pod demo-gateway-new: CrashLoopBackOff: back-off" == world.message("Reconciling")


async def test_what_a_migration_complained_of_is_over_with_the_next(world):
    await world.bakery().converge()
    (first,) = [name for kind, _, name in world.cluster.objects if kind == "Job"]
    _failing(world, names.MIGRATION, f"{first}-x", job=first, terminated={"exitCode": 1, "message": "no server yet"})
    world.cluster.edit("CakeBakery", "demo", lambda body: body["spec"].update({"version": "2.0.0"}))
    await world.once()
    (second,) = [name for kind, _, name in world.cluster.objects if kind == "Job" and name != first]
    world.cluster.edit("Job", second, lambda body: body["metadata"].update(creationTimestamp="2026-01-02T00:00:00Z"))
    await world.once()
    assert f"Job {second} runs" == world.message("Reconciling")
    _failing(world, names.MIGRATION, f"{second}-x", job=second, terminated={"exitCode": 1, "message": "no such table"})
    await world.once()
    assert f"pod {second}-x: migration ended with 1: no such table" == world.message("Reconciling")
