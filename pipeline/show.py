"""How results look on a terminal, and as JSON."""

from __future__ import annotations

import sys
from typing import Any

from rich.console import Console
from rich.table import Table

from pipeline.demo import Demonstration
from pipeline.words import how_rare

__all__ = ["demonstration_json", "demonstration_text"]

WIDTH = 110
MACHINE = {"cpu_mean": "CPU {:.0f} %", "memory_mean": "memory {:.0f} %"}


def demonstration_json(shown: Demonstration) -> dict[str, Any]:
    """The demonstration as JSON values; times are ISO 8601 in UTC."""
    return {
        "trades": shown.trades,
        "windows": shown.windows,
        "found": [_plain(row) for row in shown.found.iter_rows(named=True)],
        "truth": [_plain(row) for row in shown.truth.iter_rows(named=True)],
        "machine": shown.machine,
    }


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    return {k: v.isoformat() if hasattr(v, "isoformat") else v for k, v in row.items()}


def demonstration_text(shown: Demonstration) -> None:
    """Print the rarest moments as a table: who, when, how rare, and why."""
    # A file or a pipe has no width of its own.
    console = Console() if sys.stdout.isatty() else Console(width=WIDTH)
    table = Table(title="The rarest moments of the last two days", title_justify="left")
    for name in ("entity", "when (UTC)", "how rare", "what: actual against expected", "truth"):
        table.add_column(name, overflow="fold")
    for row in shown.found.iter_rows(named=True):
        table.add_row(
            row["entity"],
            f"{row['start']:%a %d %H:%M:%S}\nto {row['end']:%H:%M:%S}",
            how_rare(row["per_day"]),
            "\n".join(f"• {reason}" for reason in row["reasons"]),
            row["truth"] or "",
        )
    console.print(
        f"{shown.trades:,} made-up trades of five days became {shown.windows:,} windows of 5 s; "
        "three days were learned, two were scored.\n"
        "Amounts are means per window over the last 45 s.\n"
    )
    console.print(table)
    for row in shown.truth.iter_rows(named=True):
        console.print(
            f"hidden in them: {row['kind']} of {row['entity']}, "
            f"{row['start']:%a %d %H:%M:%S} to {row['end']:%a %d %H:%M:%S}"
        )
    known = [text.format(shown.machine[k]) for k, text in MACHINE.items() if k in shown.machine]
    if known:
        console.print(f"this machine now: {', '.join(known)} (in the lake, not judged yet)")
