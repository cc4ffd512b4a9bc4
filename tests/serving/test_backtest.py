"""Backtest: the same alerts as live, from the lake alone."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import sqlalchemy as sa

from features.catalogue import VIEWS
from pipeline.config import Config
from pipeline.lake import Lake
from serving.alerts.acts import act
from serving.alerts.engine import AlertEngine
from serving.backtest import backtest, backtest_text, compare, engine_of, silences_of
from serving.house import House
from serving.past import past_of
from serving.rules.book import RuleBook
from serving.rules.rule import Pack
from serving.store.tables import alerts, incidents, outbox, silences
from tests.serving.alerts.alerting import HOST, NOON, PACK, Bench, NoCorrelations

MINUTE = timedelta(minutes=1)
VALUES = [50, 80, 80, 88, 88, 97, 97, 50, 50, 50, 50, 90, 90, 50]
RARE = {6: 0.5, 9: 0.002}


def _engine(packs: list[Pack] | None = None, **options: Any) -> AlertEngine:
    return AlertEngine(RuleBook([PACK] if packs is None else packs), NoCorrelations(), **options)


def _lake(folder: Path) -> Lake:
    lake = Lake(folder / "lake")
    rows = [
        {
            "entity": "a",
            "start": NOON + i * MINUTE,
            "end": NOON + (i + 1) * MINUTE,
            "memory_max": float(value),
        }
        for i, value in enumerate(VALUES)
    ]
    windows = pl.DataFrame(rows, schema=dict(HOST.schema))
    lake.append(HOST.name, windows)
    p = pl.Series("p_isolation_forest", [1e-7 if i in RARE else 0.5 for i in range(len(VALUES))])
    scores = windows.select("entity", "start", "end").with_columns(
        pl.Series("per_day", [RARE.get(i, 1e4) for i in range(len(VALUES))]),
        p,
        warm=pl.lit(True),
    )
    others = ("half_space_trees", "bands", "change", "nearest_normal", "surge")
    half = [pl.lit(0.5).alias(f"p_{name}") for name in others]
    lake.append(f"scores/{HOST.name}", scores.with_columns(half))
    return lake


def test_it_opens_the_alerts_that_the_live_engine_opens(tmp_path: Path, store: sa.Engine) -> None:
    live = Bench(store, _engine)
    for i, value in enumerate(VALUES):
        live.minute({"a": value}, rare={"a": RARE[i]} if i in RARE else {})
        live.tick()
    found = backtest(_engine(), [past_of(_lake(tmp_path), HOST)])
    fired = [row for row in live.rows(alerts) if row["fired_at"]]
    assert found["alerts"]["count"] == len(fired) > 0
    assert found["incidents"]["count"] == len(live.rows(incidents))
    told = {
        (row["incident"], row["payload"]["severity"])
        for row in live.rows(outbox)
        if row["payload"]["severity"] in ("high", "critical") and row["action"] == "trigger"
    }
    assert {(page["incident"], page["severity"]) for page in found["pages"]["list"]} == told
    assert found["pages"]["count"] == len(told) > 0
    assert found["windows"] == len(VALUES)


def test_alerts_are_told_by_severity_arm_and_day(tmp_path: Path) -> None:
    found = backtest(_engine(), [past_of(_lake(tmp_path), HOST)])
    assert sum(found["alerts"]["by_severity"].values()) == found["alerts"]["count"]
    assert "isolation_forest" in found["alerts"]["by_arm"]
    assert "rule:host.memory.critical" in found["alerts"]["by_arm"]
    days = (len(VALUES) - 1) / 1440
    assert found["days"] == pytest.approx(days)
    assert found["alerts"]["a_day"] == pytest.approx(found["alerts"]["count"] / days)


def test_two_runs_are_the_same_but_for_how_fast_they_were(tmp_path: Path) -> None:
    past = [past_of(_lake(tmp_path), HOST)]
    one, other = backtest(_engine(), past), backtest(_engine(), past)
    assert one.pop("windows_per_second") > 0
    other.pop("windows_per_second")
    assert one == other


def test_what_was_silenced_in_its_time_is_not_told(tmp_path: Path, store: sa.Engine) -> None:
    row = {
        "id": "s",
        "kind": "silence",
        "matchers": [{"label": "entity", "operator": "=", "value": "a"}],
        "starts_at": NOON,
        "ends_at": NOON + timedelta(hours=1),
        "created_by": "ann",
        "comment": "known",
        "warned_at": NOON,
    }
    with store.begin() as connection:
        connection.execute(silences.insert().values(row))
    found = backtest(_engine(), [past_of(_lake(tmp_path), HOST)], silenced=silences_of(store))
    assert found["pages"]["count"] == 0
    assert found["alerts"]["not_told"] == found["alerts"]["count"] > 0


def test_two_configurations_are_compared_page_by_page(tmp_path: Path) -> None:
    past = [past_of(_lake(tmp_path), HOST)]
    strict, none = backtest(_engine(), past), backtest(_engine([]), past)
    found = compare(strict, none)
    assert {page["family"] for page in found["only_first"]} == {"host.memory"}
    assert len(found["only_first"]) + found["both"] == strict["pages"]["count"]
    assert len(found["only_second"]) + found["both"] == none["pages"]["count"]
    assert compare(strict, strict) == {
        "only_first": [],
        "only_second": [],
        "both": strict["pages"]["count"],
    }


def test_thresholds_decide_what_is_rare(tmp_path: Path) -> None:
    past = [past_of(_lake(tmp_path), HOST)]
    counts = [
        backtest(_engine([], thresholds={HOST.name: budget}), past)["alerts"]["count"]
        for budget in (0.001, 0.01, 1.0)
    ]
    assert counts == [0, 1, 1]


def test_windows_without_scores_and_features_are_judged_by_what_there_is(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    rows = {"entity": ["a"], "start": [NOON], "end": [NOON + MINUTE], "memory_max": [99.0]}
    lake.append(HOST.name, pl.DataFrame(rows, schema_overrides=dict(list(HOST.schema.items())[:3])))
    past = past_of(lake, HOST)
    assert past.windows.columns == list(HOST.schema)
    assert past.scores["warm"].to_list() == [False]
    assert backtest(_engine(), [past])["alerts"]["hints"] == 1


def test_an_empty_past_says_so(tmp_path: Path) -> None:
    lake = _lake(tmp_path)
    past = past_of(lake, HOST, since=NOON + timedelta(days=9))
    assert backtest(_engine(), [past]) == {"windows": 0}
    assert backtest(_engine(), []) == {"windows": 0}
    assert backtest_text({"windows": 0}) == "the lake has no windows of that time"


def test_people_see_counts_and_each_page(tmp_path: Path) -> None:
    found = backtest(_engine(), [past_of(_lake(tmp_path), HOST)])
    text = backtest_text(found | {"pages_differ": compare(found, backtest(_engine([]), []))})
    assert f"{found['alerts']['count']:>7,} alerts" in text
    assert text.count("Memory: a") == 2 * sum(
        page["family"] == "host.memory" for page in found["pages"]["list"]
    )
    assert VIEWS[HOST.name] is HOST


def test_it_judges_by_the_thresholds_that_the_live_house_has(
    tmp_path: Path, store: sa.Engine
) -> None:
    """Budgets, the lake's history and what people said: all of it, with no alert of its own."""
    url = store.url.render_as_string(hide_password=False)
    source = {"kind": "push", "name": "hosts", "stream": "host"}
    given = {"home": tmp_path, "store": url, "sources": [source]}
    config = Config.model_validate(given | {"serving": {"budgets": {HOST.name: 4.0}}})
    rng = np.random.default_rng(0)
    start = pl.Series([NOON - i * MINUTE for i in range(2_000, 0, -1)])
    scores = pl.DataFrame({"entity": "a", "start": start, "end": start + MINUTE})
    rates = pl.Series("per_day", np.repeat(rng.random(400) * 1_440.0, 5))
    lake = Lake(tmp_path / "lake")
    lake.append(f"scores/{HOST.name}", scores.with_columns(rates, warm=pl.lit(True)))
    bench = Bench(store, _engine)
    hosts = [f"h{i}" for i in range(10)]
    bench.minute(dict.fromkeys(hosts, 1.0), rare=dict.fromkeys(hosts, 0.5))
    levels = []
    for verdict in ("real", "noise"):
        ids = [row["id"] for row in bench.rows(alerts)]
        with store.begin() as connection:
            act(connection, ids, "verdict", who="ann", now=bench.now, detail={"verdict": verdict})
        house = House.open(config, clock=lambda: bench.now)
        live = house.alerts().thresholds
        house.close()
        assert engine_of(config, lake, store, until=bench.now).thresholds == live
        levels.append(live[HOST.name])
    assert levels[0] > 4.0
    assert levels[1] < levels[0]
