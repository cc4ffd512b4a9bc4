"""Peak memory of one computation of windows, in a process of its own.

``python -m benchmarks.memory SIDE FILE`` reads trades from an Arrow file and prints megabytes.
"""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

__all__ = ["peak_mb"]

STATUS = Path("/proc/self/status")


def peak_mb(side: str, trades: Path) -> float:
    """Peak memory of a new process that reads the trades and computes their windows.

    Parameters
    ----------
    side : {"ours", "pandas", "polars"}
    trades : Path
        Arrow file of what the side takes.
    """
    command = [sys.executable, "-m", __name__, side, str(trades)]
    return float(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)


def _run(side: str, trades: str) -> None:
    # Each side imports only what it needs: libraries take memory too.
    if side == "pandas":
        import pandas as pd

        from benchmarks import peers_pandas

        peers_pandas.windows(pd.read_feather(trades))
        return
    import polars as pl

    frame = pl.read_ipc(trades)
    if side == "polars":
        from benchmarks import peers_polars

        peers_polars.windows(frame)
    else:
        from features.extract import extract
        from features.trading import SYMBOL_1M

        extract(SYMBOL_1M, frame)


def _peak_mb() -> float:
    # On Linux getrusage also remembers the process that started this one, however large it was.
    if STATUS.exists():
        line = next(line for line in STATUS.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20  # bytes on macOS


if __name__ == "__main__":
    _run(*sys.argv[1:])
    print(_peak_mb())
