"""Scheduled logical dumps of the managed Postgres; the way back from one is docs/operator/restore.md."""

from typing import Final

from cakegate_operator import bakery, names
from cakegate_operator.build import credentials, images, pods, postgres, statefulsets
from cakegate_operator.build import objects as making
from cakegate_operator.inputs import Inputs, Object

CRON_JOB: Final = ("batch/v1", "CronJob")
CLAIM: Final = ("v1", "PersistentVolumeClaim")
_FOLDER: Final = "/dumps"
_VOLUME: Final = "dumps"
_DEADLINE_SECONDS: Final = 6 * 3600
#: Under another name until it is whole and can be read; only then are older ones removed. Names sort by time.
SCRIPT: Final = """\
set -eu
rm -f "$FOLDER"/*.partial
name="$PGDATABASE-$(date -u +%Y%m%dT%H%M%SZ).dump"
pg_dump --format=custom --no-owner --no-privileges --file="$FOLDER/$name.partial"
pg_restore --list "$FOLDER/$name.partial" > /tmp/contents
sync "$FOLDER/$name.partial"
mv "$FOLDER/$name.partial" "$FOLDER/$name"
echo "dumped $name, $(wc -c < "$FOLDER/$name") bytes"
ls "$FOLDER" | grep '\\.dump$' | sort -r | tail -n +$((KEEP + 1)) | while read -r old; do
  rm -f "$FOLDER/$old"
  echo "removed $old"
done
"""


def objects(inputs: Inputs) -> list[Object]:
    """CronJob and volume, where the resource asks for dumps."""
    managed = inputs.bakery.spec.database.managed
    if managed is None or managed.dumps is None:
        return []
    return [_claim(inputs, managed.dumps), _cron_job(inputs, managed, managed.dumps)]


def _claim(inputs: Inputs, dumps: bakery.Dumps) -> Object:
    """Kept, and nobody's: it is made once, so that an owner given then would outlast a change of the retention."""
    return making.made(
        inputs,
        CLAIM,
        component=names.DUMPS,
        kept=True,
        owned=False,
        spec=statefulsets.claim_spec(dumps.storage),
    )


def _cron_job(inputs: Inputs, managed: bakery.ManagedPostgres, dumps: bakery.Dumps) -> Object:
    pod = pods.Pod(
        component=names.DUMPS,
        containers=[_container(inputs, managed, dumps)],
        volumes=[
            {"name": _VOLUME, "persistentVolumeClaim": {"claimName": names.child(inputs.bakery.name, names.DUMPS)}}
        ],
        user=pods.SERVER_USER,
        grace_seconds=30,
        # Each run reads the Secret anew.
        rolls=False,
    )
    template = pods.template(inputs, pod)
    template["spec"]["restartPolicy"] = "Never"
    return making.made(
        inputs,
        CRON_JOB,
        component=names.DUMPS,
        spec={
            "schedule": dumps.schedule,
            "timeZone": "Etc/UTC",
            "concurrencyPolicy": "Forbid",
            "startingDeadlineSeconds": 3600,
            "successfulJobsHistoryLimit": 1,
            "failedJobsHistoryLimit": 3,
            "jobTemplate": {
                "spec": {"backoffLimit": 2, "activeDeadlineSeconds": _DEADLINE_SECONDS, "template": template}
            },
        },
    )


def _container(inputs: Inputs, managed: bakery.ManagedPostgres, dumps: bakery.Dumps) -> Object:
    environment = {
        "PGHOST": credentials.host(inputs, names.POSTGRES),
        "PGPORT": str(names.POSTGRES_PORT),
        "PGUSER": credentials.DATABASE_USER,
        "PGDATABASE": credentials.DATABASE_NAME,
        "FOLDER": _FOLDER,
        "KEEP": str(dumps.keep),
    }
    return pods.container(
        names.DUMPS,
        images.postgres(inputs, managed),
        imagePullPolicy="IfNotPresent",
        command=["sh", "-c", SCRIPT],
        env=[
            *({"name": name, "value": value} for name, value in environment.items()),
            postgres.password(inputs, "PGPASSWORD"),
        ],
        resources=pods.resources(None, cpu="50m", memory="64Mi", limit="512Mi"),
        mounts=[{"name": _VOLUME, "mountPath": _FOLDER}],
    )
