"""The operator's own rules and dashboard, as files for its chart.

`python -m cakegate_operator.monitoring.files FOLDER` writes them. The chart puts in what it alone knows, for
`__OPERATOR__` which installation this is, for `__RUNBOOKS__` where the runbooks are.
"""

import sys
from pathlib import Path
from typing import Final

import yaml

from cakegate_operator.monitoring import own_dashboard, own_rules, panels, rules

RULES: Final = "operator-rules.yaml"
DASHBOARD: Final = "operator-dashboard.json"
OPERATOR_TOKEN: Final = "__OPERATOR__"  # noqa: S105 - a place to fill in, no password
RUNBOOKS_TOKEN: Final = "__RUNBOOKS__"  # noqa: S105 - the same

_HEAD: Final = "# Generated from operator/cakegate_operator/monitoring/own_rules.py; a test keeps it so.\n"


def contents() -> dict[str, str]:
    """What each file is to hold."""
    subject = rules.Subject(
        selects={own_rules.LABEL: OPERATOR_TOKEN},
        labels={own_rules.LABEL: OPERATOR_TOKEN},
        title="Cakegate operator",
        runbook_url=f"{RUNBOOKS_TOKEN}{{alert}}",
    )
    found = {"groups": rules.rendered(own_rules.groups(), subject)}
    return {RULES: _HEAD + yaml.safe_dump(found, sort_keys=False, width=120), DASHBOARD: _dashboard() + "\n"}


def _dashboard() -> str:
    dashboard = own_dashboard.OPERATOR
    installations = f"label_values(cakegate_operator_build_info, {own_rules.LABEL})"
    return panels.rendered(
        dashboard,
        uid="cakegate-operator",
        title=dashboard.title,
        selects={own_rules.LABEL: f"${own_rules.LABEL}"},
        variables=[panels.Variable(name=own_rules.LABEL, query=installations)],
    )


def main(folder: Path) -> None:
    """Write them."""
    for name, text in contents().items():
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
