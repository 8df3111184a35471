"""What the model says, and of which pictures."""

from typing import Final

from cakegate_operator.monitoring import promql
from cakegate_operator.monitoring.panels import Dashboard, Panel, Query, Row, increases, rates

_STAGES: Final = ("fetch", "decode", "infer", "render")
_VERDICTS: Final = "cakegate_verdicts_total"


#: A shadow's verdicts are nobody's but a comparison's.
_PRIMARY: Final = 'role="primary"'


def _verdicts(*by: str) -> str:
    return promql.rate(_VERDICTS, *by, where=_PRIMARY)


def _mean_score() -> str:
    by = ("model", "version", "role")
    totals = promql.rate("cakegate_verdict_score_sum", *by, over="1h")
    return f"{totals} / {promql.rate('cakegate_verdict_score_count', *by, over='1h')}"


def _stage(name: str) -> Query:
    where = f'stage="{name}"'
    return Query(promql.quantile(0.95, "cakegate_stage_duration_seconds", where=where), name)


_JUDGING: Final = Row(
    "Verdicts",
    (
        Panel(title="Verdicts", queries=(rates(_VERDICTS, "decision", where=_PRIMARY),), unit="reqps", stacked=True),
        Panel(
            title="Shares of verdicts",
            about="A share moves and nobody changed the model: other pictures come, which it may not fit.",
            queries=(Query(f"{_verdicts('decision')} / scalar({_verdicts()})", "{{decision}}"),),
            unit="percentunit",
            stacked=True,
        ),
        Panel(title="Models at work", queries=(rates(_VERDICTS, "model", "version", "role"),), unit="reqps"),
        Panel(
            title="Scores",
            queries=(increases("cakegate_verdict_score_bucket", "le", where=_PRIMARY),),
            kind="heatmap",
            width=16,
        ),
        Panel(title="Mean score", queries=(Query(_mean_score(), "{{model}} {{version}} {{role}}"),)),
    ),
)

_PICTURES: Final = Row(
    "Pictures",
    (
        Panel(
            title="Fetches by outcome",
            queries=(rates("cakegate_fetches_total", "outcome"),),
            unit="reqps",
            stacked=True,
        ),
        Panel(title="Bytes fetched", queries=(rates("cakegate_fetched_bytes_total", legend="all"),), unit="Bps"),
        Panel(title="95% take less than", queries=tuple(_stage(each) for each in _STAGES), unit="s"),
        Panel(
            title="Decoders that died",
            queries=(increases("cakegate_decoder_deaths_total", over="1h", legend="in 1 h"),),
        ),
        Panel(title="Renditions", queries=(rates("cakegate_renditions_total", "preset", "format"),), unit="reqps"),
        Panel(
            title="Submissions that ended for their picture",
            queries=(
                rates("cakegate_submission_transitions_total", "reason", where='reason=~"image-.*|poison|not-a-cake"'),
            ),
            unit="reqps",
        ),
    ),
)

DETECTOR: Final = Dashboard(slug="detector", title="Cakegate detector", rows=(_JUDGING, _PICTURES))
