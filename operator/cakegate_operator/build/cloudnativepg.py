"""A `Cluster` of CloudNativePG: several Postgres servers, kept by an operator made for that."""

from typing import Final

from cakegate_operator import bakery, names
from cakegate_operator import inputs as given
from cakegate_operator.build import credentials, images
from cakegate_operator.build import objects as making
from cakegate_operator.inputs import Inputs, Object

CLUSTER: Final = (given.CLOUD_NATIVE_PG.api_version, given.CLOUD_NATIVE_PG.kind)
#: The label by which CloudNativePG's pods are found.
POD_LABEL: Final = "cnpg.io/cluster"
#: CloudNativePG's own default is 100; said, since pool sizes are held against it.
MAX_CONNECTIONS: Final = 200


def objects(inputs: Inputs) -> list[Object]:
    """The Cluster, where the resource asks for one and the API is there."""
    wanted = inputs.bakery.spec.database.cloud_native_pg
    if wanted is None or given.CLOUD_NATIVE_PG not in inputs.facts.apis:
        return []
    # Without an owner and kept: CloudNativePG deletes the volumes with the Cluster, and no edit is to do that.
    return [making.made(inputs, CLUSTER, component=names.POSTGRES, owned=False, spec=_spec(inputs, wanted))]


def _spec(inputs: Inputs, wanted: bakery.CloudNativePG) -> Object:
    storage: Object = {"size": wanted.storage.size}
    if wanted.storage.class_name:
        storage["storageClass"] = wanted.storage.class_name
    spec: Object = {
        "instances": wanted.instances,
        "storage": storage,
        "bootstrap": {"initdb": _initdb()},
        "postgresql": {"parameters": {"max_connections": str(MAX_CONNECTIONS)}},
    }
    if wanted.synchronous and wanted.instances > 1:
        # Required: a commit that no standby has is not confirmed, so that a failover loses nothing accepted.
        spec["postgresql"]["synchronous"] = {"method": "any", "number": 1, "dataDurability": "required"}
    if wanted.image_name:
        spec["imageName"] = wanted.image_name
    if secrets := images.pull_secrets(inputs):
        spec["imagePullSecrets"] = secrets
    for name, value in (("resources", wanted.resources), ("affinity", _affinity(wanted))):
        if value:
            spec[name] = value
    return spec


def _initdb() -> Object:
    return {
        "database": credentials.DATABASE_NAME,
        "owner": credentials.DATABASE_USER,
        "encoding": "UTF8",
        "localeCollate": "C",
        "localeCType": "C",
        "dataChecksums": True,
    }


def _affinity(wanted: bakery.CloudNativePG) -> Object:
    """CloudNativePG keeps node selector and tolerations under `affinity`; it spreads by itself."""
    chosen = (wanted.template and wanted.template.spec) or bakery.PodSpecTemplate()
    found: Object = {}
    if chosen.node_selector:
        found["nodeSelector"] = chosen.node_selector
    if chosen.tolerations:
        found["tolerations"] = chosen.tolerations
    return found
