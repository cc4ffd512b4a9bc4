"""Verdicts of noise on learned alerts raise the bar of their view, within bounds, on record."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import sqlalchemy as sa

from features.catalogue import VIEWS
from pipeline.lake import Lake
from serving.alerts.acts import act
from serving.alerts.engine import AlertEngine
from serving.alerts.thresholds import Bar, Thresholds, bars_of, examine_bars
from serving.rules.book import RuleBook
from serving.store.audit import verify
from serving.store.tables import alerts, audit
from tests.serving.alerts.alerting import HOST, NOON, PACK, Bench, NoCorrelations

OTHER = "trades.symbol_5s"


@pytest.fixture
def heard(store: sa.Engine, tmp_path: Path) -> Bench:
    """An engine whose bars follow verdicts; its lake knows nothing, so a window is an alert."""

    def build() -> AlertEngine:
        bars = Thresholds(Lake(tmp_path / "lake"), {HOST.name: 2.0}, until=NOON)
        return AlertEngine(RuleBook([PACK]), NoCorrelations(), bars=bars)

    bench = Bench(store, build)
    bench.tick()
    return bench


def _judge(bench: Bench, verdict: str, **wanted: Any) -> None:
    rows = [row for row in bench.rows(alerts) if wanted.items() <= row.items()]
    with bench.engine.begin() as connection:
        ids = [row["id"] for row in rows]
        act(connection, ids, "verdict", who="ann", now=bench.now, detail={"verdict": verdict})
    bench.tick()


def _bar(bench: Bench, view: str = HOST.name) -> Bar:
    with bench.engine.connect() as connection:
        return bars_of(connection)[view]


def _moves(bench: Bench) -> list[dict[str, Any]]:
    return [row for row in bench.rows(audit) if row["what"] == "threshold.move"]


def test_noise_raises_the_bar_of_its_view_and_it_is_on_record(heard: Bench) -> None:
    assert heard.alerts.thresholds[HOST.name] == 2.0
    hosts = [f"h{i}" for i in range(10)]
    heard.minute(dict.fromkeys(hosts, 1.0), rare=dict.fromkeys(hosts, 0.5))
    _judge(heard, "noise")
    assert _bar(heard) == Bar(2.0, 0, 10, 0.5, 1.0)
    assert heard.alerts.thresholds[HOST.name] == 1.0
    assert heard.alerts.thresholds[OTHER] == _bar(heard, OTHER).level == 1.0
    (move,) = _moves(heard)
    assert (move["who"], move["subject"]) == ("tocsin", HOST.name)
    assert (move["detail"]["from"]["level"], move["detail"]["to"]["level"]) == (2.0, 1.0)
    with heard.engine.connect() as connection:
        assert verify(connection) is None
    # What was told before is too frequent now.
    assert heard.minute({"new": 1.0}, rare={"new": 1.5}) == []
    assert len(heard.minute({"new": 1.0}, rare={"new": 0.9})) == 1


def test_the_bar_has_a_bound_and_comes_down_when_verdicts_are_old(heard: Bench) -> None:
    hosts = [f"h{i}" for i in range(60)]
    heard.minute(dict.fromkeys(hosts, 1.0), rare=dict.fromkeys(hosts, 0.5))
    _judge(heard, "noise")
    assert (_bar(heard).worth, _bar(heard).level) == (0.25, 0.5)
    heard.tick(timedelta(days=15))
    assert _bar(heard) == Bar(2.0, 0, 0, 1.0, 2.0)
    assert len(_moves(heard)) == 2


def test_real_alerts_and_those_of_rules_leave_the_bar_alone(heard: Bench) -> None:
    for _ in range(2):
        heard.minute({"full": 99.0, "odd": 1.0}, rare={"odd": 0.5})
    _judge(heard, "noise", entity="full")
    _judge(heard, "real", entity="odd")
    assert _bar(heard) == Bar(2.0, 1, 0, 1.0, 2.0)
    assert _moves(heard) == []


def test_an_engine_that_begins_again_has_the_bar_that_verdicts_left(heard: Bench) -> None:
    heard.minute({"odd": 1.0}, rare={"odd": 0.5})
    _judge(heard, "noise")
    level = _bar(heard).level
    heard.restart()
    heard.tick()
    assert heard.alerts.thresholds[HOST.name] == level < 2.0
    assert len(_moves(heard)) == 1


def test_a_day_later_history_is_measured_again(heard: Bench, tmp_path: Path) -> None:
    count = 24 * 60
    start = pl.datetime_range(NOON, NOON + timedelta(days=1), "1m", closed="left", eager=True)
    rare = [1.0 if minute % 30 < 5 else 1_000.0 for minute in range(count)]
    scores = pl.DataFrame({"entity": "h", "start": start, "per_day": rare}).with_columns(
        end=pl.col("start") + timedelta(minutes=1), warm=True
    )
    Lake(tmp_path / "lake").append(f"scores/{HOST.name}", scores)
    assert _bar(heard).level == 2.0
    heard.tick(timedelta(hours=23))
    assert _bar(heard).level == 2.0
    heard.tick(timedelta(hours=1))
    for _ in VIEWS:
        heard.tick()
    # Five windows in a row are one alert: 48 a day at a level of 1, where 2 were asked for.
    assert heard.alerts.thresholds[HOST.name] == _bar(heard).level < 2.0
    assert _moves(heard) == []


def test_the_doctor_tells_of_views_that_people_called_noisy(heard: Bench, tmp_path: Path) -> None:
    assert examine_bars(f"sqlite:///{tmp_path}/empty.db") == []
    (tmp_path / "damaged.db").write_text("nothing of a database" * 100)
    (broken,) = examine_bars(f"sqlite:///{tmp_path}/damaged.db")
    assert (broken.what, broken.state) == ("thresholds", "broken")
    heard.minute({"odd": 1.0}, rare={"odd": 0.5})
    url = heard.engine.url.render_as_string(hide_password=False)
    assert examine_bars(url) == []
    _judge(heard, "noise")
    (found,) = examine_bars(url)
    assert found.what == f"threshold {HOST.name}"
    assert "noise leaves 91% of 2 alerts a day" in found.detail
