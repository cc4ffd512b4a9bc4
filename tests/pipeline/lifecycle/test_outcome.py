"""Exit codes tell what happened, and what there is is told in any state."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import get_args

import pytest

import tocsin
from pipeline.lifecycle.outcome import EXIT, Outcome, What, exit_code
from tests.pipeline.lifecycle.retraining import VIEW, copied, shared_home


@pytest.fixture
def home(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> Path:
    return copied(shared_home(tmp_path_factory), tmp_path / "home")


def test_everything_that_may_happen_has_an_exit_code() -> None:
    assert set(EXIT) == set(get_args(What))


@pytest.mark.parametrize(
    ("happened", "code"),
    [
        ([], 3),
        (["unchanged", "not due"], 3),
        (["not due", "busy"], 4),
        (["not due", "kept", "busy"], 0),
        (["promoted", "unusable"], 2),
        (["unusable", "promoted", "unreachable"], 1),
    ],
)
def test_of_several_views_what_matters_most_counts(happened: list[What], code: int) -> None:
    assert exit_code([Outcome("a.view", what, "") for what in happened]) == code


def test_the_commands_tell_the_life_of_a_model(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def told(code: int, *words: str) -> dict[str, object]:
        monkeypatch.setattr(sys, "argv", ["tocsin", *words, "--home", str(home), "--json"])
        with pytest.raises(SystemExit) as stop:
            tocsin.main()
        assert int(stop.value.code or 0) == code
        said = json.loads(capsys.readouterr().out)
        assert isinstance(said, list)
        return dict(said[0])

    assert told(0, "retrain", "--due")["what"] == "promoted"
    assert told(3, "retrain", "--due")["what"] == "not due"
    assert told(0, "rollback", VIEW.name, "--why", "too loud")["version"] == 1
    found = told(0, "models", VIEW.name)
    assert (found["state"], found["version"]) == ("ok", 1)
    changes = found["changes"]
    assert isinstance(changes, list)
    assert [(c["kind"], c["after"]) for c in changes] == [
        ("promote", 1),
        ("promote", 2),
        ("rollback", 1),
    ]
    assert changes[-1]["why"] == "too loud"
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    assert told(0, "models", VIEW.name)["state"] == "degraded: last known champion"
    assert told(1, "retrain")["what"] == "unreachable"
