"""What the processes and the operator really export, and what an expression asks for."""

import functools
import re
import subprocess
import sys
from pathlib import Path

import msgspec
from prometheus_client import parser

#: Given by Prometheus to all that it scrapes, as the ServiceMonitors say.
TARGET_LABELS = {"namespace", "pod", "bakery", "component", "operator"}
#: Not ours: of Prometheus, of any process (prometheus_client, on Linux), of the kubelet.
FOREIGN = {
    "up": set(),
    "process_start_time_seconds": set(),
    "process_resident_memory_bytes": set(),
    "process_cpu_seconds_total": set(),
    "kubelet_volume_stats_used_bytes": {"namespace", "persistentvolumeclaim"},
    "kubelet_volume_stats_capacity_bytes": {"namespace", "persistentvolumeclaim"},
}

#: In a process of its own, where a label's value more does no harm: what has labels shows nothing without one.
_EXPORT = """
import prometheus_client
from prometheus_client.metrics import MetricWrapperBase
from cakegate.adapters import metrics
from cakegate_operator import metrics as own

for module in (metrics, own):
    for metric in vars(module).values():
        if isinstance(metric, MetricWrapperBase) and metric._labelnames:
            metric.labels(*("any" for _ in metric._labelnames))
metrics.watch_pool(dict)
print(prometheus_client.generate_latest().decode() + prometheus_client.generate_latest(own.REGISTRY).decode())
"""

_SELECTOR = re.compile(r"([a-zA-Z_:][\w:]*)\{([^{}]*)\}")
_MATCHER = re.compile(r'(\w+)\s*(=~|!~|!=|=)\s*"([^"]*)"')
_GROUPING = re.compile(r"\b(?:by|on)\s*\(([^()]*)\)")
#: What an expression holds besides selectors and groupings.
_WORDS = {"rate", "increase", "sum", "max", "min", "count", "absent", "changes", "vector", "scalar", "avg_over_time",
          "sum_over_time", "histogram_quantile", "by", "on", "and", "or"}  # fmt: skip


class Selector(msgspec.Struct, frozen=True):
    """One selector of an expression: its metric, and (label, operator, value) of each matcher."""

    metric: str
    matchers: tuple[tuple[str, str, str], ...]


@functools.cache
def text() -> str:
    """All metrics, as they are scraped."""
    operator = Path(__file__).parents[3] / "operator"
    path = f"import sys; sys.path.insert(0, {str(operator)!r})\n"
    ended = subprocess.run([sys.executable, "-c", path + _EXPORT], capture_output=True, text=True, check=True)
    return ended.stdout


@functools.cache
def samples() -> dict[str, set[str]]:
    """Each metric's own labels."""
    found: dict[str, set[str]] = {name: set(labels) for name, labels in FOREIGN.items()}
    for family in parser.text_string_to_metric_families(text()):
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found


@functools.cache
def buckets(metric: str) -> set[str]:
    """Bounds of a histogram's buckets."""
    return set(re.findall(rf'^{metric}\{{.*?\ble="([^"]+)"', text(), re.MULTILINE))


def selectors(expr: str) -> list[Selector]:
    """What it selects."""
    return [Selector(name, tuple(_MATCHER.findall(matchers))) for name, matchers in _SELECTOR.findall(expr)]


def groupings(expr: str) -> set[str]:
    """Labels that it groups or joins by."""
    return {label.strip() for found in _GROUPING.findall(expr) for label in found.split(",")} - {""}


def unselected(expr: str) -> set[str]:
    """Names outside selectors that are no function: a metric without its scope would be everybody's."""
    rest = re.sub(r"\[[^\]]*\]", "", _GROUPING.sub(" ", _SELECTOR.sub(" ", expr)))
    return set(re.findall(r"[a-zA-Z_:][\w:]*", rest)) - _WORDS
