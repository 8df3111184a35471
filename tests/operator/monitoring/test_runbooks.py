"""A runbook for each alert: whole, and with commands and queries that can be run."""

import re
import shutil
import subprocess
from pathlib import Path

import exported
import pytest
import yaml
from monitored import alerts, bakery_groups, operator_groups

RUNBOOKS = Path(__file__).parents[3] / "docs/runbooks"
PAGES = sorted(RUNBOOKS.glob("Cakegate*.md"))


def _blocks(page, language):
    """What stands in fenced blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def test_every_alert_has_a_runbook_and_every_runbook_an_alert():
    named = {rule["alert"] for groups in (bakery_groups(), operator_groups()) for rule in alerts(groups)}

    assert named == {page.stem for page in PAGES}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_runbook_says_what_it_means_and_what_to_do_with_metrics_that_exist(page):
    text = page.read_text(encoding="utf-8")

    assert [f"# {page.stem}", "## Meaning", "## Impact", "## Diagnosis", "## Mitigation"] == [
        line for line in text.splitlines() if re.match("##? [A-Z]", line)
    ]
    assert "```" in text.partition("## Diagnosis")[2].partition("## Mitigation")[0]
    asked = set(re.findall(r"\bcakegate_[a-z_]+(?=\{)", text))
    assert set() == asked - set(exported.samples())


def test_the_list_of_runbooks_names_each():
    text = (RUNBOOKS / "README.md").read_text(encoding="utf-8")

    assert {page.stem for page in PAGES} == set(re.findall(r"\]\((\w+)\.md\)", text))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_between_runbooks_lead_somewhere(page):
    linked = set(re.findall(r"\]\(([^)]+)\)", page.read_text(encoding="utf-8")))

    assert set() == {link for link in linked if not (RUNBOOKS / link).is_file()}


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
def test_commands_are_shell():
    script = "\n".join(block for page in [RUNBOOKS / "README.md", *PAGES] for block in _blocks(page, "sh"))

    ended = subprocess.run(["bash", "-n"], input=script, capture_output=True, text=True, check=False)
    assert "" == ended.stderr


def test_prometheus_understands_every_query_of_the_runbooks(promtool, tmp_path):
    queries = [line for page in PAGES for block in _blocks(page, "promql") for line in block.splitlines()]
    rules = [{"record": f"query:{number}", "expr": query} for number, query in enumerate(queries)]
    file = tmp_path / "queries.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "runbooks", "rules": rules}]}), encoding="utf-8")

    assert f"{len(queries)} rules found" in promtool("check", "rules", file)
