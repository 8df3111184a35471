"""Values that the store's tests share."""

from cakegate.adapters.store import creating
from cakegate.domain import verdicts
from cakegate.domain.submissions import Picture

MODEL = verdicts.Model(name="test", version="1", sha256="0" * 64)
THRESHOLDS = verdicts.Thresholds(accept=0.7, review=0.3)
PICTURE = Picture(sha256=b"\x01" * 32, size_bytes=1234, format="jpeg", width=640, height=480)
PACE = creating.Pace(concurrency=8, lease_seconds=60, send_deadline_seconds=20)
