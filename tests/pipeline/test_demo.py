"""The demonstration: the attack stands out, its benign twin does not, and twice is as once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from polars.testing import assert_frame_equal

from features.trading import SYMBOL_5S
from pipeline.demo import START, Demonstration, demonstrate
from pipeline.lake import Lake
from pipeline.scorer import Scorer
from pipeline.train import model_path
from pipeline.words import label

SEED = 0


def clock() -> datetime:
    """The same minute each time."""
    return datetime(2026, 3, 7, 9, tzinfo=UTC)


def run(home: Path) -> tuple[Demonstration, list[tuple[str, float]]]:
    """One day learned and two scored: the news and the pump are on the last two days."""
    told: list[tuple[str, float]] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pipeline.demo.DAYS", 3)
        patch.setattr("pipeline.demo.LEARNED_DAYS", 1)
        shown = demonstrate(home, seed=SEED, clock=clock, progress=lambda *a: told.append(a))
    return shown, told


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo")


@pytest.fixture(scope="module")
def ran(home: Path) -> tuple[Demonstration, list[tuple[str, float]]]:
    return run(home)


@pytest.fixture(scope="module")
def shown(ran: tuple[Demonstration, list[tuple[str, float]]]) -> Demonstration:
    return ran[0]


def test_the_pump_is_the_rarest_moment(shown: Demonstration) -> None:
    (pump,) = (row for row in shown.truth.iter_rows(named=True) if row["kind"] == "pump")
    rarest = shown.found.row(0, named=True)
    assert rarest["truth"] == "pump"
    assert rarest["entity"] == pump["entity"]
    assert pump["start"] - timedelta(minutes=1) <= rarest["start"]
    assert rarest["start"] <= pump["start"] + timedelta(minutes=3)
    assert rarest["per_day"] < 1 / 365


def test_the_pump_is_told_by_what_a_pump_is(shown: Demonstration) -> None:
    reasons = shown.found["reasons"][0].to_list()
    main = [label(f) for f in SYMBOL_5S.features if f.name in SYMBOL_5S.main]
    assert reasons
    assert all(any(name in text for name in main) for text in reasons)


def test_a_day_of_news_is_no_alarm(shown: Demonstration) -> None:
    others = shown.found[1:]
    news = others.filter(others["truth"] == "news")
    assert len(news)
    assert (news["per_day"] > 1).all()
    assert (others["per_day"] > 0.1).all()
    assert "pump" not in others["truth"].to_list()


def test_the_day_learned_is_not_scored(shown: Demonstration) -> None:
    assert (shown.found["start"] >= START + timedelta(days=1)).all()


def test_windows_scores_and_this_machine_are_in_the_lake(home: Path, shown: Demonstration) -> None:
    lake = Lake(home / f"seed-{SEED}" / "lake")
    assert sorted(lake.tables()) == [
        "scores/trades.symbol_5s",
        "system.host_1m",
        "trades.symbol_5s",
    ]
    windows = lake.windows("trades.symbol_5s")
    assert len(windows) == shown.windows
    scores = lake.windows("scores/trades.symbol_5s")
    later = windows.filter(windows["start"] >= START + timedelta(days=1))
    assert scores.select("entity", "start").equals(later.select("entity", "start"))
    assert 0 <= shown.machine["memory_mean"] <= 100


def test_the_model_is_saved_warm(home: Path, shown: Demonstration) -> None:
    assert Scorer.load(SYMBOL_5S, model_path(home / f"seed-{SEED}", SYMBOL_5S)).warm


def test_progress_is_told_to_the_end(
    ran: tuple[Demonstration, list[tuple[str, float]]],
) -> None:
    _, told = ran
    assert told[-1] == ("done", 1.0)
    assert all(0 <= share <= 1 for _, share in told)


def test_a_second_run_finds_the_same_and_adds_nothing_to_the_lake(
    home: Path, shown: Demonstration
) -> None:
    lake = Lake(home / f"seed-{SEED}" / "lake")
    before = {name: (lake.version(name), len(lake.windows(name))) for name in lake.tables()}
    again, _ = run(home)
    assert_frame_equal(again.found, shown.found, check_exact=True)
    assert again.trades == shown.trades
    after = {name: (lake.version(name), len(lake.windows(name))) for name in lake.tables()}
    assert after == before
