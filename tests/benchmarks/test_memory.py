"""Peak memory is of the child alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks import peers_polars
from benchmarks.memory import peak_mb
from benchmarks.trades import trades

MB = 2**20


def test_a_large_parent_does_not_count(tmp_path: Path) -> None:
    file = tmp_path / "trades.arrow"
    peers_polars.prepare(trades(100)).write_ipc(file)
    large = np.ones(700 * MB // 8)
    assert 20 < peak_mb("polars", file) < large.nbytes / MB
