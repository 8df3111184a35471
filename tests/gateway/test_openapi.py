"""The API's description says what the API does, and its pages need nobody else's host."""

import importlib.util
import json
import re
from pathlib import Path

import msgspec
import pytest

from cakegate.gateway import examples, openapi, pages, problems, routes, schemas

DOCUMENT = openapi.document()
GUIDE = Path(__file__).parents[2] / "docs" / "api.md"


def operations():
    for path, methods in DOCUMENT["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def test_every_address_and_method_is_described():
    described = {(path, method.upper()) for path, method, _ in operations()}

    assert set(routes.METHODS.items()) == {
        (path, ", ".join(sorted({"OPTIONS"} | {method for other, method in described if other == path})))
        for path, _ in described
    }


def test_every_reference_leads_somewhere():
    for reference in set(re.findall(r'"\$ref": "#/([^"]+)"', json.dumps(DOCUMENT))):
        found = DOCUMENT
        for step in reference.split("/"):
            found = found[step]


def test_every_operation_tells_its_problems_and_its_words():
    for _, _, operation in operations():
        assert operation["summary"]
        assert operation["description"]
        assert {"431", "500"} <= {*operation["responses"]}
        assert all(parameter["description"] for parameter in operation["parameters"])


def test_every_problem_is_described_somewhere_but_those_of_no_operation():
    told = set(re.findall(r'"type": "([^"]+/problems/[^"]+)"', json.dumps(DOCUMENT)))

    assert {kind.type for kind in problems.KINDS} - told == {
        problems.NOT_FOUND.type,
        problems.METHOD_NOT_ALLOWED.type,
    }


def test_every_problem_is_explained_in_the_guide():
    explained = dict(re.findall(r"^\| `([a-z-]+)` \| (\d{3}) \|", GUIDE.read_text(encoding="utf-8"), re.MULTILINE))

    assert {kind.slug: str(kind.status) for kind in problems.KINDS} == explained


@pytest.mark.parametrize(
    ("example", "kind"),
    [
        (examples.CAKE, schemas.Cake),
        (examples.NEW_CAKE, schemas.NewCake),
        (examples.CHANGED_CAKE, schemas.ChangedCake),
        (examples.PENDING, schemas.Submission),
        (examples.CREATED, schemas.Submission),
        *((examples.problem(kind), schemas.Problem) for kind in problems.KINDS),
    ],
)
def test_examples_are_what_their_schemas_say(example, kind):
    msgspec.convert(example, kind)


async def test_the_document_is_served_to_every_origin(gateway):
    for path in ("/schema", "/schema/", "/schema/openapi.json"):
        answer = await gateway.http.get(path, headers={"Origin": "https://editor.example"})

        assert (200, "application/json") == (answer.status_code, answer.headers["content-type"])
        assert "*" == answer.headers["access-control-allow-origin"]
        assert DOCUMENT == answer.json()


async def test_the_pages_load_nothing_from_another_host(gateway):
    for path in ("/", "/redoc", "/redoc/"):
        page = await gateway.http.get(path)

        assert (200, "text/html; charset=utf-8") == (page.status_code, page.headers["content-type"])
        assert "default-src 'none'; script-src 'self'" in page.headers["content-security-policy"]
        assert "http" not in page.text.replace("http-equiv", "")
        assert "<script>" not in page.text
        files = re.findall(r'(?:src|href)="(/[^"]+)"', page.text)
        assert len(files) >= 2
        for file in files:
            answer = await gateway.http.get(file)
            assert (200, True) == (answer.status_code, len(answer.content) > 0)


async def test_the_pages_files_are_kept_for_ever_under_their_versioned_address(gateway):
    file = re.search(r'"(/docs-assets/[^"]+bundle.js)"', (await gateway.http.get("/")).text)[1]
    answer = await gateway.http.get(file)
    again = await gateway.http.get(file, headers={"If-None-Match": answer.headers["etag"]})
    other = await gateway.http.get("/docs-assets/other/swagger_bundle.js")

    assert "public, max-age=31536000, immutable" == answer.headers["cache-control"]
    assert (304, b"") == (again.status_code, again.content)
    assert (200, "no-cache") == (other.status_code, other.headers["cache-control"])


def test_the_files_of_the_pages_are_where_they_are_looked_for():
    folder = Path(importlib.util.find_spec("offapi").submodule_search_locations[0])

    assert [] == [name for name in pages.FILES if not (folder / name).is_file()]
