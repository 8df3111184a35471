"""Alerts on the work behind a submission: queues, backlogs, leases, pictures."""

from typing import Final

from cakegate_operator.monitoring.promql import held, rate
from cakegate_operator.monitoring.rules import Alert, Group


def group(*, max_pending: int) -> Group:
    """`max_pending` is the number of waiting submissions above which the gateway takes in no more."""
    return Group(name="cakegate-work", rules=(*_queues(), *_backlogs(max_pending), *_mishaps(), *_pictures()))


def _queues() -> tuple[Alert, ...]:
    return (
        Alert(
            name="CakegateJudgeQueueOld",
            expr=f"{held('cakegate_queue_oldest_age_seconds', queue='judge')} > 30",
            lasting="10m",
            severity="warning",
            summary="submissions wait too long for a worker",
            description=(
                "The first submission on the queue judge has waited {{ $value | humanizeDuration }}. Clients wait 10 s"
                " by default: most of them get 202 now. There are too few workers, or they are held up."
            ),
        ),
        Alert(
            name="CakegateCreateQueueOld",
            expr=f"{held('cakegate_queue_oldest_age_seconds', queue='create')} > 120",
            lasting="10m",
            severity="warning",
            summary="accepted cakes wait too long for the writer",
            description=(
                "The first accepted cake on the queue create has waited {{ $value | humanizeDuration }}. While the"
                " upstream is down cakes do not wait here: the writer is missing, or held up."
            ),
        ),
        Alert(
            name="CakegateEnqueuesFailing",
            expr="sum(rate(cakegate_enqueue_failures_total{SCOPE}[5m])) > 0",
            lasting="10m",
            severity="warning",
            summary="Redis takes no work",
            description=(
                "{{ $value | humanize }} submissions a second could not be put on a queue. Nothing is lost: they are"
                " in Postgres, and the scheduler puts them there when Redis is back. Until then nothing is judged."
            ),
        ),
    )


def _backlogs(max_pending: int) -> tuple[Alert, ...]:
    waiting = f"{held('cakegate_submissions', state='pending')} + {held('cakegate_submissions', state='accepted')}"
    return (
        Alert(
            name="CakegateCreateBacklog",
            expr=f"{held('cakegate_submissions_oldest_age_seconds', state='accepted')} > 1800",
            lasting="5m",
            severity="warning",
            summary="accepted cakes are not created upstream",
            description=(
                "The oldest accepted submission came {{ $value | humanizeDuration }} ago and is not created yet: the"
                " upstream is down or slower than cakes come in."
            ),
        ),
        Alert(
            name="CakegateBacklogNearlyFull",
            expr=f"{waiting} > {max_pending * 8 // 10}",
            lasting="5m",
            severity="critical",
            summary="the gateway will soon take in no more submissions",
            description=(
                f"{{{{ $value | humanize }}}} submissions wait to be judged or created. At {max_pending} the gateway"
                " answers 503 to every new one."
            ),
        ),
        Alert(
            name="CakegateUncertainBacklog",
            expr=f"{held('cakegate_submissions_oldest_age_seconds', state='uncertain')} > 1800",
            lasting="10m",
            severity="warning",
            summary="creates whose answer was lost are not settled",
            description=(
                "The oldest uncertain submission came {{ $value | humanizeDuration }} ago. The scheduler settles them"
                " in about three minutes where it can read the upstream's list; else a person has to."
            ),
        ),
        Alert(
            name="CakegateReviewBacklog",
            expr=f"{held('cakegate_submissions_oldest_age_seconds', state='review')} > 86400",
            lasting="30m",
            severity="warning",
            summary="doubtful pictures wait for a person",
            description="The oldest submission in review came {{ $value | humanizeDuration }} ago.",
        ),
    )


def _mishaps() -> tuple[Alert, ...]:
    return (
        Alert(
            name="CakegateDoubles",
            expr="sum(increase(cakegate_upstream_doubles_total{SCOPE}[1h])) > 0",
            lasting="0m",
            severity="critical",
            summary="one submission made two cakes",
            description=(
                "The legacy API's list holds two cakes with one marker. That must never happen: see who writes there"
                " besides Cakegate, and how long it takes to finish a write."
            ),
        ),
        Alert(
            name="CakegateLeasesExpiring",
            expr="sum by (state) (increase(cakegate_leases_expired_total{SCOPE}[15m])) > 5",
            lasting="5m",
            severity="warning",
            summary="processes lose submissions that they work on",
            description=(
                "{{ $value | humanize }} leases of submissions in {{ $labels.state }} ran out in 15 minutes: who held"
                " them died, hung, or could not reach Postgres."
            ),
        ),
        Alert(
            name="CakegateFlowsFailing",
            expr="sum by (queue) (increase(cakegate_flows_failed_total{SCOPE}[15m])) > 0",
            lasting="0m",
            severity="warning",
            summary="work ends in errors that nobody expected",
            description=(
                "{{ $value | humanize }} runs of the queue {{ $labels.queue }} ended in an unexpected error in 15"
                " minutes: a fault of Cakegate's. The submissions are tried again, ever more rarely."
            ),
        ),
    )


def _pictures() -> tuple[Alert, ...]:
    fetches = rate("cakegate_fetches_total", over="10m")
    drift = held("cakegate_score_drift", "model", "version", against="mix")
    measured = held("cakegate_score_drift_verdicts", "model", "version")
    unreachable = rate("cakegate_fetches_total", where='outcome="PictureUnreachable"', over="10m")
    return (
        Alert(
            name="CakegateDecoderDeaths",
            expr="sum(increase(cakegate_decoder_deaths_total{SCOPE}[1h])) > 10",
            lasting="0m",
            severity="warning",
            summary="decoders die of pictures",
            description=(
                "{{ $value | humanize }} decoding children died in an hour. Somebody sends pictures made to kill them,"
                " or they have too little memory."
            ),
        ),
        Alert(
            name="CakegateFetchesFailing",
            expr=f"{unreachable} / {fetches} > 0.5",
            lasting="15m",
            severity="warning",
            summary="pictures cannot be fetched",
            description=(
                "{{ $value | humanizePercentage }} of pictures' hosts cannot be reached. When it is that many, the"
                " trouble is more likely here: DNS, a proxy, a network policy."
            ),
        ),
        Alert(
            name="CakegateScoreDrift",
            expr=f"{drift} > 0.25 and on (model, version) {measured} >= {_DRIFT_VERDICTS}",
            lasting="1h",
            severity="warning",
            summary="pictures score otherwise than those that the model was validated on",
            description=(
                "The latest scores of {{ $labels.model }} {{ $labels.version }} have a population stability index of"
                " {{ $value | humanize }} against its validation pictures, in whatever mix of cakes and others fits"
                " best. Other pictures come than it knows, or what it is given to see has changed."
            ),
        ),
    )


#: Of fewer scores the index is more than half of its limit by chance (docs/runbooks/CakegateScoreDrift.md).
_DRIFT_VERDICTS: Final = 200
