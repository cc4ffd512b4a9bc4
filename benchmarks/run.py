"""All benchmarks, as a table and as ``benchmarks/results.json``.

``python -m benchmarks.run [--quick] [--only NAME...] [--out FILE]``. The exit code is 1 when ours
and a peer disagree or a floor is missed; quick runs have no floors. Only a full run writes
``results.json``, others write where ``--out`` says.
"""

from __future__ import annotations

import argparse
import importlib
import json
import pkgutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import benchmarks
from benchmarks.harness import Result

__all__ = ["FLOORS", "PARITY", "main", "names", "verdict"]

RESULTS = Path(__file__).with_name("results.json")
PREFIX = "bench_"
FLOORS = {
    "api.score.1": 0.85,
    "api.score.1.p99": 1 / 1.5,
    "api.score.100": 5.0,
    "api.score.arrow10k": 10.0,
    "forest.score.1": 500.0,
    "forest.score.1024": 6.0,
    "forest.score.100000": 4.0,
    "half_space.25x8": 30.0,
    "half_space.25x15": 100.0,
    "score.pipeline": 50.0,
    "stream.json": 20.0,
    "stream.memory": 1 / 1.1,
    "stream.trades": 20.0,
    "windows.trades": 2.5,
    "windows.trades.polars": 1.0,
}
"""How many times faster than the peer ours has to be."""
PARITY = 1e-9
"""How far the outputs may be apart."""


def names() -> list[str]:
    """The benchmarks there are: ``forest`` is the module ``bench_forest``."""
    found = (module.name for module in pkgutil.iter_modules(benchmarks.__path__))
    return sorted(name.removeprefix(PREFIX) for name in found if name.startswith(PREFIX))


def verdict(result: Result, floors: Mapping[str, float]) -> str:
    """``ok``, ``FAIL`` with the reason, or ``-`` where there is no floor."""
    # Written so that a NaN fails.
    if not result["parity"] <= PARITY:
        return f"FAIL: parity above {PARITY:g}"
    floor = floors.get(result["name"])
    if floor is None:
        return "-"
    return "ok" if result["ratio"] >= floor else f"FAIL: floor {floor:g}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what the command line asks for and return the exit code."""
    parser = argparse.ArgumentParser(prog="benchmarks.run", description="Ours against its peers.")
    parser.add_argument("--quick", action="store_true", help="small sizes, no floors")
    parser.add_argument(
        "--only", nargs="+", choices=names(), metavar="NAME", help=f"of {', '.join(names())}"
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="where to write the results")
    asked = parser.parse_args(arguments)
    results: list[Result] = []
    for name in asked.only or names():
        print(f"{name} ...", file=sys.stderr, flush=True)
        results += importlib.import_module(f"benchmarks.{PREFIX}{name}").run(asked.quick)
    verdicts = [verdict(result, {} if asked.quick else FLOORS) for result in results]
    print(f"{'':24}{'ours':>12}{'peer':>12} {'unit':10}{'ratio':>8}{'parity':>8}  against")
    for result, said in zip(results, verdicts, strict=True):
        print(line(result), said, sep="  ")
    partial = asked.quick or asked.only
    if out := asked.out or (None if partial else RESULTS):
        out.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    return int(any(said.startswith("FAIL") for said in verdicts))


def line(r: Result) -> str:
    """A result for people to read."""
    numbers = f"{r['name']:24}{r['ours']:>12,.4g}{r['peer']:>12,.4g} {r['unit']:10}"
    text = f"{numbers}{r['ratio']:>8,.4g}{r['parity']:>8.1g}  {r['peer_name']}"
    if "ours_peak_mb" in r:
        text += f"  (peak memory {r['ours_peak_mb']:,.0f} against {r['peer_peak_mb']:,.0f} MB)"
    return text


if __name__ == "__main__":
    sys.exit(main())
