"""Which settings a process gets: those that it reads, and no other's secrets.

A setting is an entry of the pod's environment, so that a change of it rolls the pods that have it, and only those. Of
the resource's own `settings` those stay that no field is made for.
"""

from collections.abc import Callable
from typing import Final

from cakegate import contract
from cakegate_operator import bakery, names
from cakegate_operator.build import credentials
from cakegate_operator.inputs import Inputs, Object

#: The groups of settings (docs/configuration.md) that each process reads; a test holds this against their sources.
GROUPS: Final[dict[str, frozenset[str]]] = {
    names.GATEWAY: frozenset({"gateway", "submissions", "upstream", "database", "redis", "pictures", "telemetry"}),
    names.WORKER: frozenset(
        {"submissions", "database", "redis", "fetch", "pictures", "detector", "worker", "telemetry"}
    ),
    names.WRITER: frozenset({"submissions", "upstream", "database", "redis", "worker", "telemetry"}),
    names.SCHEDULER: frozenset({"scheduler", "submissions", "upstream", "database", "redis", "telemetry"}),
    names.MIGRATION: frozenset({"database"}),
}
_KNOWN: Final = frozenset().union(*GROUPS.values())

#: Where secrets that are files lie in a pod, each in a folder of its own.
FILES: Final = "/etc/cakegate"
UPSTREAM_CA: Final = "upstream-ca"
DATABASE_CA: Final = "database-ca"
REDIS_CA: Final = "redis-ca"
CA_FILE: Final = "ca.crt"
#: Where model packs lie.
PACK_FOLDER: Final = "/var/lib/cakegate/pack"
SHADOW_FOLDER: Final = "/var/lib/cakegate/shadow-pack"


def of(inputs: Inputs, component: str) -> list[Object]:
    """The environment of a process of ours."""
    found: dict[str, Object] = {}
    for group in sorted(GROUPS[component]):
        if group in _FIELDS:
            found |= {entry["name"]: entry for entry in _FIELDS[group](inputs, component)}
    own = inputs.bakery.spec.settings or {}
    theirs = [plain(name, own[name]) for name in sorted(own) if name not in found and _concerns(name, component)]
    return [*theirs, *(found[name] for name in sorted(found))]


def plain(name: str, value: object) -> Object:
    """An entry with a value."""
    return {"name": name, "value": str(value)}


def secret(name: str, key: bakery.SecretKey) -> Object:
    """An entry whose value is in a Secret."""
    return {"name": name, "valueFrom": {"secretKeyRef": {"name": key.name, "key": key.key}}}


def files(inputs: Inputs, component: str) -> dict[str, bakery.SecretKey]:
    """CA certificates that a process needs as files, by the name of their folder."""
    spec, groups = inputs.bakery.spec, GROUPS[component]
    wanted = (
        ("upstream", UPSTREAM_CA, spec.upstream.ca_secret_ref),
        ("database", DATABASE_CA, spec.database.ca_secret_ref),
        ("redis", REDIS_CA, spec.redis.ca_secret_ref),
    )
    return {folder: key for group, folder, key in wanted if key is not None and group in groups}


def _concerns(name: str, component: str) -> bool:
    """Whether a process is to get a variable of the resource's `settings`: it reads its group.

    One of a group that nobody has goes to all: they refuse to start with it, and so it is found out.
    """
    group = name.removeprefix(contract.ENV_PREFIX).partition("_")[0].lower()
    return group in GROUPS[component] or group not in _KNOWN


def _upstream(inputs: Inputs, component: str) -> list[Object]:
    upstream = inputs.bakery.spec.upstream
    entries = [
        plain("CAKEGATE_UPSTREAM_URL", upstream_url(inputs)),
        plain("CAKEGATE_UPSTREAM_TIMEOUT_SECONDS", upstream.timeout_seconds),
    ]
    if component == names.WRITER:
        entries.append(plain("CAKEGATE_UPSTREAM_CREATE_CONCURRENCY", upstream.create_concurrency))
    if component == names.SCHEDULER:
        entries.append(plain("CAKEGATE_UPSTREAM_WRITE_MAX_SECONDS", upstream.write_max_seconds))
    if upstream.credentials_secret_ref:
        entries.append(secret("CAKEGATE_UPSTREAM_TOKEN", upstream.credentials_secret_ref))
    if upstream.headers_secret_ref:
        entries.append(secret("CAKEGATE_UPSTREAM_HEADERS", upstream.headers_secret_ref))
    if upstream.ca_secret_ref:
        entries.append(plain("CAKEGATE_UPSTREAM_CA_FILE", f"{FILES}/{UPSTREAM_CA}/{CA_FILE}"))
    return entries


def upstream_url(inputs: Inputs) -> str:
    """The legacy API's base URL: the resource's, or the sample's."""
    upstream = inputs.bakery.spec.upstream
    return upstream.url or f"http://{sample_address(inputs)}"


def sample_address(inputs: Inputs) -> str:
    """Host and port of the sample legacy API, as pictures' addresses have them too."""
    return f"{credentials.host(inputs, names.SAMPLE)}:{contract.SAMPLE_PORT}"


def _database(inputs: Inputs, component: str) -> list[Object]:
    entries = [secret("CAKEGATE_DATABASE_URL", credentials.database(inputs))]
    if component != names.MIGRATION:
        most = inputs.bakery.spec.database.pool_max
        entries += [plain("CAKEGATE_DATABASE_POOL_MAX", most), plain("CAKEGATE_DATABASE_POOL_MIN", min(2, most))]
    if inputs.bakery.spec.database.ca_secret_ref:
        # libpq's own variables: what the URL says of them wins.
        entries.append(plain("PGSSLROOTCERT", f"{FILES}/{DATABASE_CA}/{CA_FILE}"))
        entries.append(plain("PGSSLMODE", "verify-full"))
    return entries


def _redis(inputs: Inputs, _component: str) -> list[Object]:
    entries = [secret("CAKEGATE_REDIS_URL", credentials.redis(inputs))]
    if inputs.bakery.spec.redis.ca_secret_ref:
        entries.append(plain("CAKEGATE_REDIS_CA_FILE", f"{FILES}/{REDIS_CA}/{CA_FILE}"))
    return entries


def _fetch(inputs: Inputs, _component: str) -> list[Object]:
    if inputs.bakery.spec.upstream.sample is None:
        return []
    # Its address is private, and of private ones only it may be fetched; besides, what the resource allows.
    also = (inputs.bakery.spec.settings or {}).get("CAKEGATE_FETCH_ALLOW", "")
    return [plain("CAKEGATE_FETCH_ALLOW", ",".join(filter(None, [sample_address(inputs), also])))]


def _pictures(inputs: Inputs, _component: str) -> list[Object]:
    storage = inputs.bakery.spec.storage.url_secret_ref
    return [secret("CAKEGATE_PICTURES_STORAGE_URL", storage)] if storage else []


def _detector(inputs: Inputs, _component: str) -> list[Object]:
    detector, entries = inputs.bakery.spec.detector, []
    if detector.pack:
        entries.append(plain("CAKEGATE_DETECTOR_PACK", PACK_FOLDER))
    if detector.shadow:
        entries.append(plain("CAKEGATE_DETECTOR_SHADOW_PACK", SHADOW_FOLDER))
        entries.append(plain("CAKEGATE_DETECTOR_SHADOW_SHARE", detector.shadow.share))
    for name, value in (("REVIEW_BAND", detector.review_band), ("SAMPLE_SHARE", detector.sample_share)):
        if value is not None:
            entries.append(plain(f"CAKEGATE_DETECTOR_{name}", value))
    thresholds = detector.thresholds or bakery.Thresholds()
    if thresholds.accept is not None:
        entries.append(plain("CAKEGATE_DETECTOR_ACCEPT_THRESHOLD", thresholds.accept))
    if thresholds.review is not None:
        entries.append(plain("CAKEGATE_DETECTOR_REVIEW_THRESHOLD", thresholds.review))
    return entries


def _worker(inputs: Inputs, component: str) -> list[Object]:
    spec = inputs.bakery.spec
    threads = spec.writer.threads if component == names.WRITER else spec.worker.threads
    grace = WRITER_GRACE_SECONDS if component == names.WRITER else spec.worker.termination_grace_period_seconds
    return [
        plain("CAKEGATE_WORKER_THREADS", threads),
        # Below the time after which the kubelet kills, so that what cannot end gives its leases back.
        plain("CAKEGATE_WORKER_SHUTDOWN_SECONDS", grace * 5 // 6),
    ]


WRITER_GRACE_SECONDS: Final = 60

_FIELDS: Final[dict[str, Callable[[Inputs, str], list[Object]]]] = {
    "upstream": _upstream,
    "database": _database,
    "redis": _redis,
    "fetch": _fetch,
    "pictures": _pictures,
    "detector": _detector,
    "worker": _worker,
}
