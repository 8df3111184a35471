"""A second model on the same picture, once all is done that anybody waits for. Its verdict is kept and never heeded."""

import asyncio
import functools

import structlog

from cakegate.adapters import metrics
from cakegate.adapters.pixels import protocol
from cakegate.adapters.store import shadowing
from cakegate.domain import submissions, verdicts
from cakegate.worker import wiring

_log = structlog.get_logger()

#: Longer than any model that could decide takes; the worker's place is kept from the next picture meanwhile.
MOST_SECONDS = 1.0


async def judge(
    context: wiring.Context,
    settled: submissions.Submission,
    decoded: protocol.Decoded,
) -> None:
    """Have the shadow judge a picture whose submission is settled; where that fails nothing else does."""
    assert context.judges is not None
    assert settled.verdict is not None
    shadow = context.judges.shadow
    # The same dice as for samples: with a share above theirs, all that people look at has both models' verdicts.
    if shadow is None or not submissions.is_sampled(settled.id, share=context.config.detector.shadow_share):
        return
    try:
        with metrics.stage("shadow"):
            verdict = await asyncio.get_running_loop().run_in_executor(
                context.judges.inference,
                functools.partial(shadow.judge, decoded.model_inputs[1], most_seconds=MOST_SECONDS),
            )
        await shadowing.record(context.db, settled.id, verdict)
    except Exception as error:  # noqa: BLE001 - whatever is wrong with a model on trial, what it looked at is done
        metrics.SHADOW_FAILURES.inc()
        _log.warning("shadow.failed", kind=type(error).__name__, error=str(error))
        return
    _count(verdict, primary=settled.verdict)


def _count(verdict: verdicts.Verdict, *, primary: verdicts.Verdict) -> None:
    labels = (verdict.model.name, verdict.model.version, verdicts.Role.SHADOW.value)
    metrics.VERDICTS.labels(*labels, verdict.decision.value).inc()
    metrics.SCORES.labels(*labels).observe(verdict.score)
    metrics.SHADOWED.labels(primary.decision.value, verdict.decision.value).inc()
    _log.info(
        "shadow.judged",
        score=round(verdict.score, 4),
        decision=verdict.decision.value,
        model=f"{verdict.model.name}/{verdict.model.version}",
    )
