"""What the processes, and later the operator, must agree on: names, ports and versions. Data only."""

from typing import Final

ENV_PREFIX: Final = "CAKEGATE_"

#: Default ports. The console and metrics never share the gateway's.
GATEWAY_PORT: Final = 8000
ADMIN_PORT: Final = 8001
METRICS_PORT: Final = 9100
HEALTH_PORT: Final = 9101
SAMPLE_PORT: Final = 8900

#: Dramatiq queues. `judge` drives the autoscaling of workers; `create` is the writer's; `bulk` is nobody's hurry.
QUEUE_JUDGE: Final = "judge"
QUEUE_CREATE: Final = "create"
QUEUE_BULK: Final = "bulk"
QUEUES: Final = (QUEUE_JUDGE, QUEUE_CREATE, QUEUE_BULK)

#: Dramatiq's key prefix: the hash `dramatiq:judge.msgs` counts waiting and running work.
QUEUE_NAMESPACE: Final = "dramatiq"

#: Redis databases: Dramatiq scans all keys of its own (`KEYS`), so nothing else lives there.
REDIS_QUEUE_DATABASE: Final = 0
REDIS_REST_DATABASE: Final = 1

#: The newest migration that this code needs; `/readyz` fails below it.
SCHEMA_VERSION: Final = "0004"

#: The upstream's circuit breaker and fleet-wide cap go by this name in Postgres.
UPSTREAM_BREAKER: Final = "upstream-create"
