"""Postgres, the truth: the home of psycopg, alembic and all SQL.

- ``pool``: connections, and psycopg's errors turned into ours.
- ``migrations``: the schema, as numbered SQL.
- ``submissions``: accepting and finding submissions.
- ``moves``: the one shape of a transition; ``judging``, ``creating``, ``reviewing``: the transitions themselves.
- ``settling``: uncertain creates, by what is found upstream.
- ``breaker``: the circuit breaker of creates.
- ``sweeping``: what the scheduler finds stranded.
- ``deletions``, ``renditions``: records of DELETEs, and which renditions exist.
- ``leadership``: one leader at a time.
"""
