"""A bakery that does well, and days of submissions that do more or less so; in the notation of `rule_cases`."""

import re

import msgspec
from rule_cases import BAKERY, LEADS, Series, gauge


def _healthy() -> Series:
    found = dict(LEADS)
    for case in BAKERY:
        found |= case.holds
    for component in ("gateway", "worker", "writer", "scheduler"):
        found[f'cakegate_ready{{SCOPE, pod="{component}-0", component="{component}"}}'] = "1x200"
        found[f'up{{SCOPE, pod="{component}-0", component="{component}"}}'] = "1x200"
    found |= {**LEADS, **gauge("cakegate_queue_oldest_age_seconds", "5", queue="judge"), **_CALM}
    # Each goes on as it ends, for longer than anybody looks.
    return {name: re.sub(r"x\d+$", "x200", values) for name, values in found.items()}


#: What `holds` has of things that come close for one alert and are too much for another, or for long.
_CALM = {
    **gauge("cakegate_submissions_oldest_age_seconds", "60", state="accepted"),
    **gauge("cakegate_submissions_oldest_age_seconds", "7200", state="review"),
    'cakegate_ready{SCOPE, pod="w-0", component="worker"}': "1x200",
    'cakegate_sweep_duration_seconds_count{SCOPE, pod="s-0"}': "500+50x200",
    'cakegate_leases_expired_total{SCOPE, pod="s-0", state="judging"}': "0x200",
}
HEALTHY = _healthy()


class History(msgspec.Struct, frozen=True, kw_only=True):
    """Days of submissions, and which windows of CakegateSubmitErrors see too many failures at which time."""

    title: str
    good: str
    bad: str
    windows: dict[str, list[str]]


HISTORIES = (
    History(
        title="one in 600 fails for hours: only the longest window minds",
        good="0+599x600",
        bad="0+1x600",
        windows={"8h": ["3d"]},
    ),
    History(
        title="after six good hours one in five fails: the shortest window is the first to see it",
        good="0+500x360 180000+400x60",
        bad="0x360 0+100x60",
        windows={"6h": [], "6h11m": ["1h"]},
    ),
    History(
        title="all fail for four minutes, then none: soon nobody is woken any more, and a ticket stays",
        good="0+500x360 180000x3 180500+500x120",
        bad="0x360 500+500x3 2000x120",
        windows={"6h5m": ["1h"], "6h40m": ["1d"]},
    ),
    History(
        title="two failures in an hour, of forty requests",
        good="0x10 20+0x20 38x60",
        bad="0x10 1x20 2x60",
        windows={"20m": [], "90m": []},
    ),
)
