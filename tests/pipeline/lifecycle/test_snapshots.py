"""What nobody held in time is unlearned: back to before it, and forward without it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from pipeline.files import InputError
from pipeline.lake import Lake
from pipeline.lifecycle.incidents import no_incidents, without
from pipeline.lifecycle.snapshots import Snapshots
from pipeline.lifecycle.train import learn
from pipeline.scoring.scorer import MARGIN, Scorer
from tests.pipeline.lifecycle.retraining import FIRST, VIEW, made_up


@pytest.fixture(scope="module")
def history() -> pl.DataFrame:
    return made_up(0, FIRST)


@pytest.fixture(scope="module")
def trained(history: pl.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("trained") / "model.npz"
    learn(VIEW, history).save(path)
    return path


@pytest.fixture
def since(history: pl.DataFrame, tmp_path: Path) -> tuple[Lake, pl.DataFrame, pl.DataFrame]:
    """A lake whose newest windows hold an incident of A, those windows, and the incident."""
    later = made_up(FIRST, 900)
    begun = later["start"][0] + MARGIN
    ended = begun + timedelta(minutes=5)
    hit = (pl.col("entity") == "A") & pl.col("start").is_between(begun, ended, closed="left")
    later = later.with_columns(
        pl.when(hit).then(pl.col(name) * 50).otherwise(name).alias(name) for name in VIEW.names
    )
    lake = Lake(tmp_path / "lake")
    lake.append(VIEW.name, history)
    lake.append(VIEW.name, later)
    incident = pl.DataFrame(
        {"entity": ["A"], "start": [begun], "end": [ended]}, schema=dict(no_incidents().schema)
    )
    return lake, later, incident


def test_a_rewound_scorer_never_saw_the_incident(
    trained: Path, since: tuple[Lake, pl.DataFrame, pl.DataFrame], tmp_path: Path
) -> None:
    lake, later, incident = since
    ring = Snapshots(tmp_path / "ring")
    scorer = Scorer.load(VIEW, trained)
    ring.take(scorer)
    scorer.run(later)
    ring.take(scorer)
    back = ring.rewind(VIEW, lake, incident)
    clean = Scorer.load(VIEW, trained)
    clean.run(without(later, incident))
    assert back.until == clean.until == scorer.until
    probe = made_up(FIRST + 900, 300)
    seen = scorer.run(probe)
    expected = clean.run(probe)
    assert_frame_equal(back.run(probe), expected, check_exact=True)
    assert not seen["p"].equals(expected["p"])


def test_there_must_be_an_incident_and_a_snapshot_before_it(
    trained: Path, since: tuple[Lake, pl.DataFrame, pl.DataFrame], tmp_path: Path
) -> None:
    lake, _, incident = since
    ring = Snapshots(tmp_path / "ring")
    with pytest.raises(InputError, match="none is kept"):
        ring.rewind(VIEW, lake, incident)
    ring.take(Scorer.load(VIEW, trained))
    with pytest.raises(InputError, match="no incident"):
        ring.rewind(VIEW, lake, no_incidents())
