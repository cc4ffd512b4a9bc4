"""Samples answer to the load, and to what weighs on the machines."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from features.catalogue import STREAMS
from pipeline.simulate.machines import CADENCE, Machines, Strain

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
NOW = int(NOON.timestamp()) * 1_000_000
LASTS = 40


def lived(*strains: Strain, requests: int = 200, messages: int = 500) -> dict[str, pl.DataFrame]:
    machines = Machines()
    machines.strains += strains
    for number in range(LASTS):
        rng = np.random.default_rng([1, number])
        machines.sample(NOW + number * CADENCE, requests, messages, rng)
    return machines.take(NOW + LASTS * CADENCE)


@pytest.fixture(scope="module")
def calm() -> dict[str, pl.DataFrame]:
    return lived()


def test_every_sample_is_valid_and_on_time(calm: dict[str, pl.DataFrame]) -> None:
    for name, samples in calm.items():
        checked = STREAMS[name].validate(samples, now=NOON + timedelta(hours=1))
        assert checked.refused.counts == {}, name
    assert len(calm["database"]) == LASTS
    assert len(calm["host"]) == 4 * LASTS
    assert len(calm["disk"]) == 4 * LASTS // 2


def test_counters_only_grow(calm: dict[str, pl.DataFrame]) -> None:
    for name, samples in calm.items():
        totals = [c.name for c in STREAMS[name].columns if "total since the start" in c.doc]
        entity = STREAMS[name].key[0]
        for total in totals:
            grows = pl.col(total).diff().over(entity).fill_null(0) >= 0
            assert samples.select(grows.all()).item(), total


def test_more_load_is_more_work(calm: dict[str, pl.DataFrame]) -> None:
    busy = lived(requests=20_000, messages=60_000)
    for stream, entity, column in (
        ("host", "web-1", "cpu"),
        ("host", "engine-1", "cpu"),
        ("database", "main", "pool_used"),
        ("service", "matching", "utilisation"),
        ("network", "web-1", "established"),
    ):
        key = STREAMS[stream].key[0]
        quiet, loud = (f[stream].filter(pl.col(key) == entity)[column].mean() for f in (calm, busy))
        assert loud > 1.5 * quiet, column


@pytest.mark.parametrize(
    ("at", "level"), [(-1, 0.0), (0, 0.0), (5, 0.5), (10, 1.0), (29, 1.0), (30, 0.0)]
)
def test_a_strain_grows_over_its_ramp_and_ends(at: int, level: float) -> None:
    assert Strain("traffic", 0, 30, 2.0, ramp=10).level(at) == level


def test_what_is_blind_sends_nothing_while_it_is() -> None:
    until = NOW + 10 * CADENCE
    hosts = lived(Strain("blind", NOW, until, entity="web-2"))["host"]
    assert len(hosts.filter(pl.col("host") == "web-2")) == LASTS - 10
    assert len(hosts.filter(pl.col("host") == "web-1")) == LASTS


def test_samples_come_out_once() -> None:
    machines = Machines()
    machines.sample(NOW, 10, 10, np.random.default_rng(1))
    assert len(machines.take(NOW)["host"]) == 0
    assert len(machines.take(NOW + 1)["host"]) == 4
    assert len(machines.take(NOW + 1)["host"]) == 0
