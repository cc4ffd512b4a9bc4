"""`tocsin doctor` looks at the home, the store and the sources of a configuration."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

import tocsin
from pipeline.database import open_engine
from serving.store.migrate import migrate
from tests.streams import troubled


def doctor(*arguments: str | Path) -> int:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["tocsin", "doctor", *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            tocsin.main()
    return int(stop.value.code or 0)


def test_the_stream_of_a_configuration_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config, _ = troubled(tmp_path / "home")
    engine = open_engine(config.store_url)
    migrate(engine)
    engine.dispose()
    file = tmp_path / "mine.yaml"
    sources = "[{kind: push, name: p, stream: trades}, {kind: push, name: new, stream: access}]"
    file.write_text(f"home: home\nsources: {sources}\n")
    assert doctor("--config", file, "--json") == 1
    said = capsys.readouterr()
    assert said.err == ""
    found = {row["what"]: row for row in json.loads(said.out)}
    assert found["store"]["state"] == "ok"
    assert "203 accepted, 4 refused, 2 future" in found["source p"]["detail"]
    assert found["source gone"]["state"] == "broken"
    assert found["source new"]["state"] == "none"
    assert "3 late" in found["view trades.symbol_5s"]["detail"]


def test_a_store_without_tables_of_alerts_is_told_of_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config, _ = troubled(tmp_path / "home")
    file = tmp_path / "mine.yaml"
    file.write_text("home: home\nsources: [{kind: push, name: p, stream: trades}]\n")
    assert Path(config.store_url.removeprefix("sqlite:///")).exists()
    doctor("--config", file, "--json")
    found = json.loads(capsys.readouterr().out)
    of_store = [row["state"] for row in found if row["what"] in ("store", "thresholds")]
    assert of_store == ["ok"]


def test_a_configuration_that_is_named_must_be_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert doctor("--config", tmp_path / "none.yaml") == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert "no such file" in said.err
    assert not (tmp_path / "none.yaml").exists()
