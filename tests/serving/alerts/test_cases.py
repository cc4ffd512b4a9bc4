"""Verdicts reach what scorers learn: through the house, its loop and its store."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import sqlalchemy as sa

from pipeline.config import Config
from pipeline.files import digest
from pipeline.lifecycle.train import model_path
from pipeline.scoring.scorer import MARGIN, Scorer
from pipeline.sources.kinds import build
from pipeline.stream.cases import Case
from pipeline.stream.live import loop_of
from pipeline.stream.loop import Loop
from serving.alerts.acts import act, close_incident
from serving.alerts.cases import LATER, MICROSECOND, cases
from serving.alerts.engine import AlertEngine
from serving.alerts.record import alert_id
from serving.house import House
from serving.replay import replay
from serving.rules.correlate import CORRELATION
from serving.store.tables import alerts, incidents
from tests.serving.alerts.alerting import HOST, NOON, Bench

MINUTE = timedelta(minutes=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A scorer that knows two idle hosts; it is warm."""
    rng, count = np.random.default_rng(0), 4_000
    start = pl.Series([NOON - (count - i) * MINUTE for i in range(count) for _ in "ab"])
    cpu = rng.normal(20.0, 1.0, 2 * count)
    known = {"start": start, "end": start + MINUTE, "cpu_mean": cpu, "cpu_max": cpu}
    windows = pl.DataFrame({"entity": ["a", "b"] * count, **known}).with_columns(
        pl.lit(None, kind).alias(name)
        for name, kind in HOST.schema.items()
        if name not in ("entity", *known)
    )
    scorer = Scorer(HOST)
    for i in range(0, len(windows), 2_000):
        scorer.step(windows.select(*HOST.schema)[i : i + 2_000])
    assert scorer.warm
    path = tmp_path_factory.mktemp("models") / "hosts.npz"
    scorer.save(path)
    return path


class Lived:
    """A house and its loop: two hosts, of which one is busy for a while."""

    def __init__(self, home: Path, url: str, trained: Path) -> None:
        source = {"kind": "push", "name": "hosts", "stream": "host"}
        given = {"home": home, "store": url, "models": "files", "sources": [source]}
        self.config = Config.model_validate(given | {"views": [HOST.name]})
        (home / "models").mkdir(parents=True)
        shutil.copy(trained, model_path(home, HOST))
        self.now = NOON
        self.house = House.open(self.config, clock=lambda: self.now)
        self.begin()

    def begin(self) -> None:
        """Begin, or begin again after a crash."""
        self.engine = self.house.alerts()
        self.loop: Loop = loop_of(
            self.config, build(self.config, lambda: self.now), sink=self.engine
        )

    def end(self) -> None:
        self.loop.close()
        self.loop.checkpoint.close()

    @property
    def scorer(self) -> Scorer:
        found = self.loop.followers[HOST.name].scorer
        assert found is not None
        return found

    @property
    def held(self) -> set[str]:
        return set(self.scorer.guard.incidents)

    @property
    def learned(self) -> int:
        return self.scorer.history.seen

    def minutes(self, count: int, cpu: float = 20.0) -> None:
        """Let minutes pass in which one host is as busy as that."""
        rows = [
            f'{{"ts": "{(self.now + i * MINUTE).isoformat()}", "host": "{host}", "cpu": {busy}}}'
            for i in range(count)
            for host, busy in (("a", cpu), ("b", 20.0))
        ]
        self.house.spools["host"].append("\n".join(rows).encode())
        self.now += count * MINUTE
        while self.loop.step(self.now):
            pass

    def says(self, verdict: str) -> None:
        """Somebody judges every alert."""
        with self.house.engine.begin() as connection:
            ids = list(connection.execute(sa.select(alerts.c.id)).scalars())
            detail = {"verdict": verdict}
            act(connection, ids, "verdict", who="ann", now=self.now, detail=detail)

    def closes(self) -> None:
        """Somebody closes the incident."""
        with self.house.engine.begin() as connection:
            (one,) = connection.execute(sa.select(incidents.c.id)).scalars()
            close_incident(connection, one, who="ann", now=self.now)


@pytest.fixture
def lived(tmp_path: Path, make_store: Callable[[], sa.Engine], trained: Path) -> Iterator[Lived]:
    url = make_store().url.render_as_string(hide_password=False)
    found = Lived(tmp_path / "home", url, trained)
    found.minutes(4, cpu=95.0)
    yield found
    found.end()
    found.house.close()


def test_windows_of_an_open_incident_are_held_and_those_of_others_are_learned(
    lived: Lived,
) -> None:
    lived.minutes(30, cpu=95.0)
    assert lived.held == {"a"}
    before, waiting = lived.learned, lived.scorer.guard.waiting
    lived.minutes(5, cpu=95.0)
    assert (lived.learned - before, lived.scorer.guard.waiting - waiting) == (5, 5)


@pytest.mark.parametrize("verdict", ["noise", "real", "wrong_team"])
def test_a_verdict_takes_the_windows_in_or_throws_them_away(lived: Lived, verdict: str) -> None:
    lived.minutes(6)
    before, waiting = lived.learned, lived.scorer.guard.waiting
    lived.end()
    lived.says(verdict)
    lived.closes()
    lived.begin()
    lived.minutes(1)
    assert lived.held == set()
    # One more window of each host came; of those of twenty minutes ago both are learned now.
    gone = waiting + 2 - lived.scorer.guard.waiting
    assert gone > 9
    assert lived.learned - before == (gone if verdict == "noise" else 2)


def test_what_is_real_is_held_until_it_is_over(lived: Lived) -> None:
    lived.says("real")
    lived.minutes(6)
    assert lived.held == {"a"}
    lived.closes()
    lived.minutes(1)
    assert lived.held == set()


def test_what_nobody_judges_waits_an_hour_and_is_then_like_any_other(lived: Lived) -> None:
    lived.minutes(6)
    lived.closes()
    lived.minutes(1)
    assert lived.held == {"a"}
    lived.minutes(LATER // MINUTE)
    assert lived.held == set()
    lived.minutes(1)
    assert lived.scorer.guard.waiting <= 2 * (2 * MARGIN // MINUTE)


def test_alerts_carry_the_model_that_scored_their_window(lived: Lived) -> None:
    lived.minutes(2, cpu=100.0)
    with lived.house.engine.connect() as connection:
        rows = [dict(row) for row in connection.execute(sa.select(alerts)).mappings()]
    (row,) = (row for row in rows if row["per_day"] is not None)
    assert row["model_version"] == digest([model_path(lived.config.home, HOST)])[:12]
    with lived.house.engine.connect() as connection:
        found = replay(
            connection,
            row["id"],
            lake=lived.house.lake,
            witness=lived.config.home / "evidence",
            packs=lived.house.packs,
        )
    assert found.code == 0, found.text()
    assert any(f"score by {row['model_version']}" in one for one in found.checked)


def _cases(bench: Bench, held: dict[str, dict[str, int]]) -> dict[str, list[Case]]:
    with bench.engine.connect() as connection:
        return cases(connection, held, now=bench.now)


def test_nothing_is_said_twice_and_views_that_hold_nothing_hear_nothing(bench: Bench) -> None:
    assert _cases(bench, {HOST.name: {}}) == {}
    for _ in range(2):
        bench.minute({"a": 90})
    (alert,) = bench.rows(alerts)
    since = (alert["start"] - EPOCH) // MICROSECOND
    assert _cases(bench, {HOST.name: {}}) == {HOST.name: [Case("a", since)]}
    assert _cases(bench, {HOST.name: {"a": since}}) == {}
    assert _cases(bench, {}) == {}


def test_a_correlation_holds_the_windows_that_its_labels_name(bench: Bench) -> None:
    for _ in range(2):
        bench.minute({"a": 90})
    (alert,) = bench.rows(alerts)
    changed: dict[str, Any] = {"view": CORRELATION, "entity": "story", "labels": {"host": "b"}}
    with bench.engine.begin() as connection:
        connection.execute(alerts.update().values(**changed))
    found = _cases(bench, {HOST.name: {}, "trades.symbol_5s": {}})
    assert [(view, one.entity) for view, some in found.items() for one in some] == [
        (HOST.name, "b")
    ]
    assert alert["id"] == alert_id(alert["fingerprint"], alert["start"])


def test_an_engine_is_a_sink_that_knows(bench: Bench) -> None:
    assert isinstance(bench.alerts, AlertEngine)
    with bench.engine.connect() as connection:
        assert bench.alerts.cases(connection, {}, now=bench.now) == {}
