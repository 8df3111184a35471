"""Expressions of Prometheus that are needed again and again, each about one scope."""

from typing import Final

#: Stands for the labels of whatever an expression is about.
SCOPE: Final = "SCOPE"
#: Grafana's own choice of a window: long enough for two scrapes, and for the width of a picture.
SHOWN: Final = "$__rate_interval"


def within(expr: str, labels: dict[str, str]) -> str:
    """An expression about what has these labels. Their values hold no quotes: they are names of Kubernetes objects."""
    return expr.replace(SCOPE, ", ".join(f'{name}="{value}"' for name, value in labels.items()))


def select(metric: str, where: str = "") -> str:
    """A metric's series of the scope, and of these matchers."""
    return f"{metric}{{{SCOPE}{', ' if where else ''}{where}}}"


def grouped(*by: str) -> str:
    """`sum`, one for each value of these labels."""
    return f"sum by ({', '.join(by)})" if by else "sum"


def rate(metric: str, *by: str, where: str = "", over: str = SHOWN) -> str:
    """A counter's growth a second."""
    return f"{grouped(*by)} (rate({select(metric, where)}[{over}]))"


def increase(metric: str, *by: str, where: str = "", over: str = SHOWN) -> str:
    """A counter's growth."""
    return f"{grouped(*by)} (increase({select(metric, where)}[{over}]))"


def quantile(share: float, metric: str, *by: str, where: str = "", over: str = SHOWN) -> str:
    """What a share of a histogram's observations stays below."""
    return f"histogram_quantile({share}, {rate(f'{metric}_bucket', 'le', *by, where=where, over=over)})"


def held(metric: str, *by: str, **labels: str) -> str:
    """A gauge as the leading scheduler has it: one that no longer leads keeps the figures that it saw last."""
    where = ", ".join(f'{name}="{value}"' for name, value in labels.items())
    most = f"max by ({', '.join(by)})" if by else "max"
    return f"{most} ({select(metric, where)} and on (pod) {select('cakegate_scheduler_leader')} == 1)"
