"""What can be set, and the only reader of the environment.

Each group is a frozen struct; the field `max_bytes` of the group `fetch` is the variable `CAKEGATE_FETCH_MAX_BYTES`.
Every field has its unit in its name, its bounds in its type and its description beside it: `docs/configuration.md`
and `.env.template` are generated from here (`cakegate settings`), and a test keeps them so.
"""

import os
import re
from collections.abc import Callable, Mapping
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import urlsplit, urlunsplit

import msgspec
from dotenv import dotenv_values
from msgspec import Meta

from cakegate import contract
from cakegate.domain import packs, verdicts
from cakegate.domain.errors import InvalidSettings

KIB: Final = 1024
MIB: Final = 1024 * KIB

Seconds = Annotated[float, Meta(ge=0, le=86_400 * 366)]
PositiveSeconds = Annotated[float, Meta(gt=0, le=86_400 * 366)]
Port = Annotated[int, Meta(ge=1, le=65_535)]
Count = Annotated[int, Meta(ge=1, le=1_000_000)]
Bytes = Annotated[int, Meta(ge=1, le=1024 * MIB)]
#: What the library limits reads as one rate; it would take several, and read a rate of 0 as any other.
_RATE: Final = "^(off|[1-9][0-9]{0,6}/([1-9][0-9]{0,3} )?(second|minute|hour|day)s?)$"


_SHA256: Final = "^([0-9a-f]{64})?$"


class Secret:
    """A value that is never printed: `repr`, `str` and logs show stars. `reveal()` gives it."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The value itself."""
        return self._value

    def __repr__(self) -> str:
        return "Secret('***')"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __bool__(self) -> bool:
        return bool(self._value)


class SecretUrl(Secret):
    """A URL whose password is never printed; the rest of it is."""

    __slots__ = ()

    def __repr__(self) -> str:
        return redact_url(self._value)

    __str__ = __repr__


def redact_url(url: str) -> str:
    """The URL with its user information and query replaced by stars: a password may stand in either."""
    try:
        parts = urlsplit(url)
        host = parts.netloc.rpartition("@")
        netloc = f"***@{host[2]}" if host[1] else parts.netloc
        return urlunsplit((parts.scheme, netloc, parts.path, "***" if parts.query else "", ""))
    except ValueError:
        return "***"


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """The base of all groups; its subclasses' docstrings head the sections of docs/configuration.md."""


class Gateway(Group, frozen=True, kw_only=True):
    """The public API."""

    host: Annotated[str, Meta(description="Address to listen on.")] = "0.0.0.0"  # noqa: S104
    port: Annotated[Port, Meta(description="Port of the public API.")] = contract.GATEWAY_PORT
    # The largest cake, each character escaped twice over, is 28 KB; and what is parsed holds up everybody else.
    max_body_bytes: Annotated[Bytes, Meta(description="Largest request body.")] = 64 * KIB
    body_seconds: Annotated[PositiveSeconds, Meta(description="Time for a request body to come in.")] = 15.0
    keep_alive_seconds: Annotated[
        PositiveSeconds,
        Meta(description="How long a connection may be idle; longer than a proxy in front keeps its own (often 60)."),
    ] = 75.0
    max_upstream_requests: Annotated[
        Count, Meta(description="Requests that may wait for the legacy API at once in one process; more get 503.")
    ] = 256
    wait_seconds: Annotated[
        Seconds, Meta(description="How long a POST waits for its end unless it says `Prefer: wait=N`.")
    ] = 10.0
    max_wait_seconds: Annotated[Seconds, Meta(description="The longest wait a client may ask for.")] = 60.0
    max_waiters: Annotated[Count, Meta(description="Requests that may wait at once in one process; more get 202.")] = (
        500
    )
    max_pending: Annotated[
        Count, Meta(description="Submissions that may wait to be judged or created; above it a POST gets 503.")
    ] = 100_000
    accept_seconds: Annotated[
        PositiveSeconds, Meta(description="Time to get a submission into Postgres before the client gets 503.")
    ] = 5.0
    idempotency_seconds: Annotated[PositiveSeconds, Meta(description="How long an Idempotency-Key is remembered.")] = (
        86_400.0
    )
    drain_seconds: Annotated[Seconds, Meta(description="Time for running requests to end after SIGTERM.")] = 20.0
    max_connections: Annotated[
        Count, Meta(description="Connections that one process serves; more wait in the kernel for one to end.")
    ] = 2000
    send_seconds: Annotated[
        PositiveSeconds,
        Meta(description="How long a client may take nothing of its answer; then it is cut off (Linux)."),
    ] = 30.0
    backlog: Annotated[Count, Meta(description="Connections the kernel may hold for us.")] = 1024
    cors_origins: Annotated[
        tuple[str, ...], Meta(description="Origins that browsers may call from, separated by commas; `*` for all.")
    ] = ()
    read_rate: Annotated[
        str,
        Meta(pattern=_RATE, description="GET, HEAD and OPTIONS from one client, as `1200/minute`; `off` for no limit."),
    ] = "1200/minute"
    write_rate: Annotated[
        str, Meta(pattern=_RATE, description="All other requests from one client, as `60/minute`; `off` for no limit.")
    ] = "60/minute"
    trusted_proxies: Annotated[
        tuple[str, ...],
        Meta(description="Networks (CIDR) of proxies whose word for the client's address is taken; by default none."),
    ] = ()
    client_header: Annotated[
        str,
        Meta(
            pattern="^(x-forwarded-for|forwarded)$",
            description="Where they put it: `x-forwarded-for` or `forwarded`. They must write it themselves.",
        ),
    ] = "x-forwarded-for"
    client_hash_key: Annotated[
        Secret,
        Meta(description="Key of the hashes that stand for clients' addresses; empty: made of the database's URL."),
    ] = Secret("")


class Submissions(Group, frozen=True, kw_only=True):
    """Leases, attempts and pace of the work behind a POST."""

    judging_lease_seconds: Annotated[PositiveSeconds, Meta(description="Lease of a worker on a submission.")] = 60.0
    creating_lease_seconds: Annotated[PositiveSeconds, Meta(description="Lease of the writer on a submission.")] = 60.0
    send_deadline_seconds: Annotated[
        PositiveSeconds, Meta(description="After its claim, no create is sent later than this; below the lease.")
    ] = 20.0
    fetch_attempts: Annotated[Count, Meta(description="Tries to fetch a picture whose host is in trouble.")] = 5
    fetch_window_seconds: Annotated[PositiveSeconds, Meta(description="Time within which these tries happen.")] = 600.0
    decoder_deaths: Annotated[Count, Meta(description="Deaths of the decoding child that make a picture poison.")] = 3
    retry_base_seconds: Annotated[PositiveSeconds, Meta(description="First pause between tries; it doubles.")] = 1.0
    retry_max_seconds: Annotated[PositiveSeconds, Meta(description="Longest pause between tries.")] = 300.0


class Upstream(Group, frozen=True, kw_only=True):
    """The legacy Cake API and its habits."""

    url: Annotated[str, Meta(description="Base URL, without the list path.")] = ""
    list_path: Annotated[str, Meta(description="Path of the list; the real one ends in a slash.")] = "/api/cakes/"
    item_path: Annotated[str, Meta(description="Path of one cake; `{id}` stands for its id.")] = "/api/cakes/{id}"
    image_url_field: Annotated[str, Meta(description="Field that holds the picture's address.")] = "imageUrl"
    page_default: Annotated[Count, Meta(description="How many cakes it lists when no limit is given.")] = 10
    page_max: Annotated[Count, Meta(description="The largest page we ask it for.")] = 100
    timeout_seconds: Annotated[PositiveSeconds, Meta(description="Total time of a read.")] = 10.0
    connect_timeout_seconds: Annotated[PositiveSeconds, Meta(description="Time to connect.")] = 3.0
    write_timeout_seconds: Annotated[PositiveSeconds, Meta(description="Total time of a write.")] = 30.0
    write_max_seconds: Annotated[
        PositiveSeconds, Meta(description="Longest time after which it may still finish a write it took.")
    ] = 120.0
    max_connections: Annotated[Count, Meta(description="Connections to it from one process.")] = 64
    max_response_bytes: Annotated[Bytes, Meta(description="Largest answer we read from it.")] = 16 * MIB
    headers: Annotated[Secret, Meta(description="Headers to send, as `Name: value` lines or separated by `;`.")] = (
        Secret("")
    )
    token: Annotated[Secret, Meta(description="Bearer token to send.")] = Secret("")
    ca_file: Annotated[str, Meta(description="File of CA certificates to trust for it.")] = ""
    marker: Annotated[
        bool,
        Meta(description="Carry a marker in the fragment of the picture's address, so that a lost answer is found."),
    ] = True
    create_concurrency: Annotated[Count, Meta(description="Creates in flight across the whole fleet.")] = 8
    breaker_failures: Annotated[Count, Meta(description="Failures in a row that open the circuit breaker.")] = 5
    breaker_base_seconds: Annotated[
        PositiveSeconds, Meta(description="First pause of the open breaker; it doubles.")
    ] = 2.0
    breaker_max_seconds: Annotated[PositiveSeconds, Meta(description="Longest pause of the open breaker.")] = 300.0


class Database(Group, frozen=True, kw_only=True):
    """Postgres: the truth."""

    url: Annotated[SecretUrl, Meta(description="libpq URL, e.g. postgresql://user:password@host:5432/cakegate")] = (
        SecretUrl("")
    )
    pool_min: Annotated[Count, Meta(description="Connections kept open by one process.")] = 2
    pool_max: Annotated[Count, Meta(description="Most connections of one process.")] = 10
    pool_wait_seconds: Annotated[PositiveSeconds, Meta(description="How long a request waits for a connection.")] = 2.0
    pool_queue: Annotated[
        Count, Meta(description="Requests that may wait for a connection at once in one process; more get 503.")
    ] = 1000
    connect_timeout_seconds: Annotated[Count, Meta(description="Time to connect, whole seconds.")] = 3
    statement_timeout_seconds: Annotated[PositiveSeconds, Meta(description="Longest statement.")] = 10.0


class Redis(Group, frozen=True, kw_only=True):
    """Redis or Valkey: carries work and hints, and may lose everything."""

    url: Annotated[
        SecretUrl, Meta(description="Server, e.g. redis://:password@host:6379 (databases 0 and 1 are used).")
    ] = SecretUrl("")
    enqueue_timeout_seconds: Annotated[
        PositiveSeconds, Meta(description="How long a request waits for an enqueue; later the sweeper does it.")
    ] = 0.25
    socket_timeout_seconds: Annotated[PositiveSeconds, Meta(description="Longest silence on a connection.")] = 5.0
    limit_timeout_seconds: Annotated[
        PositiveSeconds, Meta(description="How long a request waits for its rate limit's check; later it is let in.")
    ] = 0.1
    ca_file: Annotated[str, Meta(description="File of CA certificates to trust for it, with a rediss:// URL.")] = ""

    def tls(self) -> dict[str, Any]:
        """redis-py's options for `ca_file`; it refuses them for a connection without TLS."""
        encrypted = self.url.reveal().startswith("rediss://")
        return {"ssl_ca_certs": self.ca_file} if self.ca_file and encrypted else {}


class Fetch(Group, frozen=True, kw_only=True):
    """Fetching pictures."""

    allow: Annotated[
        tuple[str, ...],
        Meta(description="`host:port` entries that may be fetched besides public addresses on ports 80 and 443."),
    ] = ()
    max_bytes: Annotated[Bytes, Meta(description="Largest picture, after decompression.")] = 15 * MIB
    max_redirects: Annotated[int, Meta(ge=0, le=20, description="Redirects followed for one address.")] = 3
    total_seconds: Annotated[
        PositiveSeconds, Meta(description="All time for one picture, DNS and redirects included.")
    ] = 20.0
    max_page_bytes: Annotated[Bytes, Meta(description="How much of an HTML page is read for its og:image.")] = MIB
    user_agent: Annotated[str, Meta(description="What we call ourselves.")] = "Cakegate"


class Pictures(Group, frozen=True, kw_only=True):
    """Decoding and renditions."""

    max_pixels: Annotated[int, Meta(ge=1, le=500_000_000, description="Largest picture in pixels.")] = 50_000_000
    decode_seconds: Annotated[
        PositiveSeconds, Meta(description="Time a child may take for one picture before it is killed.")
    ] = 15.0
    child_memory_bytes: Annotated[
        int, Meta(ge=64 * MIB, le=16 * 1024 * MIB, description="Address space of a decoding child.")
    ] = 1024 * MIB
    child_max_pictures: Annotated[Count, Meta(description="Pictures after which a child is replaced.")] = 1000
    storage_url: Annotated[
        SecretUrl,
        Meta(description="Object store for renditions (s3://, gs://, az://, file://); empty: a Postgres table."),
    ] = SecretUrl("")


class Detector(Group, frozen=True, kw_only=True):
    """The model."""

    pack: Annotated[
        str,
        Meta(
            description="Folder of the model pack, or the http(s) URL of a tar archive of it; empty: the starter pack."
        ),
    ] = ""
    pack_sha256: Annotated[
        str,
        Meta(
            pattern=_SHA256,
            description="SHA-256 of the archive; needed with a URL, unless that ends in `#sha256=...`.",
        ),
    ] = ""
    sha256: Annotated[
        str,
        Meta(pattern=_SHA256, description="SHA-256 that the pack's model must have; empty: as its card says."),
    ] = ""
    shadow_pack: Annotated[
        str,
        Meta(description="A second pack, folder or URL, whose verdicts are stored and never acted on; empty: none."),
    ] = ""
    shadow_pack_sha256: Annotated[
        str, Meta(pattern=_SHA256, description="SHA-256 of its archive, as `PACK_SHA256`.")
    ] = ""
    shadow_sha256: Annotated[str, Meta(pattern=_SHA256, description="SHA-256 that its model must have.")] = ""
    shadow_share: Annotated[float, Meta(ge=0, le=1, description="Share of submissions that it judges too.")] = 1.0
    cache_folder: Annotated[
        str, Meta(description="Where fetched archives are kept, by hash; empty: `.cache/cakegate/packs` of the user's.")
    ] = ""
    accept_threshold: Annotated[
        float, Meta(ge=-1, le=1, description="Score from which a picture is a cake; -1: as the card says.")
    ] = -1.0
    review_threshold: Annotated[
        float, Meta(ge=-1, le=1, description="Score below which it is none; -1: as the card says.")
    ] = -1.0
    review_band: Annotated[
        float,
        Meta(
            ge=0,
            le=100,
            description="How far below the accept threshold people are asked, as a multiple of the distance between "
            "the two; 0: nobody is asked about a doubtful score.",
        ),
    ] = 1.0
    sample_share: Annotated[
        float,
        Meta(ge=0, le=1, description="Share of accepted pictures that people are shown, so that errors are seen."),
    ] = 0.01
    min_side_pixels: Annotated[
        int,
        Meta(ge=0, le=10_000, description="A picture whose shorter side has fewer pixels goes to a person: too small."),
    ] = 64
    min_contrast: Annotated[
        float,
        Meta(ge=0, le=128, description="One whose luminance has a smaller standard deviation goes to a person: blank."),
    ] = 8.0
    min_sharpness: Annotated[
        float,
        Meta(ge=0, le=1000, description="One whose edges are softer (docs/detector.md) goes to a person: blurred."),
    ] = 0.4

    def minima(self) -> verdicts.Minima:
        """The least with which a picture can be judged."""
        return verdicts.Minima(
            shortest_side_pixels=self.min_side_pixels, contrast=self.min_contrast, sharpness=self.min_sharpness
        )

    def primary(self) -> packs.Source | None:
        """The pack that decides; None for the starter pack. Raises `ValueError`: see `packs.source`."""
        return packs.source(self.pack, archive_sha256=self.pack_sha256, model_sha256=self.sha256) if self.pack else None

    def shadow(self) -> packs.Source | None:
        """The pack beside it; None for none. Raises `ValueError`: see `packs.source`."""
        return (
            packs.source(self.shadow_pack, archive_sha256=self.shadow_pack_sha256, model_sha256=self.shadow_sha256)
            if self.shadow_pack
            else None
        )


class Worker(Group, frozen=True, kw_only=True):
    """Workers and writer."""

    threads: Annotated[int, Meta(ge=1, le=64, description="Submissions one process works on at once.")] = 4
    shutdown_seconds: Annotated[Seconds, Meta(description="Time to finish what is running after SIGTERM.")] = 50.0


class Scheduler(Group, frozen=True, kw_only=True):
    """Periodic work; one leader at a time."""

    sweep_seconds: Annotated[PositiveSeconds, Meta(description="Pause between two sweeps.")] = 1.0
    requeue_base_seconds: Annotated[
        PositiveSeconds,
        Meta(description="How long after its enqueue a row that has not moved is enqueued again; it doubles."),
    ] = 15.0
    requeue_max_seconds: Annotated[PositiveSeconds, Meta(description="Longest pause between two such enqueues.")] = (
        900.0
    )
    batch: Annotated[Count, Meta(description="Rows that one step of a sweep takes.")] = 500
    settle_seconds: Annotated[
        PositiveSeconds, Meta(description="Pause between two scans of the upstream for creates whose answer was lost.")
    ] = 15.0


class Telemetry(Group, frozen=True, kw_only=True):
    """Logs, metrics and probes."""

    log_format: Annotated[str, Meta(pattern="^(json|console)$", description="`json` or `console`.")] = "json"
    log_level: Annotated[
        str, Meta(pattern="^(debug|info|warning|error)$", description="`debug`, `info`, `warning` or `error`.")
    ] = "info"
    host: Annotated[str, Meta(description="Address that metrics and health listen on.")] = "0.0.0.0"  # noqa: S104
    metrics_port: Annotated[Port, Meta(description="Port of Prometheus metrics.")] = contract.METRICS_PORT
    health_port: Annotated[Port, Meta(description="Port of /healthz and /readyz in processes that serve no HTTP.")] = (
        contract.HEALTH_PORT
    )


class Settings(Group, frozen=True, kw_only=True):
    """All groups."""

    gateway: Gateway = Gateway()
    submissions: Submissions = Submissions()
    upstream: Upstream = Upstream()
    database: Database = Database()
    redis: Redis = Redis()
    fetch: Fetch = Fetch()
    pictures: Pictures = Pictures()
    detector: Detector = Detector()
    worker: Worker = Worker()
    scheduler: Scheduler = Scheduler()
    telemetry: Telemetry = Telemetry()

    def require(self, *names: str) -> None:
        """Raise `InvalidSettings` unless each named setting, as `group.field`, has a value."""
        missing = [
            f"{contract.ENV_PREFIX}{name.replace('.', '_').upper()}"
            for name in names
            if not getattr(getattr(self, name.partition(".")[0]), name.partition(".")[2])
        ]
        if missing:
            raise InvalidSettings(f"{', '.join(missing)} must be set.")


#: Ours by prefix, but not settings: how the supervisor and its children find each other.
RESERVED: Final = frozenset({"CAKEGATE_STATE", "CAKEGATE_TETHER_FD", "CAKEGATE_PROCESS"})


class Variable(msgspec.Struct, frozen=True, kw_only=True):
    """One setting as a person sees it."""

    name: str
    group: str
    field: str
    kind: Any
    default: Any
    description: str


def groups() -> dict[str, type[Group]]:
    """Each group's name and type, in the order of the documentation."""
    return {field.name: field.type for field in msgspec.structs.fields(Settings)}


def variables() -> list[Variable]:
    """Every variable that `from_env` reads."""
    found = []
    for group, kind in groups().items():
        for field in msgspec.structs.fields(kind):
            metas = [meta for meta in getattr(field.type, "__metadata__", ()) if isinstance(meta, Meta)]
            found.append(
                Variable(
                    name=f"{contract.ENV_PREFIX}{group}_{field.name}".upper(),
                    group=group,
                    field=field.name,
                    kind=field.type,
                    default=field.default,
                    description=next((meta.description for meta in metas if meta.description), ""),
                )
            )
    return found


def from_env(environ: Mapping[str, str] | None = None, *, env_file: Path | None = Path(".env")) -> Settings:
    """Read the settings from `environ` (default: the process's) over `env_file` over the defaults.

    An empty value counts as unset.

    Raises:
        InvalidSettings: a value cannot be used, or a `CAKEGATE_` variable is not one of ours; names them all.
    """
    values: dict[str, str] = {}
    if env_file is not None and env_file.is_file():
        values.update({name: value for name, value in dotenv_values(env_file).items() if value})
    values.update({name: value for name, value in (os.environ if environ is None else environ).items() if value})
    known = {variable.name: variable for variable in variables()}
    complaints = [
        f"{name} is not a setting of Cakegate"
        for name in sorted(values)
        if name.startswith(contract.ENV_PREFIX) and name not in known and name not in RESERVED
    ]
    chosen: dict[str, dict[str, Any]] = {}
    for variable in known.values():
        if variable.name not in values:
            continue
        try:
            value = _convert(values[variable.name], variable.kind)
        except (msgspec.ValidationError, ValueError) as error:
            complaints.append(f"{variable.name}: {_first_line(error)}")
        else:
            chosen.setdefault(variable.group, {})[variable.field] = value
    if complaints:
        raise InvalidSettings("; ".join(complaints))
    settings = msgspec.convert({name: kind(**chosen.get(name, {})) for name, kind in groups().items()}, Settings)
    _check_together(settings)
    return settings


def _convert(text: str, kind: Any) -> Any:
    base = kind.__origin__ if hasattr(kind, "__metadata__") else kind
    if isinstance(base, type) and issubclass(base, Secret):
        return base(text)
    if base == tuple[str, ...]:
        return tuple(part.strip() for part in text.split(",") if part.strip())
    if base is bool and text.lower() in {"yes", "on", "no", "off"}:
        text = "true" if text.lower() in {"yes", "on"} else "false"
    return msgspec.convert(text, kind, strict=False)


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]


_HOST_PORT = re.compile(r"(\[[0-9a-fA-F:.]+\]|[^\s:/@\[\]]+):([0-9]{1,5})")


def _check_together(settings: Settings) -> None:
    """Rules between values; each complaint names its variable."""
    complaints = [text for rule in _RULES if (text := rule(settings))]
    if complaints:
        raise InvalidSettings("; ".join(complaints))


def _rule_upstream_url(settings: Settings) -> str | None:
    url = settings.upstream.url
    if not url:
        return None
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        return "CAKEGATE_UPSTREAM_URL: must be an http or https URL without query"
    if parts.username is not None or parts.password is not None:
        return "CAKEGATE_UPSTREAM_URL: must not hold credentials; use CAKEGATE_UPSTREAM_TOKEN or _HEADERS"
    return None


def _rule_item_path(settings: Settings) -> str | None:
    return None if "{id}" in settings.upstream.item_path else "CAKEGATE_UPSTREAM_ITEM_PATH: must contain {id}"


def _rule_upstream_ca(settings: Settings) -> str | None:
    path = settings.upstream.ca_file
    return f"CAKEGATE_UPSTREAM_CA_FILE: there is no file {path}" if path and not Path(path).is_file() else None


def _rule_redis_ca(settings: Settings) -> str | None:
    path = settings.redis.ca_file
    return f"CAKEGATE_REDIS_CA_FILE: there is no file {path}" if path and not Path(path).is_file() else None


def _rule_allow(settings: Settings) -> str | None:
    for entry in settings.fetch.allow:
        match = _HOST_PORT.fullmatch(entry)
        if match is None or not 1 <= int(match[2]) <= 65_535:  # noqa: PLR2004
            return f"CAKEGATE_FETCH_ALLOW: {entry!r} is not host:port"
    return None


def _rule_proxies(settings: Settings) -> str | None:
    for entry in settings.gateway.trusted_proxies:
        try:
            ip_network(entry)
        except ValueError as error:
            return f"CAKEGATE_GATEWAY_TRUSTED_PROXIES: {error}"
    return None


def _rule_deadline(settings: Settings) -> str | None:
    group = settings.submissions
    if group.send_deadline_seconds >= group.creating_lease_seconds:
        return "CAKEGATE_SUBMISSIONS_SEND_DEADLINE_SECONDS: must be below CAKEGATE_SUBMISSIONS_CREATING_LEASE_SECONDS"
    return None


def _rule_write_max(settings: Settings) -> str | None:
    """What we still wait for must not be proved absent meanwhile, and sent again."""
    group = settings.upstream
    if group.write_max_seconds < group.write_timeout_seconds:
        return "CAKEGATE_UPSTREAM_WRITE_MAX_SECONDS: must not be below CAKEGATE_UPSTREAM_WRITE_TIMEOUT_SECONDS"
    return None


def _rule_thresholds(settings: Settings) -> str | None:
    group = settings.detector
    if 0 <= group.accept_threshold < group.review_threshold:
        return "CAKEGATE_DETECTOR_REVIEW_THRESHOLD: must not be above CAKEGATE_DETECTOR_ACCEPT_THRESHOLD"
    return None


def _rule_pack(settings: Settings) -> str | None:
    group = settings.detector
    if group.pack_sha256 and not group.pack:
        return "CAKEGATE_DETECTOR_PACK_SHA256: goes with CAKEGATE_DETECTOR_PACK"
    try:
        group.primary()
    except ValueError as error:
        return f"CAKEGATE_DETECTOR_PACK_SHA256: {error}"
    return None


def _rule_shadow_pack(settings: Settings) -> str | None:
    group = settings.detector
    if (group.shadow_pack_sha256 or group.shadow_sha256) and not group.shadow_pack:
        return "CAKEGATE_DETECTOR_SHADOW_PACK: is missing, and its hash is there"
    try:
        group.shadow()
    except ValueError as error:
        return f"CAKEGATE_DETECTOR_SHADOW_PACK_SHA256: {error}"
    return None


def _rule_pool(settings: Settings) -> str | None:
    group = settings.database
    return (
        "CAKEGATE_DATABASE_POOL_MIN: must not be above CAKEGATE_DATABASE_POOL_MAX"
        if group.pool_min > group.pool_max
        else None
    )


def _rule_waits(settings: Settings) -> str | None:
    group = settings.gateway
    if group.wait_seconds > group.max_wait_seconds:
        return "CAKEGATE_GATEWAY_WAIT_SECONDS: must not be above CAKEGATE_GATEWAY_MAX_WAIT_SECONDS"
    return None


_RULES: Final[tuple[Callable[[Settings], str | None], ...]] = (
    _rule_upstream_url,
    _rule_item_path,
    _rule_upstream_ca,
    _rule_redis_ca,
    _rule_allow,
    _rule_proxies,
    _rule_deadline,
    _rule_write_max,
    _rule_thresholds,
    _rule_pack,
    _rule_shadow_pack,
    _rule_pool,
    _rule_waits,
)
