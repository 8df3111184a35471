"""Images of managed servers that the operator chose by default, and that have run: a new default leaves them alone.

Defaults are the operator's, for all bakeries: one that cannot be pulled would take every database of a cluster at once.
What runs goes on running until its resource names an image, or another version of Cakegate, which is a change that
somebody asked for. What never ran is not held on to: a wrong default is mended by a right one.
"""

from typing import Final

from cakegate_operator import names, owned
from cakegate_operator.inputs import Object, Release
from cakegate_operator.seen import Seen, dig

#: Written down where the resource names the image: when it no longer does, what runs was not our choice.
NONE: Final = ""


def images(seen: Seen, release: Release, version: str, *, running: str | None) -> dict[str, str]:
    """By component. `version` is what is to run, `running` what the processes were last made of."""
    major = str(seen.spec.database.managed.major) if seen.spec.database.managed else ""
    # Server: what the resource says, what the operator says.
    asked = {
        names.POSTGRES: (seen.spec.images.postgres, release.postgres_image.replace("{major}", major)),
        names.REDIS: (seen.spec.images.redis, release.redis_image),
    }
    found = {}
    for component, (chosen, default) in asked.items():
        live = seen.child("StatefulSet", component)
        image = _proven(live, chosen, default) if live else None
        if image is not None and (image in {default, NONE} or running in {None, version}):
            found[component] = image
    return found


def _proven(live: Object, chosen: str | None, default: str) -> str | None:
    """What was written down, else what runs now, unless the resource chose it; None where nothing can be said yet."""
    noted = owned.annotation(live, names.PROVEN_IMAGE)
    if noted:
        return noted
    if chosen:
        return NONE
    containers: list[Object] = dig(live, "spec", "template", "spec", "containers", default=[])
    runs = next((str(each["image"]) for each in containers), None) if _runs(live) else None
    # Where the resource named one until now, that still runs, and is not to stay.
    return runs if noted is None or runs == default else NONE


def _runs(live: Object) -> bool:
    """Whether a pod of the set as it stands there is ready."""
    status = live.get("status") or {}
    seen: int = status.get("observedGeneration", 0)
    if seen < live["metadata"]["generation"]:
        return False
    return bool(status.get("updatedReplicas") and status.get("readyReplicas"))
