"""The goldens: what the builders make of each case. `make goldens` writes them anew; read the difference before."""

import sys
from pathlib import Path
from typing import Any

import yaml

sys.path.insert(0, str(Path(__file__).parent))

import cases

from cakegate_operator.inputs import Object

FOLDER = Path(__file__).parent / "golden"
#: Their contents have tests and sources of their own (tests/operator/monitoring).
_CONTENT_ELSEWHERE = {"ConfigMap": "data", "PrometheusRule": "spec"}


class _Dumper(yaml.SafeDumper):
    """YAML without anchors: what is said twice stands there twice."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)


def rendered(objects: list[Object]) -> str:
    """Objects as YAML, in the order in which they are applied."""
    shown = [each | {key: "(elsewhere)"} if (key := _CONTENT_ELSEWHERE.get(each["kind"])) else each for each in objects]
    # Flow style for what holds nothing but scalars: half as many lines to read.
    return yaml.dump_all(shown, Dumper=_Dumper, sort_keys=False, width=120, allow_unicode=True, default_flow_style=None)


def main() -> None:
    """Write all of them, and remove those of cases that are gone."""
    FOLDER.mkdir(exist_ok=True)
    for old in FOLDER.glob("*.yaml"):
        old.unlink()
    for case in cases.CASES:
        made = cases.objects(cases.case_inputs(case))
        (FOLDER / f"{case.name}.yaml").write_text(rendered(made), encoding="utf-8")


if __name__ == "__main__":
    main()
