"""Whether the world gets in: what an Ingress or an HTTPRoute says."""

from cakegate_operator import inputs as given
from cakegate_operator import reasons
from cakegate_operator.inputs import Inputs
from cakegate_operator.seen import Seen, dig
from cakegate_operator.verdicts import Verdict, no, unknown, yes

_KIND = "Exposed"


def verdict(seen: Seen, inputs: Inputs) -> Verdict | None:
    """The condition; none where nobody asked for exposure."""
    exposure = inputs.bakery.spec.exposure
    if exposure.type == "None":
        return None
    found = next((body for key, body in seen.children.items() if key.kind == exposure.type), None)
    if found is None and exposure.type == "HTTPRoute" and given.HTTP_ROUTE not in inputs.facts.apis:
        return absent(_KIND, inputs, given.HTTP_ROUTE, "the Gateway API")
    if found is None:
        return no(_KIND, reasons.NOT_CREATED, f"the {exposure.type} is not there yet")
    if exposure.type == "Ingress":
        return yes(_KIND, reasons.CREATED, "the Ingress is made")
    return _route(found)


def _route(found: given.Object) -> Verdict:
    said = [
        each
        for parent in dig(found, "status", "parents", default=[])
        for each in parent.get("conditions", [])
        if each["type"] == "Accepted"
    ]
    if not said:
        return unknown(_KIND, reasons.WAITING_FOR_GATEWAY, "no Gateway said anything about the HTTPRoute yet")
    refused = next((each for each in said if each["status"] != "True"), None)
    if refused:
        return no(_KIND, reasons.NOT_ACCEPTED, refused.get("message") or refused["reason"])
    return yes(_KIND, reasons.ACCEPTED, "the Gateway took the HTTPRoute")


def absent(kind: str, inputs: Inputs, api: given.Api, what: str) -> Verdict:
    """The word about an API that is not there, or about which nobody can say."""
    if api in inputs.facts.unknown_apis:
        return unknown(kind, reasons.DISCOVERY_FAILED, f"no clear answer whether {what} is installed")
    return no(kind, reasons.CRD_NOT_INSTALLED, f"{what} is not installed ({api.kind} of {api.api_version})")
