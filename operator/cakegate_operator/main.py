"""kopf's part: the resource itself wakes the operator. No handler does more than say which bakery to look at.

Each names its API group: one without would make kopf ask all groups at start, and wait for those that do not answer.
Handlers of `on.event` alone leave neither a finalizer nor an annotation on anything. Children are `watching`'s.
"""

from typing import Any

import kopf

from cakegate_operator import bakery, logins
from cakegate_operator.loop import Loop

REGISTRY = kopf.OperatorRegistry()


@kopf.on.login(registry=REGISTRY, errors=kopf.ErrorsMode.PERMANENT)
async def on_login(memo: kopf.Memo, **_: Any) -> kopf.ConnectionInfo:
    """At start, and whenever what was given has expired."""
    return logins.connection(memo.configuration)


@kopf.on.event(bakery.GROUP, bakery.VERSION, bakery.PLURAL, registry=REGISTRY)
async def on_bakery(namespace: str | None, name: str | None, memo: kopf.Memo, **_: Any) -> None:
    """The resource itself."""
    _loop(memo).wake(str(namespace), str(name))


def _loop(memo: kopf.Memo) -> Loop:
    loop: Loop = memo.loop
    return loop
