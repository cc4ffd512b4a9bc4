"""Replay: an alert of a live loop comes out the same to the last bit, and tampering is seen."""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import sqlalchemy as sa

from features.trading import SYMBOL_5S
from pipeline.database import open_engine
from pipeline.lake import Lake
from serving.alerts.engine import AlertEngine
from serving.alerts.lifecycle import AlertError
from serving.alerts.witness import Witness
from serving.replay import Replay, replay
from serving.rules.book import RuleBook
from serving.rules.correlate import Correlator
from serving.rules.rule import Pack
from serving.store.migrate import migrate
from serving.store.tables import alerts
from tests.streams import AFTER, loop_of, sources_of, write_events

CASES = {"hit": [[{"count": 9.0}]], "miss": [[{"count": 0.0}]]}
PACK = Pack.model_validate(
    {
        "pack": "test",
        "about": "busy symbols",
        "ladders": [
            {
                "family": f"test.{word}",
                "title": word,
                "view": SYMBOL_5S.name,
                "feature": feature,
                "operator": ">=",
                "for": hold,
                "summary": "{entity} has {value}",
                "rungs": [{"id": f"test.{word}.high", "limit": 4, "severity": "high", **CASES}],
            }
            for word, feature, hold in (("busy", "count", "2 of 3"), ("sudden", "count", "1"))
        ],
        "correlations": [
            {
                "id": "test.both.critical",
                "title": "both",
                "kind": "all",
                "rules": ["test.busy.high", "test.sudden.high"],
                "within": "10m",
                "severity": "critical",
                "summary": "both on {entity}",
                "hit": [
                    [
                        {"at": "0m", "rule": "test.busy.high"},
                        {"at": "1m", "rule": "test.sudden.high"},
                    ]
                ],
                "miss": [[{"at": "0m", "rule": "test.busy.high"}]],
            }
        ],
    }
)  # fmt: skip


@dataclass
class Home:
    """What a live loop left."""

    folder: Path
    packs: list[Pack]

    @property
    def store(self) -> sa.Engine:
        return open_engine(f"sqlite:///{self.folder / 'store.db'}")

    def alerts(self) -> list[dict[str, Any]]:
        with self.store.connect() as connection:
            return [dict(row) for row in connection.execute(sa.select(alerts)).mappings()]

    def replay(self, alert: str) -> Replay:
        with self.store.connect() as connection:
            return replay(
                connection,
                alert,
                lake=Lake(self.folder / "lake"),
                witness=self.folder / "evidence",
                packs=self.packs,
            )


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home in which a loop judged trades, long enough for its scorer to be warm."""
    folder = tmp_path_factory.mktemp("lived")
    write_events(folder / "events", {"trades": 5_500})
    home = folder / "home"
    home.mkdir()
    migrate(open_engine(f"sqlite:///{home / 'store.db'}"))
    engine = AlertEngine(
        RuleBook([PACK]),
        Correlator([PACK]),
        thresholds={SYMBOL_5S.name: 2_000.0},
        witness=Witness(home / "evidence"),
    )
    loop = loop_of(home, sources_of(folder / "events", 1_500), views=[SYMBOL_5S], sink=engine)
    assert loop.replay(AFTER) > 2
    loop.close()
    return home


@pytest.fixture
def home(lived: Path, tmp_path: Path) -> Home:
    shutil.copytree(lived, tmp_path / "home")
    return Home(tmp_path / "home", [PACK])


def _one(home: Home, family: str) -> dict[str, Any]:
    return next(row for row in home.alerts() if row["family"] == family)


def test_every_alert_of_a_live_loop_comes_out_the_same_to_the_last_bit(home: Home) -> None:
    rows = home.alerts()
    assert {row["family"] for row in rows} == {
        "rare",
        "test.busy",
        "test.sudden",
        "test.both.critical",
    }
    by_family: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        by_family[row["family"]].append(row["id"])
    for alert in (one for some in by_family.values() for one in (*some[:2], some[-1])):
        found = home.replay(alert)
        assert (found.code, found.differences, found.missing) == (0, (), ()), found.text()
        assert found.checked


def test_a_score_is_made_anew_and_not_read(home: Home) -> None:
    rare = _one(home, "rare")
    found = home.replay(rare["id"])
    assert any(one.startswith("score by cold, ") for one in found.checked)
    assert rare["model_version"] == "cold"
    numbers = rare["evidence"]["score"]["numbers"]
    assert {"per_day", "p", "score"} <= numbers.keys()


def _alter(home: Home, alert: str, change: Callable[[dict[str, Any]], None]) -> None:
    with home.store.begin() as connection:
        row = connection.execute(sa.select(alerts).where(alerts.c.id == alert)).mappings().one()
        values = {"evidence": row["evidence"], "breaches": row["breaches"]}
        change(values)
        connection.execute(alerts.update().where(alerts.c.id == alert).values(**values))


def test_one_bit_in_a_score_is_seen(home: Home) -> None:
    rare = _one(home, "rare")

    def change(values: dict[str, Any]) -> None:
        numbers = values["evidence"]["score"]["numbers"]
        numbers["p"] = float(np.nextafter(numbers["p"], 1.0))

    _alter(home, rare["id"], change)
    found = home.replay(rare["id"])
    assert found.code == 1
    assert [one.split(" was ")[0] for one in found.differences] == ["score: p"]


def test_one_bit_in_a_window_is_seen(home: Home) -> None:
    busy = _one(home, "test.busy")

    def change(values: dict[str, Any]) -> None:
        window = values["evidence"]["window"]
        window["count"] = float(np.nextafter(window["count"], 0.0))

    _alter(home, busy["id"], change)
    found = home.replay(busy["id"])
    assert [one.split(" was ")[0] for one in found.differences] == ["window: count"]


@pytest.mark.parametrize("name", ["value", "limit", "since"])
def test_what_was_changed_in_a_breach_is_seen(home: Home, name: str) -> None:
    busy = _one(home, "test.busy")

    def change(values: dict[str, Any]) -> None:
        breach = values["breaches"][0]
        other = breach["start"] if name == "since" else breach[name] + 1
        breach[name] = other

    _alter(home, busy["id"], change)
    assert home.replay(busy["id"]).code == 1


def test_a_rule_that_was_changed_since_is_a_difference_and_one_that_is_gone_is_missing(
    home: Home,
) -> None:
    busy = _one(home, "test.busy")
    given = PACK.model_dump(mode="json", by_alias=True, exclude_none=True)
    given["ladders"][0]["rungs"][0]["limit"] = 1
    home.packs = [Pack.model_validate(given)]
    assert any("limit was 4.0, is 1.0" in one for one in home.replay(busy["id"]).differences)
    home.packs = []
    found = home.replay(busy["id"])
    assert (found.code, found.differences) == (2, ())
    assert "no pack has this rule any more" in found.text()


def test_a_scorer_that_is_gone_or_damaged_is_said_to_be(home: Home) -> None:
    rare = _one(home, "rare")
    kept = home.folder / "evidence" / rare["evidence"]["score"]["scorer"]
    kept.write_bytes(kept.read_bytes()[:1000])
    assert home.replay(rare["id"]).code == 2
    kept.unlink()
    found = home.replay(rare["id"])
    assert found.code == 2
    assert any("is kept no more" in one for one in found.missing)


def test_windows_that_the_lake_has_no_more_are_said_to_be_missing(home: Home) -> None:
    for row in home.alerts():
        assert home.replay(row["id"]).code == 0
        break
    Lake(home.folder / "lake").retain(SYMBOL_5S.name, 1, AFTER)
    for row in home.alerts()[:3]:
        found = home.replay(row["id"])
        assert found.code in (1, 2)
        assert found.missing


def test_a_window_that_was_added_to_the_step_is_seen(home: Home) -> None:
    rare = _one(home, "rare")
    start = pl.lit(rare["start"]).cast(SYMBOL_5S.schema["start"])
    row = pl.DataFrame({"entity": ["intruder"]}).with_columns(
        start.alias("start"), (start + timedelta(seconds=5)).alias("end")
    )
    Lake(home.folder / "lake").append(SYMBOL_5S.name, row)
    found = home.replay(rare["id"])
    assert found.code == 2
    assert any("windows the lake has" in one for one in found.missing)


def test_an_alert_that_is_not_there_is_named(home: Home) -> None:
    with pytest.raises(AlertError, match="no alert gone"):
        home.replay("gone")
