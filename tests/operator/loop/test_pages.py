from pathlib import Path

import msgspec

from cakegate_operator import environment, metrics

PAGE = Path(__file__, "../../../../docs/operator/operations.md").resolve().read_text()


def test_every_setting_of_the_operator_stands_on_its_page():
    fields = [
        f"`{environment.PREFIX}{field.name.upper()}`" for field in msgspec.structs.fields(environment.Environment)
    ]
    assert [] == [name for name in fields if name not in PAGE]


def test_every_metric_of_the_operator_stands_on_its_page():
    own = [each for each in metrics.REGISTRY.collect() if each.name.startswith("cakegate")]
    named = [each.name + ("_total" if each.type == "counter" else "") for each in own]
    assert [] == [name for name in named if name not in PAGE]
