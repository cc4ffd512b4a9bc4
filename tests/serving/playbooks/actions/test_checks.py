"""Gates over windows, and the snapshot that keeps them: what is not known does not pass."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import polars as pl
import pytest

from features.catalogue import VIEWS
from pipeline.lake import Lake
from serving.playbooks.action import ActionError, CheckError, Outcome, ParameterError
from serving.playbooks.actions.checks import SEED_LIMITS
from tests.serving.playbooks.actions.acting import NOON, Bench, action, stored

FINE = {"response_p95_max": 500.0, "error_rate": 1.0, "queue_max": 1000.0, "memory_max": 85.0}


@pytest.fixture
def watched(bench: Bench) -> Bench:
    bench.services["lake"] = Lake(bench.folder / "lake")
    return bench


def fill(bench: Bench, minutes_later: int = 1, entity: str = "a", **values: float | None) -> None:
    start = NOON + timedelta(minutes=minutes_later)
    for view in sorted({one["view"] for one in SEED_LIMITS}):
        features = [one["feature"] for one in SEED_LIMITS if one["view"] == view]
        row = {"entity": entity, "start": start, "end": start + timedelta(minutes=1)}
        row |= {name: {**FINE, **values}[name] for name in features}
        times = {"start": pl.Datetime("us", "UTC"), "end": pl.Datetime("us", "UTC")}
        frame = pl.DataFrame(
            [row], schema_overrides={**times, **dict.fromkeys(features, pl.Float64)}
        )
        bench.services["lake"].append(view, frame)


class Check:
    """The check of limits, begun at noon."""

    def __init__(self, bench: Bench, **parameters: Any) -> None:
        self.bench, self.act = bench, action("check.limits")
        self.intent = stored(self.act.prepare(bench.context(), parameters))

    def __call__(self, minutes: int) -> Outcome:
        """What it says so many minutes later."""
        self.bench.now = NOON + timedelta(minutes=minutes)
        return self.act.perform(self.bench.context(), self.intent)


def test_the_limits_are_those_of_the_seed_and_name_features_that_exist() -> None:
    for one in SEED_LIMITS:
        assert one["feature"] in VIEWS[one["view"]].schema
    assert [one["limit"] for one in SEED_LIMITS] == [500, 1, 1000, 85]


def test_what_is_at_its_limit_passes_when_its_time_is_over(watched: Bench) -> None:
    check = Check(watched)
    fill(watched)
    with pytest.raises(ActionError, match="all limits hold; 0:03:00 is left to see"):
        check(2)
    assert check(5).facts["worst"] == FINE


@pytest.mark.parametrize("feature", list(FINE))
def test_each_of_the_four_is_told_as_soon_as_it_breaks(watched: Bench, feature: str) -> None:
    check = Check(watched)
    fill(watched, **{feature: FINE[feature] + 0.1})
    with pytest.raises(CheckError, match=f"{feature} of a"):
        check(2)


def test_what_was_before_the_check_began_does_not_count(watched: Bench) -> None:
    check = Check(watched)
    fill(watched, minutes_later=-1, memory_max=99.0)
    with pytest.raises(ActionError, match="no window since 12:00 UTC"):
        check(5)
    fill(watched)
    assert check(5).facts["worst"] == FINE


def test_a_check_of_one_entity_asks_nobody_else(watched: Bench) -> None:
    check = Check(watched, entity="a")
    fill(watched, entity="b", memory_max=99.0)
    with pytest.raises(ActionError, match="no window"):
        check(5)
    fill(watched)
    assert check(5).facts["worst"] == FINE


def test_what_is_not_known_does_not_pass(watched: Bench) -> None:
    check = Check(watched)
    with pytest.raises(ActionError, match="no windows"):
        check(5)
    fill(watched, memory_max=None)
    with pytest.raises(ActionError, match=r"system\.host_1m: no window"):
        check(5)


@pytest.mark.parametrize(
    "limits", ["x", [{"view": "a"}], [{"view": "a", "feature": "b", "limit": float("nan")}]]
)
def test_wrong_limits_are_named(watched: Bench, limits: Any) -> None:
    with pytest.raises(ParameterError, match="expected view, feature and limit"):
        action("check.limits").plan(watched.context(), {"limits": limits})


def test_a_snapshot_keeps_windows_and_the_analysis_of_the_database(watched: Bench) -> None:
    fill(watched)
    slow = {"slow": [{"id": "17", "ms": 9_000}]}
    watched.services["platform"] = httpx.Client(
        base_url="http://p",
        transport=httpx.MockTransport(lambda request: httpx.Response(200, json=slow)),
    )
    keep, context = action("evidence.snapshot"), watched.context()
    intent = stored(keep.prepare(context, {}))
    assert not keep.verify(context, intent)
    facts = keep.perform(context, intent).facts
    assert keep.verify(context, intent)
    windows = ["system.host_1m.parquet", "system.service_1m.parquet"]
    assert facts["files"] == ["database.json", *windows]
    kept = pl.read_parquet(Path(facts["folder"]) / windows[0])
    assert kept["memory_max"].to_list() == [85.0]


def test_a_snapshot_of_nothing_is_none(watched: Bench) -> None:
    with pytest.raises(ActionError, match="nothing to keep"):
        watched.do("evidence.snapshot")
