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

_SHADOWED: Final = "cakegate_shadow_verdicts_total"
_SAMPLES: Final = "cakegate_samples"


def _agreement() -> str:
    same = [
        promql.rate(_SHADOWED, where=f'primary="{each}", shadow="{each}"', over="1h")
        for each in ("accept", "review", "reject")
    ]
    return f"({' + '.join(same)}) / {promql.rate(_SHADOWED, over='1h')}"


def _wrongly_accepted() -> str:
    by = ("model", "version")
    wrong, right = (promql.held(_SAMPLES, *by, opinion=each) for each in ("not-cake", "cake"))
    return f"{wrong} / ({wrong} + {right})"


_TRUST: Final = Row(
    "Trust",
    (
        Panel(
            title="Drift of scores",
            about="Population stability index of the latest 1,000 scores against the validation pictures: below 0.1 as"
            " chance has it, from 0.25 other pictures come. `mix`: against them in the mix of cakes and others that"
            " fits best; `validation`: as they were.",
            queries=(
                Query(
                    promql.held("cakegate_score_drift", "model", "version", "against"),
                    "{{model}} {{version}} {{against}}",
                ),
            ),
        ),
        Panel(
            title="Verdicts that drift was measured on",
            about="Of fewer than 200 it says little.",
            queries=(Query(promql.held("cakegate_score_drift_verdicts", "model", "version"), "{{model}} {{version}}"),),
        ),
        Panel(
            title="Sampled ones that are no cakes, in 30 days",
            about="Of accepted pictures that people were shown and said something of: the share accepted wrongly.",
            queries=(Query(_wrongly_accepted(), "{{model}} {{version}}"),),
            unit="percentunit",
        ),
        Panel(title="Decisions by model", queries=(rates(_VERDICTS, "model", "role", "decision"),), unit="reqps"),
        Panel(
            title="Primary and shadow agree",
            about="Pictures on which both decide the same; `cakegate model compare` says where they do not.",
            queries=(Query(_agreement(), "agree"),),
            unit="percentunit",
        ),
        Panel(
            title="What the shadow could not judge",
            queries=(increases("cakegate_shadow_failures_total", over="1h", legend="in 1 h"),),
        ),
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

DETECTOR: Final = Dashboard(slug="detector", title="Cakegate detector", rows=(_JUDGING, _TRUST, _PICTURES))
