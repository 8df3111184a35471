"""The OpenAPI document and the gateway agree: whatever is sent, the answer is one that the document tells of.

Requests are made from the document: such as it allows, such as it does not, and such as name what there is. The legacy
API behind the gateway fails in all its ways meanwhile.
"""

import functools

import hypothesis
import pytest
import schemathesis
import stages
from hypothesis import strategies as st
from schemathesis.specs.openapi import checks

from cakegate.gateway import openapi
from cakegate.local.sample import Faults

SCHEMA = schemathesis.openapi.from_dict(openapi.document())
OPERATIONS = {found.ok().definition.raw["operationId"]: found.ok() for found in SCHEMA.get_all_operations()}
#: What deletes comes last: until then there is something to ask for.
NAMES = sorted(OPERATIONS, key=lambda name: OPERATIONS[name].method.upper() == "DELETE")
CHECKS = [
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
    checks.negative_data_rejection,
]
TROUBLES = Faults(
    error_share=0.02, unavailable_share=0.01, garbage_share=0.02, redirect_share=0.01, busy_share=0.02,
    drop_request_share=0.02, drop_answer_share=0.02, error_after_share=0.02, redirect_after_share=0.01,
)  # fmt: skip
CAKE = {"name": "Lemon tart", "comment": "Of lemon", "imageUrl": "http://p.example/l", "yumFactor": 3}
CHANGE = {"name": "Lemon pie", "comment": "Of lemon", "yumFactor": 4}
#: Stand for ids that are made while the cases run: a case holds a number, and gets the id before it is sent.
_KNOWN = {"submission_id": "submission-{}", "cake_id": "cake-{}"}
_GOOD = schemathesis.GenerationMode.POSITIVE
_BAD = schemathesis.GenerationMode.NEGATIVE
# The stage's thread draws random numbers while Hypothesis makes a case, which takes them for the case's own.
pytestmark = pytest.mark.filterwarnings("ignore:Do not use the `random` module inside strategies")


def cases(name: str) -> st.SearchStrategy:
    """Requests of one operation."""
    operation = OPERATIONS[name]
    made = [operation.as_strategy(generation_mode=mode) for mode in (_GOOD, _BAD)]
    named = {parameter: text for parameter, text in _KNOWN.items() if parameter in operation.path}
    for parameter, text in named.items():
        numbers = st.integers(0, 2 * stages.CAKES).map(text.format)
        made.append(numbers.flatmap(functools.partial(_with_id, operation, parameter)))
    if operation.body:
        fixed = st.tuples(
            cakes(change="change" in name), *(st.integers(0, stages.CAKES).map(t.format) for t in named.values())
        )
        made.append(fixed.flatmap(functools.partial(_with_body, operation, list(named))))
    if name == "submitCake":
        made.append(st.tuples(cakes(change=False), st.sampled_from("abcdef")).flatmap(_with_key))
    return st.one_of(made)


def cakes(*, change: bool) -> st.SearchStrategy:
    """Bodies that are sound by rules that no schema can tell; few enough to come again."""
    fields = {
        "name": st.sampled_from(["Lemon tart", "Apple pie"]),
        "comment": st.sampled_from(["Of lemon", "Of apples"]),
        "yumFactor": st.integers(1, 5),
    }
    return st.fixed_dictionaries(fields if change else {**fields, "imageUrl": st.just("http://p.example/l")})


def _with_id(operation, parameter, value) -> st.SearchStrategy:
    return operation.as_strategy(path_parameters={parameter: value})


def _with_body(operation, parameters, drawn) -> st.SearchStrategy:
    body, *values = drawn
    return operation.as_strategy(path_parameters=dict(zip(parameters, values, strict=True)), body=body)


def _with_key(drawn) -> st.SearchStrategy:
    body, key = drawn
    return OPERATIONS["submitCake"].as_strategy(headers={"Idempotency-Key": key}, body=body)


def name_known(case, stage) -> None:
    # Cakes that were there before have no picture.
    others = [] if case.path.endswith("/image") else [str(number) for number in range(1, stages.CAKES)]
    made = {"submission_id": stage.submissions, "cake_id": stage.cakes + others}
    for parameter, text in _KNOWN.items():
        value = str((case.path_parameters or {}).get(parameter, ""))
        known = made[parameter]
        if value.startswith(text[:-2]) and known:
            case.path_parameters[parameter] = known[int(value.removeprefix(text[:-2])) % len(known)]


def hold(case, stage):
    """Send it; the answer must be one that the document tells of, and no fault of ours."""
    name_known(case, stage)
    answer = case.call(base_url=stage.url)
    stages.seen[case.operation.definition.raw["operationId"], answer.status_code] += 1
    assert answer.status_code != 500, answer.content
    case.validate_response(answer, checks=CHECKS)
    return answer


def exercise(name: str, stage, *, examples: int, derandomize: bool) -> None:
    stage.sample.faults = TROUBLES

    @hypothesis.given(case=cases(name))
    @hypothesis.settings(
        max_examples=examples,
        derandomize=derandomize,
        deadline=None,
        database=None,
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    def holds(case):
        hold(case, stage)

    holds()


@pytest.mark.parametrize("name", NAMES)
def test_every_answer_is_documented(name, stage):
    exercise(name, stage, examples=40, derandomize=True)


@pytest.mark.contract
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", NAMES)
def test_every_answer_of_ten_thousand_is_documented(name, stage):
    exercise(name, stage, examples=1450, derandomize=False)


def test_the_links_of_the_document_lead_to_what_there_is(stage):
    stage.sample.faults = Faults()
    followed = set()
    for number in range(30):
        headers, body = {"Idempotency-Key": f"links-{number}"}, {**CAKE, "yumFactor": 1 + number % 5}
        submit = OPERATIONS["submitCake"].Case(headers=headers, body=body, media_type="application/json")
        answer = hold(submit, stage)
        links = openapi.document()["paths"]["/api/cakes"]["post"]["responses"][str(answer.status_code)].get("links", {})
        statuses = [hold(follow(link, answer.json()), stage).status_code for link in by_method(links)]

        assert [200] * len(links) == statuses
        followed.update(links)
        if "deleteCake" in links:
            # Repeated, it is answered as it was, whatever became of the cake.
            assert answer.json() == hold(submit, stage).json()

    assert {"getSubmission", "getCake", "changeCake", "getCakeImage", "deleteCake"} == followed


def by_method(links: dict) -> list[dict]:
    return sorted(links.values(), key=lambda link: OPERATIONS[link["operationId"]].method.upper() == "DELETE")


def follow(link: dict, document: dict):
    """The request that a link leads to."""
    operation = OPERATIONS[link["operationId"]]
    ((name, expression),) = link["parameters"].items()
    assert "$response.body#/id" == expression
    body = {"body": CHANGE, "media_type": "application/json"} if operation.body else {}
    return operation.Case(path_parameters={name.removeprefix("path."): str(document["id"])}, **body)
