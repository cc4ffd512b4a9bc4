"""A small report on made-up figures, and what it looks like.

Run as a module, this file writes the golden files anew: `python -m tests.pipeline.reporting`.
Look at what changed before you keep it.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from pipeline.report.render import html, markdown, results_json
from pipeline.report.results import (
    Budget,
    Call,
    Drift,
    Estimate,
    Level,
    Quality,
    Report,
    Served,
    SetResult,
    Slice,
)
from pipeline.report.verdict import RULES, verdict

GOLDEN = Path(__file__).parent / "golden"
CONTENDERS = ("ours", "forest", "trivial", "random")


def quality(*values: float, lead: tuple[float, float, float], **kept: Any) -> Quality:
    """Figures of ours, forest, trivial and chance, each a tenth wide, and our lead."""
    contenders = {
        name: Estimate(value, max(value - 0.05, 0.0), min(value + 0.05, 1.0))
        for name, value in zip(CONTENDERS, values, strict=True)
    }
    given = {"metric": "recall", "budget": 0.02, "delay": {}, "peer": "forest"}
    return Quality(contenders=contenders, lead=Estimate(*lead), **(given | kept))


GOOD = SetResult(
    name="pumps <a|b>",
    layout="events",
    stream="trades",
    view="trades.symbol_5s",
    digest="0123456789abcdef",
    begin="2026-01-01 00:00",
    end="2026-01-31 12:30",
    rows=123_456,
    normal=120_000,
    entities=7,
    labelled=40,
    days=30.5,
    cold=0.0125,
    quality=[
        quality(
            0.975,
            0.5,
            0.25,
            0.0,
            lead=(0.475, 0.25, 0.6),
            delay={"ours": 7.5, "forest": 25.0, "trivial": 40.0, "random": None},
        )
    ],
    budgets=[
        Budget(
            "alerts", 0.1, 3.05, 0.13, 1.3, 0.3, 3.1, "not measurable", "3.05 expected", 0.5, 20.0
        ),
        Budget("alerts", 1.0, 30.5, 2.1, 2.1, 1.6, 2.7, "missed", "", 0.9, 10.0),
        Budget("alerts", 10.0, 305.0, 11.6, 1.16, 1.02, 1.3, "kept", "", 1.0, 7.5),
        Budget("windows", 10.0, 305.0, 9.0, 0.9, 0.6, 1.2, "kept", "", None, None),
    ],
    calibration=[Level(0.32, 0.31), Level(0.1, 0.11), Level(0.01, 0.0125)],
    drift=Drift(
        [Slice("2026-01-01", 0.3, 1.02, 2.1), Slice("2026-01-16", 0.31, 0.98, 1.9)],
        0.1,
        0.105,
        0.095,
        False,
    ),
    calls=[
        Call(
            "found",
            "A`B<script>alert(1)</script>",
            "2026-01-03 04:05:06",
            1e-9,
            0.0025,
            ["41 buy orders against 0.31 expected, 132 times"],
            (0.0, 1.0),
            [-1.0, 0.0, 1.0],
            [0.5, 6.25, 9.0],
            4.5,
        ),
        Call("quiet", "C", "2026-01-09 10:11:12", 1e-4, 2.0, [], None, [0.0], [4.0], 4.5),
    ],
)
ROWS = replace(
    GOOD,
    name="logins",
    layout="rows",
    stream="access",
    view="",
    digest="fedcba9876543210",
    begin="",
    end="",
    rows=800,
    normal=780,
    entities=1,
    labelled=20,
    days=None,
    quality=[
        quality(
            0.4, 0.3, 0.6, 0.05, lead=(-0.2, -0.3, -0.1), metric="ap", budget=None, peer="trivial"
        )
    ],
    budgets=[],
    drift=None,
    calls=[Call("missed", "row 17", "", 0.25, None, ["f1 3 against 1 usual, 2.5 spreads above"])],
)


def report(*sets: SetResult) -> Report:
    """A report on made-up results."""
    serving = [
        Served("trades.symbol_5s", 41, "champion", 7, 39),
        Served("system.host_1m", 3, "thresholds only", None, None),
    ]
    return Report({"tocsin": "0.1.0"}, 0, RULES, list(sets), verdict(list(sets)), serving)


def without_plots(page: str) -> str:
    """The page with each drawing put aside: how it is drawn is matplotlib's."""
    return re.sub(r"<svg.*?</svg>", "<svg></svg>", page, flags=re.DOTALL)


def rendered() -> dict[str, str]:
    """File name and text of the made-up report."""
    made_up = report(GOOD, ROWS)
    return {
        "report.html": without_plots(html(made_up)),
        "report.md": markdown(made_up),
        "results.json": results_json(made_up),
    }


if __name__ == "__main__":
    for name, text in rendered().items():
        (GOLDEN / name).write_text(text, encoding="utf-8")
