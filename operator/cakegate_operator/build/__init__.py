"""Which objects a bakery needs: pure builders, a module a component, each `objects(inputs) -> list[Object]`.

They know no clock, no chance and no cluster. `desired` puts them in order; `references` says which Secrets they read,
`credentials.wanted` which of those are ours to make; `kept` and `rivals` what pruning has to know besides.
"""

from types import ModuleType
from typing import Final

from cakegate_operator import bakery
from cakegate_operator.build import (
    autoscaling,
    cloudnativepg,
    dumps,
    exposure,
    gateway,
    migration,
    monitoring,
    network,
    pods,
    postgres,
    redis,
    sample,
    scheduler,
    worker,
    writer,
)
from cakegate_operator.build.objects import Ref, ref
from cakegate_operator.inputs import Inputs, Object

FOUNDATION: Final = "foundation"
MIGRATION: Final = "migration"
PROCESSES: Final = "processes"

#: In this order, each when the one before is done. The recorder and the console will be further modules of the last.
STAGES: Final[tuple[tuple[str, tuple[ModuleType, ...]], ...]] = (
    (FOUNDATION, (network, postgres, cloudnativepg, redis, sample)),
    (MIGRATION, (migration,)),
    (PROCESSES, (gateway, worker, writer, scheduler, exposure, dumps, monitoring)),
)


def desired(inputs: Inputs) -> dict[str, list[Object]]:
    """All objects of a bakery by stage, in the order in which they are to be applied."""
    return {stage: [each for module in modules for each in module.objects(inputs)] for stage, modules in STAGES}


def references(inputs: Inputs) -> list[bakery.SecretKey]:
    """The keys of Secrets that a bakery reads. What the facts say of their values changes nothing here."""
    found = {(key.name, key.key) for key in (autoscaling.redis_source(inputs),) if key}
    found.update(pods.references(list(desired(inputs).values())))
    return [bakery.SecretKey(name=name, key=key) for name, key in sorted(found)]


def kept(inputs: Inputs) -> frozenset[Ref]:
    """Objects that must stay though they are not desired, since it is unknown whether their API is there.

    Besides, nothing of an API in `facts.unknown_apis` is to be pruned, and nothing labelled `names.KEPT`, ever.
    """
    return autoscaling.kept(inputs)


def rivals(inputs: Inputs) -> frozenset[Ref]:
    """Objects that must be gone before the stage `processes` is applied: a second autoscaler."""
    return autoscaling.rivals(inputs)


__all__ = ["FOUNDATION", "MIGRATION", "PROCESSES", "STAGES", "Ref", "desired", "kept", "ref", "references", "rivals"]
