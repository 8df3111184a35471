"""The headers of answers, as the API's description has them: what each says, and the form that it has.

A name that ends in `?` stands for a header that an answer may lack.
"""

from collections.abc import Iterable
from typing import Any, Final

_SUBMISSION_OR_CAKE: Final = r"^/api/(cakes|submissions)/[^/]+$"

_ALL: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    "Location": (
        "Address of the cake, or of the submission to ask at.",
        {"type": "string", "pattern": _SUBMISSION_OR_CAKE},
    ),
    "Link": (
        "Pages beside this one (`prev`, `next`), or the submission behind a cake (`via`).",
        {"type": "string", "pattern": r'^<[^>]+>; rel="(prev|next|via)"(, <[^>]+>; rel="(prev|next)")?$'},
    ),
    "Retry-After": ("Seconds after which to ask again.", {"type": "integer", "minimum": 1}),
    "Preference-Applied": (
        "What of `Prefer` was heeded.",
        {"type": "string", "pattern": r"^(respond-async(, )?)?(wait=[0-9.]+)?$"},
    ),
    "ETag": ("Of these bytes.", {"type": "string", "pattern": r'^"[!-~]+"$'}),
    "Vary": ("`Accept`.", {"type": "string"}),
    "Cache-Control": ("How long it may be kept.", {"type": "string"}),
    "Allow": ("The methods of this address.", {"type": "string"}),
    "RateLimit-Policy": (
        "How many such requests one client may send (`q`) in how many seconds (`w`).",
        {"type": "string", "pattern": r'^"(reads|writes)";q=[0-9]+;w=[0-9]+$'},
    ),
    "RateLimit": (
        "How many more it may send (`r`) in the next seconds (`t`). Left out where that is not known.",
        {"type": "string", "pattern": r'^"(reads|writes)";r=[0-9]+;t=[0-9]+$'},
    ),
    "X-Request-Id": (
        "The request's id: the client's own where it sent a sound one.",
        {"type": "string", "minLength": 1, "maxLength": 128},
    ),
}
_OPTIONAL: Final = ".optional"


def references(names: Iterable[str]) -> dict[str, Any]:
    """What an answer of the description says of its headers."""
    return {name.rstrip("?"): {"$ref": f"#/components/headers/{_key(name)}"} for name in names}


def components() -> dict[str, Any]:
    """What those references lead to."""
    found = {}
    for name, (text, schema) in _ALL.items():
        found[name] = {"description": text, "required": True, "schema": schema}
        found[f"{name}{_OPTIONAL}"] = {"description": text, "schema": schema}
    return found


def _key(name: str) -> str:
    return f"{name[:-1]}{_OPTIONAL}" if name.endswith("?") else name
