"""The main job end to end on made-up trades and on this machine: what `tocsin demo` runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl

from features.catalogue import VIEWS
from features.silence import batch_windows
from features.system import HOST_1M
from features.trading import SYMBOL_5S
from pipeline.lake import Lake
from pipeline.rarest import rarest
from pipeline.scorer import Scorer
from pipeline.simulate.session import exchange_session
from pipeline.sources.host import HostSource
from pipeline.train import model_path, train

__all__ = ["Demonstration", "demonstrate"]

DAYS, LEARNED_DAYS = 5, 3
START = datetime(2026, 3, 2, tzinfo=UTC)


@dataclass(frozen=True)
class Demonstration:
    """What the demonstration found.

    Parameters
    ----------
    trades, windows : int
        Trades made up, and windows they became.
    found : polars.DataFrame
        From `pipeline.rarest.rarest`, with ``truth``: the kind of a made-up event that the
        moment belongs to, or null.
    truth : polars.DataFrame
        What was hidden in the session: ``entity, start, end, kind``.
    machine : dict of str to float
        Features of this machine's last minute, those that are known.
    """

    trades: int
    windows: int
    found: pl.DataFrame
    truth: pl.DataFrame
    machine: dict[str, float]


def demonstrate(
    home: Path,
    *,
    seed: int,
    clock: Callable[[], datetime],
    progress: Callable[[str, float], None] = lambda step, share: None,
) -> Demonstration:
    """Run the whole way from events to the rarest moments, through the lake and a saved model.

    Parameters
    ----------
    home : Path
        Gets ``seed-<seed>`` with ``lake`` and ``models``.
    seed : int
        Of the session and the models.
    clock : callable
        Gives the aware time of each sample of this machine.
    progress : callable
        Told the step at work and its share done, 0 to 1.
    """
    # A session of another seed is another market: it has its own lake.
    home = home / f"seed-{seed}"
    view, lake = SYMBOL_5S, Lake(home / "lake")
    machine = _Machine(clock)
    progress("making up five days of an exchange", 0.0)
    session = exchange_session(START, DAYS, seed)
    machine.sample()
    progress("trades become windows", 0.0)
    windows = batch_windows(view, session.trades)
    # The same session again is the same windows: the lake takes them once.
    lake.append(view.name, windows, transaction=(f"demo-{seed}", 1))
    machine.sample()
    until = START + timedelta(days=LEARNED_DAYS)
    path = model_path(home, view)
    train(
        view,
        lake,
        path,
        since=START,
        until=until,
        seed=seed,
        progress=lambda share: progress(f"learning {LEARNED_DAYS} days", share),
    )
    machine.sample()
    progress(f"scoring {DAYS - LEARNED_DAYS} days", 0.0)
    later = lake.windows(view.name, since=until, until=START + timedelta(days=DAYS))
    scores = Scorer.load(view, path).run(later)
    lake.append(f"scores/{view.name}", scores.drop("reasons"), transaction=(f"demo-{seed}", 1))
    machine.sample()
    found = rarest(scores, most=8)
    progress("done", 1.0)
    return Demonstration(
        len(session.trades),
        len(windows),
        _told(found, session.truth),
        session.truth,
        machine.keep(lake),
    )


def _told(found: pl.DataFrame, truth: pl.DataFrame) -> pl.DataFrame:
    """What each moment was, for the moments that overlap a made-up event of their entity."""
    inside = (
        found.join(truth, on="entity", suffix="_truth")
        .filter((pl.col("start") < pl.col("end_truth")) & (pl.col("end") > pl.col("start_truth")))
        .select("entity", "start", pl.col("kind").alias("truth"))
    )
    return found.join(inside, on=["entity", "start"], how="left", maintain_order="left")


class _Machine:
    """Samples of this machine, taken while the demonstration works."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._source = HostSource(cadence={HOST_1M.stream.name: timedelta(milliseconds=1)})
        self._samples: list[pl.DataFrame] = []
        self.sample()

    def sample(self) -> None:
        taken = self._source.sample(self._clock())
        self._samples.extend(taken.values())

    def keep(self, lake: Lake) -> dict[str, float]:
        """Put the windows into the lake; the features of the last that are known."""
        view = VIEWS[HOST_1M.name]
        windows = batch_windows(view, pl.concat(self._samples))
        run = (f"demo-machine-{windows['start'][0].isoformat()}", 1)
        lake.append(view.name, windows, transaction=run)
        last = windows.row(-1, named=True)
        return {name: last[name] for name in view.names if last[name] is not None}
