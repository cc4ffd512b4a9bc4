"""A folder of access logs as a test: a scanner's log laid over a real one, found without labels.

A file whose name begins with ``scan`` is a scanner's traffic; every other file of the combined log
format is normal life. The scan's requests keep their own relative timing and are moved in one
piece, to begin where three quarters of the real log's time have passed, so that there is a past to
learn from. Each scan is judged alone. What the detector is given is the events in order of time,
renumbered: neither the file nor a label.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.access import ACCESS, IP_1M
from features.silence import batch_windows
from models.range_metrics import average_precision
from pipeline.evaluation.peers import window_forest
from pipeline.files import InputError
from pipeline.scoring.scorer import Scorer
from pipeline.sources.parsers import parse_combined

__all__ = ["AccessMix", "Mixture", "evaluate_mix", "mix"]

BEFORE = 0.75
"""Share of the real log's time before the scan begins."""
CHUNK = 200
"""Windows scored before they are learned, about as a stream closes them: a few minutes' worth."""
TOLD = {"ours": "ours", "forest": "forest", "requests": "trivial", "random": "random"}
"""What the figures over all scans are called."""
READABLE = 0.9
"""Share of its lines that a file of the combined log format must have parsed."""


@dataclass(frozen=True)
class Mixture:
    """Windows of a real log with a scan in it, and which of them hold requests of the scan."""

    scan: str
    windows: pl.DataFrame
    anomalous: NDArray[np.bool_]


@dataclass(frozen=True)
class AccessMix:
    """A folder with a real access log and scanners' logs."""

    path: Path
    real: tuple[Path, ...]
    scans: tuple[Path, ...]

    @classmethod
    def open(cls, path: Path) -> AccessMix | None:
        """The logs of a folder; None where it is no folder with a scan in it."""
        files = sorted(f for f in path.glob("*") if f.suffix in {".log", ".txt"})
        scans = tuple(f for f in files if f.name.startswith("scan"))
        if not scans or (path / "meta.json").exists():
            return None
        return cls(path, tuple(f for f in files if f not in scans), scans)

    def mixtures(self, *, now: datetime) -> list[Mixture]:
        """One mixture for each scan.

        Raises
        ------
        InputError
            No real log, or a scan, is of the combined log format.
        """
        logs = [events for f in self.real if (events := _requests(f, now)) is not None]
        if not logs:
            raise InputError(f"{self.path}: expected an access log of the combined format")
        found = []
        for file in self.scans:
            scan = _requests(file, now)
            if scan is None:
                raise InputError(f"{file}: expected lines of the combined log format")
            found.append(mix(file.name, pl.concat(logs), scan))
        return found


def _requests(file: Path, now: datetime) -> pl.DataFrame | None:
    lines = pl.Series("line", file.read_bytes().decode(errors="replace").splitlines())
    events, _ = parse_combined(lines, now)
    if len(events) < READABLE * max(1, len(lines)):
        return None
    return ACCESS.validate(events, now=now).events


def mix(name: str, real: pl.DataFrame, scan: pl.DataFrame, *, before: float = BEFORE) -> Mixture:
    """Lay a scan over a real log.

    Parameters
    ----------
    real, scan : polars.DataFrame
        Valid events of the stream ``access``.
    before : float
        Share of the real log's time before the scan begins, 0 to 1.
    """
    first, last = real["ts"].min(), real["ts"].max()
    assert isinstance(first, datetime)
    assert isinstance(last, datetime)
    moved = scan.with_columns(pl.col("ts") - pl.col("ts").min() + first + (last - first) * before)
    of_scan = moved.select(
        pl.col("ip").alias("entity"), pl.col("ts").dt.truncate(IP_1M.every).alias("start")
    ).unique()
    both = pl.concat([real, moved]).sort("ts", "ip", "id", maintain_order=True)
    both = both.with_columns(pl.int_range(pl.len()).alias("id"))
    windows = batch_windows(IP_1M, both)
    marked = windows.join(
        of_scan.with_columns(pl.lit(True).alias("scan")),
        on=["entity", "start"],
        how="left",
        maintain_order="left",
    )
    return Mixture(name, windows, marked["scan"].fill_null(False).to_numpy())


def evaluate_mix(
    folder: AccessMix,
    *,
    now: datetime,
    seed: int,
    progress: Callable[[float], None] = lambda share: None,
) -> dict[str, Any]:
    """Judge our scores, the plain forest, two trivial scores and chance on every scan of a folder.

    Only windows with events are judged, those before the detector is warm among them. The forest
    is fitted on the whole mixture, its future included; the trivial scores are the requests, and
    the requests for what is not there, in a minute.

    Returns
    -------
    dict
        As `pipeline.evaluation.evaluate.evaluate`, the layout being "logs", each figure the mean
        over the scans; and ``scans``: for each its name, sizes, and under ``ours``, ``forest``,
        ``requests``, ``not_found`` and ``random`` a dict of ``ap`` over addresses and minutes,
        and ``rank`` of the scanner's address among all by their highest score (1 is the highest;
        ties count against it). ``trivial`` is ``requests``.
    """
    scans = []
    mixtures = folder.mixtures(now=now)
    for number, mixture in enumerate(mixtures):
        scans.append(_judge(mixture, seed))
        progress((number + 1) / len(mixtures))
    over_all = {
        told: {
            "ap": float(np.mean([scan[name]["ap"] for scan in scans])),
            "rank": float(np.mean([scan[name]["rank"] for scan in scans])),
        }
        for name, told in TOLD.items()
    }
    head = {"set": folder.path.resolve().name, "layout": "logs", "ap": over_all["ours"]["ap"]}
    return head | {"delay": None} | over_all | {"scans": scans, "budget": []}


def _judge(mixture: Mixture, seed: int) -> dict[str, Any]:
    windows = mixture.windows
    scorer = Scorer(IP_1M, seed=seed)
    steps = [scorer.step(windows[i : i + CHUNK]) for i in range(0, len(windows), CHUNK)]
    contenders = {
        "ours": pl.concat(steps)["score"].to_numpy(),
        "forest": window_forest(IP_1M, windows, seed),
        "requests": windows["requests"].to_numpy(),
        "not_found": (windows["requests"] * windows["not_found_share"].fill_null(0)).to_numpy(),
        "random": np.random.default_rng(seed).random(len(windows)),
    }
    busy = windows["count"].to_numpy() > 0
    anomalous, entity = mixture.anomalous[busy], windows["entity"].filter(pl.Series(busy))
    judged = {
        name: {
            "ap": average_precision(anomalous, score[busy]),
            "rank": _rank(entity, score[busy], anomalous),
        }
        for name, score in contenders.items()
    }
    sizes = {"windows": len(entity), "addresses": entity.n_unique(), "of_scan": anomalous.sum()}
    return {"scan": mixture.scan} | {k: int(v) for k, v in sizes.items()} | judged


def _rank(entity: pl.Series, score: NDArray[np.float64], anomalous: NDArray[np.bool_]) -> int:
    """The place of the best of the scan's addresses among all, by the highest score of each."""
    frame = pl.DataFrame({"entity": entity, "score": score, "scan": anomalous})
    highest = frame.group_by("entity").agg(pl.col("score").max(), pl.col("scan").any())
    best = highest.filter("scan")["score"].max()
    return int((~highest["scan"] & (highest["score"] >= best)).sum()) + 1
