"""Dashboards as types, and how Grafana reads them.

Panels are placed row by row from the left, as wide as they say, so that no one writes coordinates.
"""

import json
from collections.abc import Iterator, Sequence
from typing import Any, Final, Literal

import msgspec

from cakegate_operator.monitoring import promql

Object = dict[str, Any]

#: The version of Grafana's model of a dashboard that this is written for (Grafana 11); newer ones read it.
_SCHEMA_VERSION: Final = 39
_COLUMNS: Final = 24
_DATASOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}

Kind = Literal["timeseries", "stat", "heatmap", "table", "state-timeline"]


class Query(msgspec.Struct, frozen=True):
    """What is asked of Prometheus, and the name of each series: `{{queue}}` stands for a label."""

    expr: str
    legend: str = ""


def rates(metric: str, *by: str, where: str = "", legend: str = "") -> Query:
    """A counter's growth a second, its series named by the labels that they differ in."""
    return Query(promql.rate(metric, *by, where=where), legend or _named(by))


def increases(metric: str, *by: str, where: str = "", over: str = promql.SHOWN, legend: str = "") -> Query:
    """A counter's growth."""
    return Query(promql.increase(metric, *by, where=where, over=over), legend or _named(by))


def quantiles(metric: str, *shares: float, where: str = "") -> tuple[Query, ...]:
    """What these shares of a histogram's observations stay below."""
    return tuple(Query(promql.quantile(share, metric, where=where), f"{share:.0%}") for share in shares)


def _named(by: Sequence[str]) -> str:
    return " ".join(f"{{{{{label}}}}}" for label in by)


class Panel(msgspec.Struct, frozen=True, kw_only=True):
    """One picture. `unit` is one of Grafana's; `below` and `above` colour a stat: red below, or above, that value."""

    title: str
    queries: tuple[Query, ...]
    about: str = ""
    kind: Kind = "timeseries"
    unit: str = "short"
    width: int = 8
    height: int = 8
    stacked: bool = False
    below: float | None = None
    above: float | None = None


class Row(msgspec.Struct, frozen=True):
    """Panels under a title."""

    title: str
    panels: tuple[Panel, ...]


class Variable(msgspec.Struct, frozen=True, kw_only=True):
    """What a person picks: one value of a label. `value` is what it is at first."""

    name: str
    query: str
    value: str = ""


class Dashboard(msgspec.Struct, frozen=True, kw_only=True):
    """A page of rows. `slug` is part of its address and never changes."""

    slug: str
    title: str
    rows: tuple[Row, ...]
    tags: tuple[str, ...] = ("cakegate",)


def rendered(
    dashboard: Dashboard, *, uid: str, title: str, selects: dict[str, str], variables: Sequence[Variable]
) -> str:
    """A dashboard as Grafana reads it; `selects` is what stands for SCOPE in its queries."""
    body = {
        "uid": uid,
        "title": title,
        "tags": list(dashboard.tags),
        "schemaVersion": _SCHEMA_VERSION,
        "version": 1,
        "editable": False,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": {"from": "now-3h", "to": "now"},
        "timezone": "",
        "templating": {"list": [_datasource(), *(_variable(each) for each in variables)]},
        "panels": [_placed(panel, selects) for panel in _layout(dashboard.rows)],
    }
    return json.dumps(body, separators=(",", ":"), ensure_ascii=False)


def exprs(dashboard: Dashboard) -> Iterator[str]:
    """All that it asks."""
    return (query.expr for row in dashboard.rows for panel in row.panels for query in panel.queries)


def _datasource() -> Object:
    return {
        "name": "datasource",
        "label": "Data source",
        "type": "datasource",
        "query": "prometheus",
        "current": {},
        "hide": 0,
    }


def _variable(variable: Variable) -> Object:
    current = {"text": variable.value, "value": variable.value} if variable.value else {}
    return {
        "name": variable.name,
        "label": variable.name.capitalize(),
        "type": "query",
        "datasource": _DATASOURCE,
        "definition": variable.query,
        "query": {"query": variable.query, "refId": variable.name},
        "current": current,
        "refresh": 2,
        "sort": 1,
        "hide": 0,
    }


class _Place(msgspec.Struct, frozen=True):
    """A panel, or a row's title, and where it stands."""

    number: int
    x: int
    y: int
    what: Panel | str


def _layout(rows: Sequence[Row]) -> Iterator[_Place]:
    number, y = 0, 0
    for row in rows:
        number += 1
        yield _Place(number, 0, y, row.title)
        y += 1
        x, tallest = 0, 0
        for panel in row.panels:
            if x + panel.width > _COLUMNS:
                x, y, tallest = 0, y + tallest, 0
            number += 1
            yield _Place(number, x, y, panel)
            x, tallest = x + panel.width, max(tallest, panel.height)
        y += tallest


def _placed(place: _Place, selects: dict[str, str]) -> Object:
    where = {"id": place.number, "gridPos": {"x": place.x, "y": place.y, "w": _COLUMNS, "h": 1}}
    if isinstance(place.what, str):
        return {**where, "type": "row", "title": place.what, "collapsed": False, "panels": []}
    panel = place.what
    where["gridPos"] = {"x": place.x, "y": place.y, "w": panel.width, "h": panel.height}
    return {
        **where,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.about,
        "datasource": _DATASOURCE,
        "fieldConfig": {"defaults": _defaults(panel), "overrides": []},
        "options": _OPTIONS[panel.kind],
        "targets": [_target(letter, query, panel, selects) for letter, query in zip("ABCDEFGH", panel.queries)],  # noqa: B905 - there are more letters than queries
    }


def _target(letter: str, query: Query, panel: Panel, selects: dict[str, str]) -> Object:
    target: Object = {
        "refId": letter,
        "datasource": _DATASOURCE,
        "expr": promql.within(query.expr, selects),
        "legendFormat": query.legend or "__auto",
    }
    if panel.kind in {"stat", "table"}:
        target |= {"instant": True, "range": False}
    if panel.kind in {"heatmap", "table"}:
        target["format"] = panel.kind
    return target


def _defaults(panel: Panel) -> Object:
    defaults: Object = {"unit": panel.unit}
    if panel.kind == "timeseries":
        stacking = {"mode": "normal" if panel.stacked else "none", "group": "A"}
        custom = {"lineWidth": 1, "fillOpacity": 30 if panel.stacked else 5, "stacking": stacking}
        defaults |= {"min": 0, "color": {"mode": "palette-classic"}, "custom": custom}
    if panel.kind in {"stat", "state-timeline"}:
        defaults |= {"color": {"mode": "thresholds"}, "thresholds": {"mode": "absolute", "steps": _steps(panel)}}
    return defaults


def _steps(panel: Panel) -> list[Object]:
    """From which value on something has which colour."""
    if panel.kind == "state-timeline":
        return [_step("orange"), _step("#808080", 0), _step("green", 1)]
    if panel.below is not None:
        return [_step("red"), _step("green", panel.below)]
    if panel.above is not None:
        return [_step("green"), _step("red", panel.above)]
    return [_step("green")]


def _step(color: str, value: float | None = None) -> Object:
    return {"color": color, "value": value}


_OPTIONS: Final[dict[str, Object]] = {
    "timeseries": {
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
        "tooltip": {"mode": "multi", "sort": "desc"},
    },
    "stat": {"colorMode": "background", "graphMode": "none", "reduceOptions": {"calcs": ["lastNotNull"]}},
    "heatmap": {"calculate": False, "yAxis": {"unit": "short"}, "color": {"scheme": "Oranges", "steps": 64}},
    "table": {"showHeader": True},
    "state-timeline": {"showValue": "never", "mergeValues": True},
}
