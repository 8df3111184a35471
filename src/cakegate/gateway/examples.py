"""Examples for the API's description; a test holds each against its schema."""

from typing import Any, Final

from cakegate.gateway import problems

NEW_CAKE: Final = {
    "name": "Lemon cheesecake",
    "comment": "A cheesecake made of lemon",
    "imageUrl": "https://www.food.com/recipe/lemon-cheesecake-31004",
    "yumFactor": 3,
}
CAKE: Final = {"id": 1, **NEW_CAKE}
CHANGED_CAKE: Final = {"name": "Lemon cheesecake", "comment": "Now with more lemon", "yumFactor": 4}

_ID: Final = "0b9f6c0e-7a41-4d63-9a53-5a0d7b1c2f10"
_PATH: Final = f"/api/submissions/{_ID}"
_TIMES: Final = {"createdAt": "2026-11-21T09:30:00Z", "updatedAt": "2026-11-21T09:30:00.214Z"}
_VERDICT: Final = {
    "score": 0.9731,
    "decision": "accept",
    "acceptThreshold": 0.7,
    "reviewThreshold": 0.3,
    "labels": [{"name": "cake", "score": 0.9731}, {"name": "cheesecake", "score": 0.8214}],
    "model": {"name": "starter", "version": "1", "sha256": "5f" * 32},
}
PENDING: Final = {"id": _ID, "state": "judging", **_TIMES, "links": {"self": _PATH}}
CREATED: Final = {
    "id": _ID,
    "state": "created",
    **_TIMES,
    "verdict": _VERDICT,
    "cake": CAKE,
    "links": {"self": _PATH, "cake": "/api/cakes/1"},
}
READY: Final = {
    "status": "ready",
    "phase": "serving",
    "schema": "ok",
    "dependencies": {"postgres": "up", "redis": "up", "upstream": "up"},
}
NOT_READY: Final = {**READY, "status": "not ready", "phase": "draining"}

_EXTENSIONS: Final[dict[str, dict[str, Any]]] = {
    "bad-request": {"errors": [{"field": "limit", "message": "must be at most 100"}]},
    "invalid-cake": {"errors": [{"field": "yumFactor", "message": "must be a whole number from 1 to 5"}]},
    "not-a-cake": {
        "reason": "not-a-cake",
        "verdict": {
            **_VERDICT,
            "score": 0.0312,
            "decision": "reject",
            "labels": [{"name": "cake", "score": 0.0312}, {"name": "ice cream", "score": 0.8841}],
        },
        "submission": _PATH,
    },
    "image-unusable": {"reason": "image-unusable", "imageProblem": "not-an-image", "submission": _PATH},
    "submission-failed": {"reason": "upstream-refused", "submission": _PATH},
}


def problem(kind: problems.Kind) -> dict[str, Any]:
    """A problem of this kind."""
    return {
        "type": kind.type,
        "title": kind.title,
        "status": kind.status,
        "detail": kind.detail or kind.title,
        "instance": "/api/cakes",
        "request_id": "7d0b6f8e-9a63-4f0e-8d53-4f6f9f1b2c3d",
        **_EXTENSIONS.get(kind.slug, {}),
    }
