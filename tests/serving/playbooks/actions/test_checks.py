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
from serving.playbooks.action import ActionError, ParameterError
from serving.playbooks.actions.checks import SEED_LIMITS
from tests.serving.playbooks.actions.acting import NOON, Bench, action, stored

FINE = {"response_p95_max": 500.0, "error_rate": 1.0, "queue_max": 1000.0, "memory_max": 85.0}


@pytest.fixture
def watched(bench: Bench) -> Bench:
    bench.services["lake"] = Lake(bench.folder / "lake")
    return bench


def fill(bench: Bench, minutes_ago: int = 2, **values: float | None) -> None:
    start = NOON - timedelta(minutes=minutes_ago)
    for view in sorted({one["view"] for one in SEED_LIMITS}):
        features = [one["feature"] for one in SEED_LIMITS if one["view"] == view]
        row = {"entity": "a", "start": start, "end": start + timedelta(minutes=1)}
        row |= {name: {**FINE, **values}[name] for name in features}
        times = {"start": pl.Datetime("us", "UTC"), "end": pl.Datetime("us", "UTC")}
        frame = pl.DataFrame(
            [row], schema_overrides={**times, **dict.fromkeys(features, pl.Float64)}
        )
        bench.services["lake"].append(view, frame)


def test_the_limits_are_those_of_the_seed_and_name_features_that_exist() -> None:
    for one in SEED_LIMITS:
        assert one["feature"] in VIEWS[one["view"]].schema
    assert [one["limit"] for one in SEED_LIMITS] == [500, 1, 1000, 85]


def test_what_is_at_its_limit_passes(watched: Bench) -> None:
    fill(watched)
    assert watched.do("check.limits").facts["worst"] == FINE


@pytest.mark.parametrize("feature", list(FINE))
def test_each_of_the_four_holds_the_run_up(watched: Bench, feature: str) -> None:
    fill(watched, **{feature: FINE[feature] + 0.1})
    with pytest.raises(ActionError, match=f"{feature} of a"):
        watched.do("check.limits")


def test_what_is_not_known_does_not_pass(watched: Bench) -> None:
    with pytest.raises(ActionError, match="no windows"):
        watched.do("check.limits")
    fill(watched, minutes_ago=30)
    with pytest.raises(ActionError, match="no window of the last 5 minutes"):
        watched.do("check.limits")
    fill(watched, memory_max=None)
    with pytest.raises(ActionError, match=r"system\.host_1m: no window"):
        watched.do("check.limits")


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
