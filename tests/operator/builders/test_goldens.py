import difflib
from collections.abc import Iterator
from typing import Any

import cases
import goldens
import pytest
import yaml

from cakegate_operator import bakery, crd


def differences(expected: str, actual: str) -> list[str]:
    return list(difflib.unified_diff(expected.splitlines(), actual.splitlines(), "golden", "built", lineterm="", n=4))


@pytest.mark.parametrize("case", cases.CASES, ids=lambda case: case.name)
def test_each_case_builds_its_golden_objects(case: cases.Case) -> None:
    golden = (goldens.FOLDER / f"{case.name}.yaml").read_text(encoding="utf-8")
    found = differences(golden, goldens.rendered(cases.objects(cases.case_inputs(case))))
    assert [] == found, "read the difference, and if it is meant: make goldens\n" + "\n".join(found)


def test_no_golden_is_left_of_a_case_that_is_gone() -> None:
    assert sorted(f"{case.name}.yaml" for case in cases.CASES) == sorted(each.name for each in goldens.FOLDER.iterdir())


def test_a_difference_is_shown_line_by_line() -> None:
    found = differences("a: 1\nb: 2\n", "a: 1\nb: 3\n")
    assert ["--- golden", "+++ built", "@@ -1,2 +1,2 @@", " a: 1", "-b: 2", "+b: 3"] == found


@pytest.mark.parametrize("case", cases.CASES, ids=lambda case: case.name)
def test_another_version_of_the_operator_alone_changes_nothing(case: cases.Case) -> None:
    now, later = (cases.case_inputs(case, operator_version=version) for version in ("1.0.0", "9.9.9"))
    assert cases.objects(now) == cases.objects(later)


def unknown(schema: dict[str, Any], value: Any, path: str) -> Iterator[str]:
    """Fields that a schema does not know: strict validation refuses them."""
    if isinstance(value, dict) and "properties" in schema:
        for name, inner in value.items():
            if name in schema["properties"]:
                yield from unknown(schema["properties"][name], inner, f"{path}.{name}")
            else:
                yield f"{path}.{name}"
    if isinstance(value, list):
        for inner in value:
            yield from unknown(schema["items"], inner, path)


@pytest.mark.parametrize("case", cases.CASES, ids=lambda case: case.name)
def test_no_case_has_a_field_that_the_definition_does_not_know(case: cases.Case) -> None:
    spec = yaml.safe_load(case.file.read_text(encoding="utf-8"))["spec"]
    assert [] == list(unknown(crd.schema_of(bakery.Spec), spec, "spec"))
