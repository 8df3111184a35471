"""Any valid spec, made from the types themselves: their limits by their `Meta`, their rules by the table below."""

import types
import typing
from typing import Annotated, Any, Literal

import msgspec
from hypothesis import strategies as st

from cakegate_operator import bakery
from cakegate_operator.inputs import Object

#: Of these exactly one field may be set.
ONE_OF: dict[type, tuple[str, ...]] = {
    bakery.Upstream: ("url", "sample"),
    bakery.Database: ("managed", "cloud_native_pg", "url_secret_ref"),
    bakery.Redis: ("managed", "url_secret_ref"),
    bakery.Pack: ("volume", "download"),
    bakery.Shadow: ("volume", "download"),
    bakery.DisruptionBudget: ("min_available", "max_unavailable"),
}
KEY_PAIRS = st.dictionaries(
    st.from_regex(r"[a-z]{1,10}(\.io/[a-z]{1,8})?", fullmatch=True),
    st.from_regex(r"[a-zA-Z0-9]{0,12}", fullmatch=True),
    max_size=2,
)
SETTINGS = st.dictionaries(
    st.sampled_from(
        ["CAKEGATE_FETCH_ALLOW", "CAKEGATE_GATEWAY_WRITE_RATE", "CAKEGATE_TELEMETRY_LOG_LEVEL", "CAKEGATE_NO_SUCH"]
    ),
    st.sampled_from(["off", "host.example.com:8443", "a:1,b:x,:,", "debug"]),
    max_size=3,
)
CIDRS = st.sampled_from(["10.0.0.0/8", "10.1.2.3/8", "0.0.0.0/0", "::/0", "fc00::/7", "192.0.2.0/24"])
URLS = st.sampled_from(
    ["https://legacy.example.com", "http://legacy.shop.svc:8080", "http://legacy", "http://10.1.2.3", "http://[fd00::1]:81",
     "http://legacy.shop/base", "https://legacy.shop.svc.cluster.local."]
)  # fmt: skip
NAMES = st.from_regex(r"[a-z]([-a-z0-9]{0,38}[a-z0-9])?", fullmatch=True)
#: By what their patterns begin with.
TEXTS = {
    "^https?://.+": URLS,
    "^[0-9a-fA-F.:]+/": CIDRS,
    "^[0-9]+(": st.builds(
        "{}{}".format, st.integers(0, 99), st.sampled_from(["", "m", "k", "M", "Ki", "Mi", "Gi", "E"])
    ),
    "^[0-9]+(ms|": st.sampled_from(["30s", "500ms", "1m"]),
    "^[a-z0-9]([-a-z": st.from_regex(r"[a-z0-9][a-z0-9]{0,62}", fullmatch=True),
    "^[-._a-zA-Z0-9]+": st.from_regex(r"[-._a-zA-Z0-9]{1,20}", fullmatch=True),
    "^[0-9A-Za-z][": st.from_regex(r"[0-9A-Za-z][0-9A-Za-z._-]{0,20}", fullmatch=True),
    "^[0-9a-f]{64}": st.just("b" * 64),
    "^([^/.]": st.sampled_from(["", "strict", "strict/v2"]),
    "^sha256:": st.just("sha256:" + "a" * 64),
}


def of(annotation: Any) -> st.SearchStrategy[Any]:
    """Values of a type."""
    kind, metas = _unwrapped(annotation)
    if typing.get_origin(kind) in {types.UnionType, typing.Union}:
        (inner,) = (each for each in typing.get_args(kind) if each is not type(None))
        return st.none() | of(inner)
    origin = typing.get_origin(kind)
    if origin is Literal:
        return st.sampled_from(typing.get_args(kind))
    if origin is list:
        least = next((meta.min_length for meta in metas if meta.min_length), 0)
        return st.lists(of(typing.get_args(kind)[0]), min_size=least, max_size=2)
    if origin is dict:
        free: st.SearchStrategy[Object] = st.fixed_dictionaries({"key": st.sampled_from(["a", "b"])})
        return KEY_PAIRS if typing.get_args(kind)[1] is str else free
    return _struct(kind) if isinstance(kind, type) and issubclass(kind, msgspec.Struct) else _scalar(kind, metas)


def of_set(annotation: Any) -> st.SearchStrategy[Any]:
    """Values of an optional type, but none."""
    kind, _ = _unwrapped(annotation)
    (inner,) = (each for each in typing.get_args(kind) if each is not type(None))
    return of(inner)


def _unwrapped(annotation: Any) -> tuple[Any, list[msgspec.Meta]]:
    if typing.get_origin(annotation) is Annotated:
        inner, *metas = typing.get_args(annotation)
        kind, more = _unwrapped(inner)
        return kind, [*more, *metas]
    return annotation, []


def _scalar(kind: Any, metas: list[msgspec.Meta]) -> st.SearchStrategy[Any]:
    least = next((meta.ge for meta in metas if meta.ge is not None), 0)
    most = next((meta.le for meta in metas if meta.le is not None), 1000)
    if kind is bool:
        return st.booleans()
    if kind is int:
        return st.integers(int(least), int(most))
    if kind is float:
        return st.floats(float(least), float(most))
    pattern = next((meta.pattern for meta in metas if meta.pattern), None)
    if pattern:
        return TEXTS[max((start for start in TEXTS if pattern.startswith(start)), key=len)]
    return st.from_regex(r"[a-z0-9]{1,20}", fullmatch=True)


def _struct(kind: type[msgspec.Struct]) -> st.SearchStrategy[Any]:
    hints = typing.get_type_hints(kind, include_extras=True)
    fields = {field.name: of(hints[field.name]) for field in msgspec.structs.fields(kind)}
    if kind is bakery.Spec:
        fields["settings"] = st.none() | SETTINGS
    chosen = ONE_OF.get(kind)
    if not chosen:
        return st.builds(kind, **fields).map(_lawful)

    def only(name: str) -> st.SearchStrategy[Any]:
        others = {each: st.none() for each in chosen if each != name}
        return st.builds(kind, **{**fields, name: of_set(hints[name]), **others})

    return st.one_of([only(name) for name in chosen])


def _lawful(found: Any) -> Any:  # noqa: PLR0911 - a rule each
    """The nearest value that keeps the rules of its type."""
    match found:
        case bakery.Gateway() | bakery.Worker() if found.replicas is not None:
            return msgspec.structs.replace(found, autoscaling=None)
        case bakery.CpuAutoscaling() | bakery.WorkAutoscaling() if found.min_replicas > found.max_replicas:
            return _lawful(msgspec.structs.replace(found, max_replicas=found.min_replicas))
        case bakery.WorkAutoscaling() if found.provider != "ExternalMetric":
            return msgspec.structs.replace(found, external_metric=None)
        case bakery.Thresholds() if found.accept is not None and found.review is not None:
            low, high = sorted((found.accept, found.review))
            return bakery.Thresholds(accept=high, review=low)
        case bakery.Exposure() if (found.type, found.ingress) == ("Ingress", None):
            return msgspec.structs.replace(found, type="None")
        case bakery.Exposure() if (found.type, found.http_route) == ("HTTPRoute", None):
            return msgspec.structs.replace(found, type="None")
    return found


#: Any valid spec.
SPECS = of(bakery.Spec)
