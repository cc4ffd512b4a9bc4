"""Made-up events of every stream there is, and a loop over them, for tests of the loop.

The values are drawn from each column's own type and range: a new stream needs nothing here.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from features.catalogue import STREAMS, VIEWS
from features.stream import TIME, Column, Stream
from features.trading import SYMBOL_5S, TRADES
from features.view import FeatureView
from pipeline.config import Config
from pipeline.database import open_engine
from pipeline.lake import Lake
from pipeline.sources.files import FileSource
from pipeline.sources.kinds import build
from pipeline.sources.source import Source
from pipeline.stream.checkpoint import Checkpoint
from pipeline.stream.live import run
from pipeline.stream.loop import Loop
from pipeline.stream.options import Options

__all__ = [
    "AFTER",
    "START",
    "loop_of",
    "made_up",
    "sources_of",
    "troubled",
    "write_events",
    "write_frame",
]

START = datetime(2026, 3, 1, 22, tzinfo=UTC)
"""Two hours before midnight, so that windows fall on two dates of the lake."""
AFTER = START + timedelta(days=30)
STEPS = (0.0, 0.25, 1.0, 2.5, 7.0)


def made_up(stream: Stream, count: int, seed: int = 0) -> pl.DataFrame:
    """Valid events, in order of time but for a little disorder, with the ids of their order."""
    rng = np.random.default_rng([seed, *stream.name.encode()])
    seconds = np.cumsum(rng.choice(STEPS, count))
    disorder = rng.choice([0.0, -0.5], count, p=[0.9, 0.1])
    at = START + pl.Series(np.maximum(seconds + disorder, 0.0) * 1e6).cast(pl.Duration("us"))
    columns = {c.name: _values(c, count, rng) for c in stream.columns}
    columns[stream.time] = at.cast(TIME)
    columns[stream.id] = pl.Series(range(count)).cast(_of(stream, stream.id).type)
    validated = stream.validate(pl.DataFrame(columns), now=AFTER)
    validated.refused.raise_first()
    return validated.events


def _of(stream: Stream, name: str) -> Column:
    return next(c for c in stream.columns if c.name == name)


def _values(column: Column, count: int, rng: np.random.Generator) -> pl.Series:
    kind = column.type
    if isinstance(kind, pl.Enum):
        return pl.Series(rng.choice(kind.categories.to_list(), count), dtype=kind)
    if kind == pl.Boolean():
        return pl.Series(rng.random(count) < 0.9)
    if kind.is_numeric():
        low = column.above if column.above is not None else (column.at_least or 0.0)
        high = column.at_most if column.at_most is not None else low + 50.0
        values = low + (high - low) * rng.choice([0.125, 0.25, 0.5, 0.75, 1.0], count)
        return pl.Series(values if kind.is_float() else np.ceil(values)).cast(kind)
    if kind == TIME:
        return pl.Series([START] * count, dtype=TIME)
    return pl.Series(rng.choice([f"{column.name}-{i}" for i in range(3)], count), dtype=kind)


def write_events(folder: Path, counts: dict[str, int], files: int = 3) -> None:
    """Events of streams as folders of files; Parquet, CSV and JSON lines in turn."""
    for number, (name, count) in enumerate(sorted(counts.items())):
        write_frame(folder / name, made_up(STREAMS[name], count), number, files)


def write_frame(
    folder: Path, events: pl.DataFrame, number: int, files: int = 3, group: int = 200
) -> None:
    """Events as a folder of files; the number says in which format."""
    folder.mkdir(parents=True)
    for i in range(files):
        part = events[i * len(events) // files : (i + 1) * len(events) // files]
        to = folder / f"{i:03}"
        if number % 3 == 0:
            part.write_parquet(to.with_suffix(".parquet"), row_group_size=group)
        elif number % 3 == 1:
            part.write_ndjson(to.with_suffix(".jsonl"))
        else:
            part.write_csv(to.with_suffix(".csv"), datetime_format="%+")


def sources_of(folder: Path, batch: int) -> list[Source]:
    """A source for each stream's folder."""
    names = sorted(path.name for path in folder.iterdir())
    return [
        FileSource(name, STREAMS[name], folder / name, follow=False, batch=batch) for name in names
    ]


def loop_of(
    home: Path,
    sources: Sequence[Source],
    *,
    views: Sequence[FeatureView] | None = None,
    url: str | None = None,
    options: Options | None = None,
    **how: Any,
) -> Loop:
    """A loop over sources with every view of their streams, its database and lake in ``home``."""
    home.mkdir(parents=True, exist_ok=True)
    streams = {source.stream.name for source in sources}
    chosen = views or [view for view in VIEWS.values() if view.stream.name in streams]
    return Loop(
        sources,
        chosen,
        lake=Lake(home / "lake"),
        checkpoint=Checkpoint(open_engine(url or f"sqlite:///{home}/store.db")),
        home=home,
        options=options or Options(snapshot_every=timedelta(minutes=30)),
        **how,
    )


def troubled(home: Path, store: str | None = None) -> tuple[Config, datetime]:
    """Run a stream over 209 pushed rows: 4 refused, 2 future, 3 late; another source fails.

    A third gives nothing. Also gives the time of the newest event that is believed.
    """
    push = {"kind": "push", "name": "p", "stream": "trades"}
    quiet = {"kind": "push", "name": "quiet", "stream": "access"}
    gone = {"kind": "files", "name": "gone", "stream": "orders", "path": str(home / "nowhere")}
    config = Config.model_validate(
        {
            "home": home,
            "store": store,
            "batch": 50,
            "models": "cold",
            "views": [SYMBOL_5S.name],
            "sources": [push, gone, quiet],
        }
    )
    rows = made_up(TRADES, 200)
    newest = rows[TRADES.time].max()
    assert isinstance(newest, datetime)
    others = {
        "late": rows[:3],
        "future": rows[:2].with_columns(
            pl.lit(AFTER + timedelta(hours=1), TIME).alias("ts"), id=pl.col("id") + 1_000
        ),
        "refused": rows[:4].with_columns(price=pl.lit(-1.0)),
    }
    spool = build(config, lambda: AFTER).spools["p"]
    for part in (rows, *others.values()):
        spool.append(part)
    run(config, clock=lambda: AFTER, now=AFTER)
    return config, newest
