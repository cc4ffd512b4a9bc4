"""Backtest, replay, coverage and export, as the command line gives them."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest
import sqlalchemy as sa
from typer.testing import CliRunner, Result

from pipeline.database import open_engine
from pipeline.files import InputError
from pipeline.lake import Lake
from serving.alerts.engine import AlertEngine
from serving.cli import app
from serving.rules.book import RuleBook
from serving.rules.correlate import Correlator
from serving.rules.load import load_packs
from serving.store.migrate import migrate
from serving.store.tables import alerts, incidents
from tests.serving.alerts.alerting import HOST, NOON, Bench

MINUTE = timedelta(minutes=1)
VALUES = [50.0, 96.0, 97.0, 98.0, 50.0, 50.0]


def _run(*words: str | Path) -> Result:
    return CliRunner().invoke(app, list(map(str, words)))


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A house in which the memory of a host was too full for three minutes."""
    file = tmp_path / "tocsin.yaml"
    file.write_text("home: home\nsources: [{kind: host, name: this_host}]\n")
    (tmp_path / "home").mkdir()
    lake = Lake(tmp_path / "home" / "lake")
    store = open_engine(f"sqlite:///{tmp_path / 'home' / 'store.db'}")
    migrate(store)
    packs = load_packs()
    bench = Bench(store, lambda: AlertEngine(RuleBook(packs), Correlator(packs)))
    rows = [
        {"entity": "a", "start": NOON + i * MINUTE, "end": NOON + (i + 1) * MINUTE, "memory_max": v}
        for i, v in enumerate(VALUES)
    ]
    lake.append(HOST.name, pl.DataFrame(rows, schema=dict(HOST.schema)))
    for value in VALUES:
        bench.minute({"a": value})
    store.dispose()
    return file


def _of(config: Path, table: sa.Table) -> list[str]:
    engine = open_engine(f"sqlite:///{config.parent / 'home' / 'store.db'}")
    with engine.connect() as connection:
        found = list(connection.execute(sa.select(table.c.id)).scalars())
    engine.dispose()
    return found


def test_a_backtest_tells_what_the_live_house_told(config: Path) -> None:
    ran = _run("backtest", "--config", config, "--against", config, "--json")
    assert ran.exit_code == 0, ran.output
    given = json.loads(ran.stdout)
    assert given["windows"] == len(VALUES)
    assert given["incidents"]["count"] == len(_of(config, incidents)) > 0
    assert given["pages_differ"]["both"] == given["pages"]["count"] > 0
    assert given["pages_differ"]["only_first"] == given["pages_differ"]["only_second"] == []
    assert "would have paged" in _run("backtest", "--config", config).stdout
    late = _run("backtest", "--config", config, "--since", "2030-01-01T00:00:00", "--json")
    assert json.loads(late.stdout) == {"windows": 0}


def test_a_replay_says_the_same_and_exits_with_what_came_of_it(config: Path) -> None:
    for alert in _of(config, alerts):
        ran = _run("replay", alert, "--config", config, "--json")
        given = json.loads(ran.stdout)
        assert (ran.exit_code, given["same"], given["differences"]) == (0, True, []), given
    Lake(config.parent / "home" / "lake").retain(HOST.name, 1, NOON + timedelta(days=9))
    ran = _run("replay", alert, "--config", config)
    assert ran.exit_code in (1, 2)
    assert "missing: the window: the lake has it no more" in ran.stdout


def test_coverage_needs_no_house_and_knows_more_with_one(config: Path, tmp_path: Path) -> None:
    without = json.loads(_run("coverage", "--config", tmp_path / "none.yaml", "--json").stdout)
    given = json.loads(_run("coverage", "--config", config, "--json").stdout)
    assert without["total"] == given["total"] == 138
    assert without["unanswered"] == given["unanswered"]
    assert without["exercised"] == 0 < given["exercised"]


def test_an_incident_is_written_as_its_file_is_named(config: Path, tmp_path: Path) -> None:
    (incident, *_) = _of(config, incidents)
    assert _run("incidents", "export", incident, "--config", config).stdout.startswith("# ")
    for name, begins in (("a.md", "# "), ("a.html", "<!doctype html>")):
        _run("incidents", "export", incident, "--config", config, "--out", tmp_path / name)
        assert (tmp_path / name).read_text().startswith(begins)


@pytest.mark.parametrize("words", [("replay", "gone"), ("incidents", "export", "gone")])
def test_what_is_not_there_is_an_error_of_the_person(config: Path, words: tuple[str, ...]) -> None:
    ran = _run(*words, "--config", config)
    assert isinstance(ran.exception, InputError)
    assert "gone" in str(ran.exception)
