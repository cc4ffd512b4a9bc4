"""The slow query climbs the ladder in order; the decoys show one sign and not the rest."""

from __future__ import annotations

from datetime import datetime

import polars as pl
import pytest


def of(played, stream: str, name: str) -> pl.DataFrame:
    return played.events[stream].filter(pl.col(stream) == name)


def first(frame: pl.DataFrame, test: pl.Expr) -> datetime:
    return frame.filter(test)["ts"][0]


@pytest.mark.parametrize("seed", [1, 2])
def test_the_pool_the_queue_the_answers_and_the_errors_go_in_order(play, seed: int) -> None:
    played = play(8, "attack", seed=seed, minutes=60)
    start, end = played.span("slow query")
    database, api = of(played, "database", "main"), of(played, "service", "api")
    rates = api.with_columns((pl.col("errors").diff() / pl.col("requests").diff()).alias("failed"))
    full = first(database, pl.col("pool_used") == pl.col("pool_size"))
    waiting = first(database, pl.col("pool_waiting") > 0)
    slow = first(api, pl.col("response_p95") > 500)
    failing = first(rates, pl.col("failed") > 0.01)
    assert start < full <= waiting < slow < failing < end
    assert first(api, pl.col("queue") > 600) < end
    assert api.filter(pl.col("ts") < start)["response_p95"].max() < 200
    assert api["response_p95"][-1] < 200  # it is over when it is over


def test_memory_leaks_past_ninety_percent_on_one_host(play) -> None:
    played = play(8, "attack", minutes=60)
    start, _ = played.span("leak")
    leaking = of(played, "host", "web-1")
    assert leaking["memory"].max() > 90
    assert leaking.filter(pl.col("ts") < start)["memory"].max() < 75
    assert of(played, "host", "web-2")["memory"].max() < 75


def test_reading_from_disk_and_locks_tell_of_the_query(play) -> None:
    played = play(8, "attack", minutes=60)
    start, end = played.span("slow query")
    database = of(played, "database", "main")
    calm = database.filter(pl.col("ts") < start)
    bad = played.during("database", "slow query").tail(20)
    assert bad["lock_waits"].mean() > 5 * calm["lock_waits"].mean() + 5
    misses = [f["cache_misses"].diff().mean() / f["queries"].diff().mean() for f in (calm, bad)]
    assert misses[1] > 4 * misses[0]
    assert end > start


def test_a_deploy_is_over_in_a_sample_and_its_counters_begin_again(play) -> None:
    api = of(play(8, "decoy", minutes=90), "service", "api")
    assert (~api["up"]).sum() == 1
    assert (api["requests"].diff() < 0).sum() == 1
    assert api["response_p95"].max() < 500


def test_three_times_the_traffic_is_answered_as_fast(play) -> None:
    played = play(8, "decoy", minutes=90)
    api = of(played, "service", "api").with_columns(pl.col("requests").diff().alias("rate"))
    start, end = played.span("traffic")
    busy = pl.col("ts").is_between(start, end)
    before = api.filter(pl.col("ts") < start)
    assert api.filter(busy)["rate"].max() > 1.8 * before["rate"].max()
    assert api.filter(busy)["response_p95"].max() < 1.5 * before["response_p95"].max()


def test_a_host_that_is_not_heard_from_sends_nothing(play) -> None:
    played = play(8, "decoy", minutes=90)
    silent = played.during("host", "data missing")
    assert silent.filter(pl.col("host") == "web-2").is_empty()
    assert len(silent.filter(pl.col("host") == "web-1")) == 10
