"""Commands on playbooks."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from serving.cli import app
from serving.playbooks.cacao_rules import faults
from serving.playbooks.definition import PlaybookError


def run(*words: str) -> str:
    result = CliRunner().invoke(app, list(words), catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout


def test_a_playbook_is_exported_as_cacao() -> None:
    assert faults(json.loads(run("export", "cacao", "market_abuse"))) == []


def test_the_schema_and_a_checklist_are_printed() -> None:
    assert json.loads(run("playbooks", "schema"))["title"] == "Playbook"
    assert run("playbooks", "checklist", "market_abuse").startswith("# Market Abuse\n")


def test_a_playbook_that_is_not_there_is_named_with_those_that_are() -> None:
    with pytest.raises(PlaybookError, match="no playbook 'gone'; expected one of account_takeover"):
        run("playbooks", "checklist", "gone")
