"""How the world gets in: an Ingress or an HTTPRoute to the gateway's Service."""

from typing import Final

from cakegate_operator import bakery, names
from cakegate_operator import inputs as given
from cakegate_operator.build import gateway
from cakegate_operator.build import objects as making
from cakegate_operator.inputs import Inputs, Object

INGRESS: Final = ("networking.k8s.io/v1", "Ingress")
HTTP_ROUTE: Final = (given.HTTP_ROUTE.api_version, given.HTTP_ROUTE.kind)


def objects(inputs: Inputs) -> list[Object]:
    """What the resource asks for, as far as its API is there."""
    wanted = inputs.bakery.spec.exposure
    if wanted.type == "Ingress" and wanted.ingress:
        return [_ingress(inputs, wanted.ingress)]
    if wanted.type == "HTTPRoute" and wanted.http_route and given.HTTP_ROUTE in inputs.facts.apis:
        return [_http_route(inputs, wanted.http_route)]
    return []


def _ingress(inputs: Inputs, wanted: bakery.IngressExposure) -> Object:
    backend = {"service": {"name": names.child(inputs.bakery.name, names.GATEWAY), "port": {"name": names.HTTP}}}
    paths = [{"path": "/", "pathType": "Prefix", "backend": backend}]
    spec: Object = {"rules": [{"host": wanted.host, "http": {"paths": paths}}]}
    if wanted.class_name:
        spec["ingressClassName"] = wanted.class_name
    if wanted.tls_secret_name:
        spec["tls"] = [{"hosts": [wanted.host], "secretName": wanted.tls_secret_name}]
    return making.made(inputs, INGRESS, component=names.GATEWAY, annotations=wanted.annotations, spec=spec)


def _http_route(inputs: Inputs, wanted: bakery.HttpRouteExposure) -> Object:
    backend = {"name": names.child(inputs.bakery.name, names.GATEWAY), "port": gateway.SERVICE_PORT}
    spec: Object = {
        "parentRefs": wanted.parent_refs,
        "rules": [{"matches": [{"path": {"type": "PathPrefix", "value": "/"}}], "backendRefs": [backend]}],
    }
    if wanted.hostnames:
        spec["hostnames"] = wanted.hostnames
    return making.made(inputs, HTTP_ROUTE, component=names.GATEWAY, spec=spec)


def url(inputs: Inputs) -> str:
    """Where the API is, as far as the resource says: for the status."""
    wanted = inputs.bakery.spec.exposure
    if wanted.type == "Ingress" and wanted.ingress:
        return f"{'https' if wanted.ingress.tls_secret_name else 'http'}://{wanted.ingress.host}/"
    if wanted.type == "HTTPRoute" and wanted.http_route and wanted.http_route.hostnames:
        return f"https://{wanted.http_route.hostnames[0]}/"
    return f"http://{names.child(inputs.bakery.name, names.GATEWAY)}.{inputs.bakery.namespace}.svc/"
