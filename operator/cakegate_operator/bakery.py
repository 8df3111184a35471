"""The `CakeBakery` resource as types: its spec, its defaults, its rules. The CRD is made from them (`crd`).

Every field has a description, which `kubectl explain` shows. Rules that concern one struct stand in its `rules`, in
CEL, and are enforced by the API server; those that name `oldSelf` compare with the resource as it was.
"""

from typing import Annotated, Any, ClassVar, Final, Literal

import msgspec
from msgspec import Meta

GROUP: Final = "cakegate.dev"
VERSION: Final = "v1alpha1"
KIND: Final = "CakeBakery"
PLURAL: Final = "cakebakeries"

Labels = dict[str, str]
FreeForm = dict[str, Any]
"""A part of another API's object, taken as it is; the API server checks it where it is used."""

Text = Annotated[str, Meta(min_length=1, max_length=253)]
Name = Annotated[str, Meta(min_length=1, max_length=63, pattern="^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")]
SecretName = Annotated[str, Meta(min_length=1, max_length=253, pattern="^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$")]
SecretEntry = Annotated[str, Meta(min_length=1, max_length=253, pattern="^[-._a-zA-Z0-9]+$")]
Quantity = Annotated[str, Meta(pattern=r"^[0-9]+(\.[0-9]+)?(m|k|[MGTPE]|[KMGTPE]i)?$", max_length=32)]
#: As Kubernetes reads one, but for the sign: requests and limits are never negative
#: (https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/).
_ANY_QUANTITY: Final = r"^\+?([0-9]+(\.[0-9]*)?|\.[0-9]+)([numkMGTPE]|[KMGTPE]i|[eE][-+]?[0-9]+)?$"
#: Numbers may stand there as well, with or without a point: so no type is said, and of texts alone the form.
_QUANTITIES: Final[FreeForm] = {
    "type": "object",
    "maxProperties": 64,
    "additionalProperties": {"x-kubernetes-preserve-unknown-fields": True, "pattern": _ANY_QUANTITY},
}
Resources = Annotated[
    FreeForm, Meta(extra_json_schema={"properties": {"requests": _QUANTITIES, "limits": _QUANTITIES}})
]
"""`resources` of a container."""
Positive = Annotated[int, Meta(ge=1, le=1_000_000)]
Replicas = Annotated[int, Meta(ge=1, le=1000)]
Pods = Annotated[int, Meta(ge=0, le=1000)]
Seconds = Annotated[int, Meta(ge=1, le=86_400)]
Score = Annotated[float, Meta(ge=0, le=1)]
Factor = Annotated[float, Meta(ge=0, le=100)]
Cidr = Annotated[str, Meta(pattern=r"^[0-9a-fA-F.:]+/[0-9]{1,3}$", max_length=64)]
Url = Annotated[str, Meta(pattern="^https?://.+", max_length=2048)]
Tag = Annotated[str, Meta(pattern=r"^[0-9A-Za-z][0-9A-Za-z._-]*$", max_length=128)]
Digest = Annotated[str, Meta(pattern="^sha256:[0-9a-f]{64}$")]
Mode = Literal["Auto", "Enabled", "Disabled"]


class Rule(msgspec.Struct, frozen=True):
    """A CEL rule and what its violation is told."""

    rule: str
    message: str


class Part(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """A part of the spec. Unknown fields are the API server's to refuse (strict validation), not ours to choke on."""

    rules: ClassVar[tuple[Rule, ...]] = ()


def _exactly_one(*fields: str, of: str) -> Rule:
    counted = " + ".join(f"(has(self.{field}) ? 1 : 0)" for field in fields)
    return Rule(f"{counted} == 1", f"{of}: exactly one of {', '.join(fields)} must be set")


class SecretKey(Part, frozen=True, kw_only=True):
    """One key of a Secret in the bakery's namespace.

    The patterns guard more than typing: the operator asks for the Secret by its name, in a path of the API server's.
    """

    name: Annotated[SecretName, Meta(description="Name of the Secret.")]
    key: Annotated[SecretEntry, Meta(description="Its key.")]


# What all components share


class PodSpecTemplate(Part, frozen=True, kw_only=True):
    """Where pods may run."""

    node_selector: Annotated[Labels | None, Meta(description="As in a pod.")] = None
    tolerations: Annotated[list[FreeForm] | None, Meta(description="As in a pod.")] = None
    affinity: Annotated[FreeForm | None, Meta(description="As in a pod.")] = None
    topology_spread_constraints: Annotated[
        list[FreeForm] | None, Meta(description="As in a pod; by default spread over hosts as far as possible.")
    ] = None
    priority_class_name: Annotated[Text | None, Meta(description="As in a pod.")] = None


class Metadata(Part, frozen=True, kw_only=True):
    """Labels and annotations besides ours."""

    labels: Annotated[Labels | None, Meta(description="Added to ours.")] = None
    annotations: Annotated[Labels | None, Meta(description="Added to ours.")] = None


class Template(Part, frozen=True, kw_only=True):
    """What pods get besides what the operator gives them."""

    metadata: Annotated[Metadata | None, Meta(description="Labels and annotations of the pods.")] = None
    spec: Annotated[PodSpecTemplate | None, Meta(description="Where they may run.")] = None


class DisruptionBudget(Part, frozen=True, kw_only=True):
    """How many may be missing at once when nodes are drained."""

    rules: ClassVar = (_exactly_one("minAvailable", "maxUnavailable", of="podDisruptionBudget"),)

    min_available: Annotated[Pods | None, Meta(description="Pods that must stay.")] = None
    max_unavailable: Annotated[Pods | None, Meta(description="Pods that may be missing.")] = None


class Component(Part, frozen=True, kw_only=True):
    """What every component of ours has."""

    resources: Annotated[Resources | None, Meta(description="Requests and limits of its container.")] = None
    template: Annotated[Template | None, Meta(description="More about its pods.")] = None


class CpuAutoscaling(Part, frozen=True, kw_only=True):
    """Replicas by the processor time they use."""

    rules: ClassVar = (
        Rule("self.minReplicas <= self.maxReplicas", "autoscaling: minReplicas must not be above maxReplicas"),
    )

    min_replicas: Annotated[Replicas, Meta(description="Never fewer.")] = 2
    max_replicas: Annotated[Replicas, Meta(description="Never more.")] = 10
    target_cpu_utilization_percentage: Annotated[
        int, Meta(ge=1, le=100, description="Of what its container requests.")
    ] = msgspec.field(default=70, name="targetCPUUtilizationPercentage")


class GatewayService(Part, frozen=True, kw_only=True):
    """The Service in front of the gateways."""

    type: Annotated[Literal["ClusterIP", "NodePort", "LoadBalancer"], Meta(description="As of a Service.")] = (
        "ClusterIP"
    )
    annotations: Annotated[Labels | None, Meta(description="E.g. for a cloud's load balancer.")] = None


_NOT_BOTH: Final = Rule(
    "!(has(self.replicas) && has(self.autoscaling))", "replicas and autoscaling exclude each other: set one of them"
)


class Gateway(Component, frozen=True, kw_only=True):
    """The public API."""

    rules: ClassVar = (_NOT_BOTH,)

    replicas: Annotated[
        Replicas | None, Meta(description="A fixed number of pods; without it and `autoscaling`: 2.")
    ] = None
    autoscaling: Annotated[CpuAutoscaling | None, Meta(description="As many pods as the load needs.")] = None
    service: Annotated[GatewayService, Meta(description="The Service in front of them.")] = GatewayService()
    pod_disruption_budget: Annotated[
        DisruptionBudget | None, Meta(description="By default one may be missing where there are two or more.")
    ] = None


class ExternalMetric(Part, frozen=True, kw_only=True):
    """A metric of `external.metrics.k8s.io`, for clusters that have an adapter instead of KEDA."""

    name: Annotated[Text, Meta(description="Name of the metric.")] = "cakegate_queue_messages"
    match_labels: Annotated[Labels, Meta(description="Labels that select it.")] = msgspec.field(
        default_factory=lambda: {"queue": "judge"}
    )


class WorkAutoscaling(Part, frozen=True, kw_only=True):
    """Replicas by the work that waits and runs."""

    rules: ClassVar = (
        Rule("self.minReplicas <= self.maxReplicas", "autoscaling: minReplicas must not be above maxReplicas"),
        Rule(
            "!has(self.externalMetric) || self.provider == 'ExternalMetric'",
            "autoscaling: externalMetric goes with provider ExternalMetric alone",
        ),
    )

    provider: Annotated[
        Literal["KEDA", "ExternalMetric", "CPU"],
        Meta(description="KEDA, where it is installed, asks Redis itself; else CPU, and a condition says so."),
    ] = "KEDA"
    min_replicas: Annotated[Replicas, Meta(description="Never fewer.")] = 1
    max_replicas: Annotated[Replicas, Meta(description="Never more.")] = 10
    target_messages_per_replica: Annotated[
        Positive, Meta(description="Submissions, waiting and running, that one pod is to have.")
    ] = 10
    polling_interval_seconds: Annotated[Seconds, Meta(description="How often the queue is looked at (KEDA).")] = 15
    cooldown_seconds: Annotated[Seconds, Meta(description="Quiet time before fewer pods are wanted.")] = 300
    fallback_replicas: Annotated[Replicas | None, Meta(description="Pods where the queue cannot be seen (KEDA).")] = (
        None
    )
    external_metric: Annotated[ExternalMetric | None, Meta(description="Which metric; provider ExternalMetric.")] = None
    behavior: Annotated[FreeForm | None, Meta(description="`behavior` of the HorizontalPodAutoscaler.")] = None


class Worker(Component, frozen=True, kw_only=True):
    """The judges: they fetch pictures, judge them and make renditions."""

    rules: ClassVar = (_NOT_BOTH,)

    threads: Annotated[int, Meta(ge=1, le=64, description="Submissions that one pod works on at once.")] = 4
    termination_grace_period_seconds: Annotated[
        int, Meta(ge=10, le=3600, description="Time to finish what is running; what is not finished is given back.")
    ] = 60
    replicas: Annotated[Replicas | None, Meta(description="A fixed number of pods.")] = None
    autoscaling: Annotated[
        WorkAutoscaling | None, Meta(description="As many pods as there is work; the default without `replicas`.")
    ] = None
    pod_disruption_budget: Annotated[DisruptionBudget | None, Meta(description="By default none.")] = None


class Writer(Component, frozen=True, kw_only=True):
    """It creates accepted cakes upstream, at a pace for all writers together."""

    replicas: Annotated[Replicas, Meta(description="Pods; more make it no faster, only safer.")] = 1
    threads: Annotated[int, Meta(ge=1, le=64, description="Creates that one pod has under way at once.")] = 4


class Scheduler(Component, frozen=True, kw_only=True):
    """Periodic work; of several pods one leads."""

    replicas: Annotated[Replicas, Meta(description="Pods; one leads, the others stand by.")] = 1


# The detector


class PackVolume(Part, frozen=True, kw_only=True):
    """A model pack on a volume."""

    claim_name: Annotated[Text, Meta(description="A PersistentVolumeClaim that many pods may read.")]
    path: Annotated[
        str,
        Meta(
            description="The pack's folder on it, relative.", pattern=r"^([^/.][^/]*(/[^/.][^/]*)*)?$", max_length=1024
        ),
    ] = ""


class PackDownload(Part, frozen=True, kw_only=True):
    """A model pack fetched before each worker starts."""

    url: Annotated[Url, Meta(description="A tar archive of the pack's folder.")]
    sha256: Annotated[str, Meta(pattern="^[0-9a-f]{64}$", description="Of the archive.")]


class Pack(Part, frozen=True, kw_only=True):
    """A model pack other than the one in the image."""

    rules: ClassVar = (_exactly_one("volume", "download", of="detector.pack"),)

    volume: Annotated[PackVolume | None, Meta(description="On a volume.")] = None
    download: Annotated[PackDownload | None, Meta(description="By URL and sha256.")] = None


class Shadow(Part, frozen=True, kw_only=True):
    """A second model on trial: it judges the same pictures, its verdicts are stored, and nothing ever follows."""

    rules: ClassVar = (_exactly_one("volume", "download", of="detector.shadow"),)

    volume: Annotated[PackVolume | None, Meta(description="Its pack, on a volume.")] = None
    download: Annotated[PackDownload | None, Meta(description="Its pack, by URL and sha256.")] = None
    share: Annotated[Score, Meta(description="Share of submissions that it judges too.")] = 1.0


class Thresholds(Part, frozen=True, kw_only=True):
    """Scores at which decisions change; by default as the pack's card says."""

    rules: ClassVar = (
        Rule(
            "!has(self.accept) || !has(self.review) || self.review <= self.accept",
            "detector.thresholds: review must not be above accept",
        ),
    )

    accept: Annotated[Score | None, Meta(description="From here a picture is a cake.")] = None
    review: Annotated[Score | None, Meta(description="Below this it is none; between them a person decides.")] = None


class Detector(Part, frozen=True, kw_only=True):
    """Which model judges, and how strictly."""

    pack: Annotated[Pack | None, Meta(description="Its pack; default: the image's own.")] = None
    shadow: Annotated[Shadow | None, Meta(description="A second model that judges beside it and never acts.")] = None
    thresholds: Annotated[Thresholds | None, Meta(description="Its thresholds.")] = None
    review_band: Annotated[
        Factor | None,
        Meta(
            description="How far below the accept threshold people are asked, as a multiple of the distance between"
            " the thresholds; 0: never.",
        ),
    ] = None
    sample_share: Annotated[
        Score | None, Meta(description="Share of accepted pictures that people are shown; by default 0.01.")
    ] = None


# Where things are kept


class Volume(Part, frozen=True, kw_only=True):
    """A volume of our own making."""

    size: Annotated[Quantity, Meta(description="Its size, e.g. 10Gi.")] = "10Gi"
    class_name: Annotated[Text | None, Meta(description="Its StorageClass; default: the cluster's.")] = None


def _cron(number: str, names: str = "") -> str:
    """One field of cron's notation: `*`, numbers, names, ranges and steps, in lists."""
    value = f"({number}{f'|{names}' if names else ''})"
    part = rf"(\\*|\\?|{value}(-{value})?)(/0*[1-9][0-9]*)?"
    return f"{part}(,{part})*"


#: What a CronJob takes: five fields, or a word for them.
_CRON: Final = (
    r"^\\s*("
    + r"\\s+".join(
        (
            _cron("[0-5]?[0-9]"),
            _cron("[01]?[0-9]|2[0-3]"),
            _cron("0?[1-9]|[12][0-9]|3[01]"),
            _cron("0?[1-9]|1[0-2]", "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec"),
            _cron("0?[0-6]", "sun|mon|tue|wed|thu|fri|sat"),
        )
    )
    + r")\\s*$"
)


class Dumps(Part, frozen=True, kw_only=True):
    """Logical dumps of the managed Postgres (`pg_dump`), and how to go back to one: docs/operator/restore.md."""

    rules: ClassVar = (
        Rule(
            f"self.schedule.lowerAscii().matches('{_CRON}')"
            " || self.schedule.matches('^@(yearly|annually|monthly|weekly|daily|midnight|hourly|every [0-9.hms]+)$')",
            "database.managed.dumps.schedule: must be in cron's notation, five fields such as 17 2 * * *, or @daily",
        ),
    )

    schedule: Annotated[str, Meta(description="When, in cron's notation, UTC.", max_length=64)] = "17 2 * * *"
    keep: Annotated[int, Meta(ge=1, le=365, description="How many are kept.")] = 7
    storage: Annotated[Volume, Meta(description="Where they go: a volume that outlives the bakery.")] = Volume()


class ManagedPostgres(Component, frozen=True, kw_only=True):
    """One Postgres in a StatefulSet of ours. For more than one, use CloudNativePG or a database of your own."""

    major: Annotated[Literal[15, 16, 17, 18], Meta(description="Major version of Postgres.")] = 17
    storage: Annotated[Volume, Meta(description="Its volume.")] = Volume()
    retention: Annotated[
        Literal["Retain", "Delete"], Meta(description="What becomes of the volume when the bakery is deleted.")
    ] = "Retain"
    max_connections: Annotated[int, Meta(ge=20, le=10_000, description="`max_connections` of the server.")] = 200
    dumps: Annotated[Dumps | None, Meta(description="Scheduled dumps; none without it.")] = None


class CloudNativePG(Component, frozen=True, kw_only=True):
    """A `Cluster` of CloudNativePG, which must be installed."""

    instances: Annotated[int, Meta(ge=1, le=9, description="Postgres servers.")] = 3
    synchronous: Annotated[
        bool, Meta(description="A commit waits for one standby, so that a failover loses nothing accepted.")
    ] = True
    storage: Annotated[Volume, Meta(description="The volume of each.")] = Volume()
    image_name: Annotated[Text | None, Meta(description="Its operand image; default: CloudNativePG's.")] = None


_VARIANTS: Final = ("managed", "cloudNativePG", "urlSecretRef")


class Database(Part, frozen=True, kw_only=True):
    """Postgres: the truth."""

    rules: ClassVar = (
        _exactly_one(*_VARIANTS, of="database"),
        *(
            Rule(
                f"has(self.{variant}) == has(oldSelf.{variant})",
                "database: the variant cannot be changed in place; make a new CakeBakery and move the data"
                " (docs/operator/restore.md)",
            )
            for variant in _VARIANTS
        ),
        Rule(
            "!has(self.managed) || !has(oldSelf.managed) || self.managed.major == oldSelf.managed.major",
            "database.managed.major cannot be changed in place: a new major cannot read the old one's files; restore a"
            " dump into a new CakeBakery (docs/operator/restore.md)",
        ),
        Rule(
            "!has(self.managed) || !has(oldSelf.managed) || self.managed.storage == oldSelf.managed.storage",
            "database.managed.storage cannot be changed in place: grow the PersistentVolumeClaim itself, where its"
            " StorageClass allows that (docs/operator/storage.md)",
        ),
    )

    managed: Annotated[ManagedPostgres | None, Meta(description="One Postgres of ours.")] = None
    cloud_native_pg: Annotated[CloudNativePG | None, Meta(description="A Cluster of CloudNativePG.")] = msgspec.field(
        default=None, name="cloudNativePG"
    )
    url_secret_ref: Annotated[SecretKey | None, Meta(description="A server of yours: its libpq URL.")] = None
    ca_secret_ref: Annotated[SecretKey | None, Meta(description="CA certificates to trust for a server of yours.")] = (
        None
    )
    pool_max: Annotated[int, Meta(ge=1, le=1000, description="Most connections of one pod.")] = 10
    migration_policy: Annotated[
        Literal["Automatic", "Manual"],
        Meta(description="Automatic: the operator runs the migrations. Manual: it waits until you have."),
    ] = "Automatic"


class ManagedRedis(Component, frozen=True, kw_only=True):
    """One Redis in a StatefulSet of ours, with `noeviction` and an append-only file."""

    storage: Annotated[Volume, Meta(description="Its volume.")] = Volume(size="1Gi")
    max_memory: Annotated[Quantity, Meta(description="`maxmemory` of the server.")] = "256Mi"


class Redis(Part, frozen=True, kw_only=True):
    """Redis or Valkey: carries work and hints; may lose everything, and no accepted submission is lost with it."""

    rules: ClassVar = (
        _exactly_one("managed", "urlSecretRef", of="redis"),
        Rule(
            "has(self.managed) == has(oldSelf.managed)",
            "redis: the variant cannot be changed in place; make a new CakeBakery",
        ),
        Rule(
            "!has(self.managed) || !has(oldSelf.managed) || self.managed.storage == oldSelf.managed.storage",
            "redis.managed.storage cannot be changed in place (docs/operator/storage.md)",
        ),
    )

    managed: Annotated[ManagedRedis | None, Meta(description="One Redis of ours.")] = None
    url_secret_ref: Annotated[SecretKey | None, Meta(description="A server of yours: its URL.")] = None
    ca_secret_ref: Annotated[SecretKey | None, Meta(description="CA certificates to trust for a server of yours.")] = (
        None
    )


class Storage(Part, frozen=True, kw_only=True):
    """Where pictures' renditions go."""

    url_secret_ref: Annotated[
        SecretKey | None, Meta(description="URL of an object store (s3://, gs://, az://); default: a Postgres table.")
    ] = None


# The upstream


class SampleUpstream(Part, frozen=True, kw_only=True):
    """A sample legacy API in the bakery, to try it out. Its pictures may be fetched, though its address is private."""

    size: Annotated[Quantity, Meta(description="Its volume.")] = "1Gi"


class Upstream(Part, frozen=True, kw_only=True):
    """The legacy Cake API."""

    rules: ClassVar = (
        _exactly_one("url", "sample", of="upstream"),
        Rule(
            "!has(self.sample) || !has(oldSelf.sample) || self.sample.size == oldSelf.sample.size",
            "upstream.sample.size cannot be changed in place (docs/operator/storage.md)",
        ),
    )

    url: Annotated[Url | None, Meta(description="Base URL, without the list path.")] = None
    sample: Annotated[SampleUpstream | None, Meta(description="A sample API instead.")] = None
    credentials_secret_ref: Annotated[SecretKey | None, Meta(description="A bearer token to send.")] = None
    headers_secret_ref: Annotated[SecretKey | None, Meta(description="Headers to send, as `Name: value` lines.")] = None
    ca_secret_ref: Annotated[SecretKey | None, Meta(description="CA certificates to trust for it.")] = None
    timeout_seconds: Annotated[Seconds, Meta(description="Total time of a read.")] = 10
    write_max_seconds: Annotated[
        Seconds, Meta(description="Longest time after which it may still finish a write it took.")
    ] = 120
    create_concurrency: Annotated[Positive, Meta(description="Creates under way at once, of all writers.")] = 8
    probe_interval_seconds: Annotated[Seconds, Meta(description="How often the operator looks whether it answers.")] = (
        60
    )


# Around it


class IngressExposure(Part, frozen=True, kw_only=True):
    """An Ingress in front of the gateways."""

    host: Annotated[Text, Meta(description="Host name.")]
    class_name: Annotated[Text | None, Meta(description="IngressClass; default: the cluster's.")] = None
    tls_secret_name: Annotated[Text | None, Meta(description="Certificate and key; none: plain HTTP.")] = None
    annotations: Annotated[Labels | None, Meta(description="For the controller or cert-manager.")] = None


class HttpRouteExposure(Part, frozen=True, kw_only=True):
    """An HTTPRoute of the Gateway API."""

    parent_refs: Annotated[list[FreeForm], Meta(min_length=1, description="Gateways that it attaches to.")]
    hostnames: Annotated[list[Text], Meta(description="Host names; none: the gateway's.")] = []


class Exposure(Part, frozen=True, kw_only=True):
    """How the world gets in."""

    rules: ClassVar = (
        Rule("self.type != 'Ingress' || has(self.ingress)", "exposure: type Ingress needs the block ingress"),
        Rule("self.type != 'HTTPRoute' || has(self.httpRoute)", "exposure: type HTTPRoute needs the block httpRoute"),
    )

    type: Annotated[Literal["None", "Ingress", "HTTPRoute"], Meta(description="By what.")] = "None"
    ingress: Annotated[IngressExposure | None, Meta(description="Of type Ingress.")] = None
    http_route: Annotated[HttpRouteExposure | None, Meta(description="Of type HTTPRoute.")] = None


class Monitor(Part, frozen=True, kw_only=True):
    """One kind of monitoring object. Auto: made where its API is installed."""

    mode: Annotated[Mode, Meta(description="Auto, Enabled or Disabled.")] = "Auto"
    labels: Annotated[Labels | None, Meta(description="By which your Prometheus or Grafana selects it.")] = None
    annotations: Annotated[Labels | None, Meta(description="E.g. the folder of a dashboard.")] = None


class ServiceMonitors(Monitor, frozen=True, kw_only=True):
    """Which pods are scraped, and how often."""

    interval: Annotated[str, Meta(pattern="^[0-9]+(ms|s|m|h)$", description="Pause between scrapes.")] = "30s"
    relabelings: Annotated[list[FreeForm] | None, Meta(description="As in a ServiceMonitor.")] = None


class Monitoring(Part, frozen=True, kw_only=True):
    """Objects of the Prometheus Operator, and dashboards."""

    service_monitor: Annotated[ServiceMonitors, Meta(description="Scraping.")] = ServiceMonitors()
    prometheus_rule: Annotated[Monitor, Meta(description="Alerts and recording rules.")] = Monitor()
    grafana_dashboard: Annotated[Monitor, Meta(description="Dashboards, as ConfigMaps for Grafana's sidecar.")] = (
        Monitor()
    )


#: Private and special ranges (RFC 1918, 6598, 3927, 6890, 2544, 1112, 4193, 4291): what a cluster's pods, services and
#: nodes are made of, where clouds have their metadata, and the one public address of a cloud's host agent.
PRIVATE_CIDRS: Final = (
    "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16", "192.0.0.0/24",
    "198.18.0.0/15", "240.0.0.0/4", "168.63.129.16/32", "fc00::/7", "fe80::/10",
)  # fmt: skip


#: Kubernetes puts a namespace's name on it as this label.
_NAMESPACE_LABEL: Final = "kubernetes.io/metadata.name"


class NetworkPolicies(Part, frozen=True, kw_only=True):
    """Who may talk to whom."""

    rules: ClassVar = (
        Rule("self.clusterCIDRs.all(each, isCIDR(each))", "networkPolicy.clusterCIDRs: every one must be a CIDR"),
    )

    mode: Annotated[Literal["Enabled", "Disabled"], Meta(description="Whether policies are made.")] = "Enabled"
    cluster_cidrs: Annotated[
        list[Cidr], Meta(description="Ranges that the worker must never reach, whatever a picture's address says.")
    ] = msgspec.field(default_factory=lambda: list(PRIVATE_CIDRS), name="clusterCIDRs")
    monitoring_namespace_selector: Annotated[
        Labels, Meta(description="Labels of namespaces that may scrape metrics.")
    ] = msgspec.field(default_factory=lambda: {_NAMESPACE_LABEL: "monitoring"})
    keda_namespace_selector: Annotated[Labels, Meta(description="Labels of namespaces that may ask Redis.")] = (
        msgspec.field(default_factory=lambda: {_NAMESPACE_LABEL: "keda"})
    )
    extra_ingress: Annotated[list[FreeForm] | None, Meta(description="More rules for what comes to the gateway.")] = (
        None
    )
    extra_egress: Annotated[list[FreeForm] | None, Meta(description="More rules for where pods may go.")] = None


class Rollout(Part, frozen=True, kw_only=True):
    """How changes reach pods."""

    secret_change_policy: Annotated[
        Literal["Restart", "Ignore"], Meta(description="Whether a changed Secret rolls the pods that use it.")
    ] = "Restart"  # noqa: S105 - a policy, no password
    progress_deadline_seconds: Annotated[Seconds, Meta(description="Later a rollout counts as stuck.")] = 600


class Image(Part, frozen=True, kw_only=True):
    """Cakegate's image."""

    repository: Annotated[Text | None, Meta(description="Default: the operator's own setting.")] = None
    digest: Annotated[Digest | None, Meta(description="Pins it; wins over `version`.")] = None
    pull_policy: Annotated[Literal["IfNotPresent", "Always", "Never"], Meta(description="As of a container.")] = (
        "IfNotPresent"
    )
    pull_secrets: Annotated[list[Name], Meta(description="Names of Secrets to pull with, for all images.")] = []


class Images(Part, frozen=True, kw_only=True):
    """Images that are not ours."""

    postgres: Annotated[Text | None, Meta(description="Default: the operator's own setting.")] = None
    redis: Annotated[Text | None, Meta(description="Default: the operator's own setting.")] = None


class Spec(Part, frozen=True, kw_only=True):
    """What a bakery is to be."""

    rules: ClassVar = (
        Rule(
            "!has(self.settings) || self.settings.all(name, name.matches('^CAKEGATE_[A-Z0-9_]+$'))",
            "settings: every name must begin with CAKEGATE_",
        ),
        Rule(
            "!has(self.settings) || !self.settings.exists(name, name.endsWith('_URL') || name.endsWith('_TOKEN')"
            " || name.endsWith('_PORT'))",
            "settings: addresses, tokens and ports are set by the fields made for them",
        ),
    )

    upstream: Annotated[Upstream, Meta(description="The legacy Cake API, or a sample of it.")]
    paused: Annotated[bool, Meta(description="Change nothing; go on reporting.")] = False
    version: Annotated[
        Tag | None, Meta(description="Version of Cakegate, its image's tag; without it what runs goes on running.")
    ] = None
    image: Annotated[Image, Meta(description="Cakegate's image.")] = Image()
    images: Annotated[Images, Meta(description="All other images.")] = Images()
    gateway: Annotated[Gateway, Meta(description="The public API.")] = Gateway()
    worker: Annotated[Worker, Meta(description="The judges.")] = Worker()
    writer: Annotated[Writer, Meta(description="Who creates cakes upstream.")] = Writer()
    scheduler: Annotated[Scheduler, Meta(description="Periodic work.")] = Scheduler()
    detector: Annotated[Detector, Meta(description="The model.")] = Detector()
    database: Annotated[Database, Meta(description="Postgres.")] = Database(managed=ManagedPostgres())
    redis: Annotated[Redis, Meta(description="Redis or Valkey.")] = Redis(managed=ManagedRedis())
    storage: Annotated[Storage, Meta(description="Where renditions go.")] = Storage()
    exposure: Annotated[Exposure, Meta(description="How the world gets in.")] = Exposure()
    monitoring: Annotated[Monitoring, Meta(description="Metrics, alerts, dashboards.")] = Monitoring()
    network_policy: Annotated[NetworkPolicies, Meta(description="Who may talk to whom.")] = NetworkPolicies()
    rollout: Annotated[Rollout, Meta(description="How changes reach pods.")] = Rollout()
    settings: Annotated[
        Labels | None, Meta(description="CAKEGATE_ variables for all pods besides those that the fields set.")
    ] = None


class Bakery(msgspec.Struct, frozen=True, kw_only=True):
    """One resource as the operator works with it. `version` is resolved: the spec's, what runs, or the operator's."""

    name: str
    namespace: str
    uid: str
    generation: int
    spec: Spec
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
