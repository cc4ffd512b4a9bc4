"""Ours, a plain forest, the best single number and chance, judged in one run by one rule."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from pipeline.evaluation.dataset import Dataset
from pipeline.evaluation.evaluate import BUDGETS, evaluate, table_text

REAL = Path(__file__).parents[4] / "shared" / "data" / "trading-pumps"
CONTENDERS = ("ours", "forest", "trivial", "random")


@pytest.fixture(scope="module")
def result(pump_set: Path, after: datetime) -> dict[str, Any]:
    return evaluate(Dataset.open(pump_set), now=after, seed=0)


def test_all_four_are_judged_at_every_budget(result: dict[str, Any]) -> None:
    for name in CONTENDERS:
        assert list(result[name]) == [f"recall@{budget}" for budget in BUDGETS]
        recalls = [at["recall"] for at in result[name].values()]
        assert recalls == sorted(recalls)
        for budget, at in zip(BUDGETS, result[name].values(), strict=True):
            assert at["false_alerts"] <= budget * result["entity_days"]
            assert (at["delay"] is None) == (at["recall"] == 0)


def test_the_planted_pump_is_found_by_ours(result: dict[str, Any]) -> None:
    for at in result["ours"].values():
        assert at["recall"] == 1.0
        assert 0 < at["delay"] <= 180


def test_the_arms_are_judged_alone_too(result: dict[str, Any]) -> None:
    assert set(result["arms"]) >= {"isolation_forest", "half_space_trees", "surge"}
    assert all(list(arm) == list(result["ours"]) for arm in result["arms"].values())


def test_what_was_judged_is_told(result: dict[str, Any]) -> None:
    assert (result["set"], result["view"], result["events"]) == ("made-up", "trades.symbol_5s", 1)
    assert result["entity_days"] == pytest.approx(3 * 22 / 24, abs=0.1)


def test_the_result_is_clean_json_even_where_nothing_is_found(result: dict[str, Any]) -> None:
    assert json.loads(json.dumps(result, allow_nan=False)) == result
    # At 0.02 a day less than one false alert is allowed here: chance alerts on nothing at all.
    assert result["random"]["recall@0.02"]["threshold"] is None


def test_the_table_has_a_row_for_each_contender_and_arm(result: dict[str, Any]) -> None:
    lines = table_text(result).splitlines()
    assert lines[0].startswith("made-up (events): 1 events in 2.7 entity-days")
    assert [line.split("  ")[0] for line in lines[2:6]] == list(CONTENDERS)
    assert lines[2].split()[1] == "1.000"
    told = 2 + len(CONTENDERS) + len(result["arms"])
    assert lines[told].split()[:3] == ["budget", "a", "day"]
    assert len(lines) == told + 1 + len(result["budget"])


def test_an_event_of_an_unknown_market_is_missed(
    pump_set: Path, after: datetime, tmp_path: Path
) -> None:
    folder = tmp_path / "set"
    shutil.copytree(pump_set, folder)
    with (folder / "labels.csv").open("a") as file:
        at = "2026-01-30T21:00:00+00:00"
        file.write(f"UNKNOWN,{at},{at},{at},pump\n")
    found = evaluate(Dataset.open(folder), now=after, seed=0)
    assert found["events"] == 2
    assert found["ours"]["recall@0.5"]["recall"] == 0.5


@pytest.mark.slow
@pytest.mark.skipif(not REAL.is_dir(), reason="the real data set is not beside the repository")
def test_on_real_pumps_ours_is_at_least_as_good_as_all_others() -> None:
    found = evaluate(Dataset.open(REAL), now=datetime.now(UTC), seed=0)
    for budget in BUDGETS:
        ours, *others = (found[name][f"recall@{budget}"]["recall"] for name in CONTENDERS)
        assert ours >= 0.95
        assert ours >= max(others)
