"""The `CakeBakery` status as types. Slow facts alone: what changes by the second is a metric."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta


class Condition(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One condition, as all of Kubernetes has them."""

    type: Annotated[str, Meta(max_length=64, description="What it is about.")]
    status: Annotated[Literal["True", "False", "Unknown"], Meta(description="Whether it holds.")]
    reason: Annotated[str, Meta(max_length=64, description="Why, in one word.")]
    message: Annotated[str, Meta(max_length=4096, description="Why, for a person.")]
    last_transition_time: Annotated[str, Meta(max_length=40, description="Since when its status is that.")]
    observed_generation: Annotated[int, Meta(description="Of which generation this is said.")]


class Rolled(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """How many pods a component has. Zeros are written too: of a map that becomes empty, an apply makes null."""

    replicas: Annotated[int, Meta(description="Pods.")]
    ready_replicas: Annotated[int, Meta(description="Those that are ready.")]
    updated_replicas: Annotated[int, Meta(description="Those of the newest template.")]
    autoscaler_name: Annotated[str | None, Meta(description="What decides on their number.")] = None


class Status(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """How a bakery stands."""

    observed_generation: Annotated[int | None, Meta(description="The generation that this is about.")] = None
    operator_version: Annotated[str | None, Meta(description="Version of the operator that said so.")] = None
    target_version: Annotated[str | None, Meta(description="Version of Cakegate that is to run.")] = None
    last_successful_version: Annotated[str | None, Meta(description="The newest that ran completely.")] = None
    database_revision: Annotated[str | None, Meta(description="The schema's version after the last migration.")] = None
    last_handled_reconcile_at: Annotated[
        str | None, Meta(description="Value of the annotation cakegate.dev/requestedAt that was handled last.")
    ] = None
    last_handled_restart_at: Annotated[
        str | None, Meta(description="Value of the annotation kubectl.kubernetes.io/restartedAt that was handled last.")
    ] = None
    url: Annotated[str | None, Meta(description="Where the API is, as far as the operator knows.")] = None
    gateway: Annotated[Rolled | None, Meta(description="The gateways.")] = None
    worker: Annotated[Rolled | None, Meta(description="The judges.")] = None
    writer: Annotated[Rolled | None, Meta(description="The writers.")] = None
    scheduler: Annotated[Rolled | None, Meta(description="The schedulers.")] = None
    conditions: Annotated[list[Condition] | None, Meta(description="All that is to be said.")] = None
