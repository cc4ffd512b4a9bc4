"""Plots of a report as SVG that takes its colours from the page and names no other file."""

from __future__ import annotations

import re
from collections.abc import Callable
from io import StringIO
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from models.walk_forward import TOLERANCE
from pipeline.report.results import Call, Drift, Quality, SetResult
from pipeline.scoring.words import amount

__all__ = ["budget_plot", "calibration_plot", "call_plot", "drift_plot", "quality_plot"]

# Stand-ins for the variables of the page's style sheet.
COLOURS = {
    "#010101": "var(--ink)",
    "#020202": "var(--muted)",
    "#030303": "var(--line)",
    "#040404": "var(--ours)",
    "#050505": "var(--peer)",
    "#060606": "var(--mark)",
}
INK, MUTED, LINE, OURS, PEER, MARK = COLOURS
SIZE = (3.8, 2.5)
RATIOS = (0.1, 10.0)
STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "font.size": 9,
    "text.color": INK,
    "axes.edgecolor": LINE,
    "axes.labelcolor": MUTED,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": LINE,
    "ytick.color": LINE,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "lines.linewidth": 1.6,
    "legend.frameon": False,
    "legend.fontsize": 8,
}
CONTENDERS = {"ours": ("ours", OURS), "forest": ("plain forest", PEER)}
CONTENDERS |= {"trivial": ("trivial score", PEER), "random": ("chance", PEER)}


def quality_plot(result: SetResult, quality: Quality) -> str:
    """Each contender's figure with its interval."""

    def draw(axes: Axes) -> None:
        names = list(reversed(CONTENDERS))
        for y, name in enumerate(names):
            at, (_, colour) = quality.contenders[name], CONTENDERS[name]
            axes.plot([at.low, at.high], [y, y], color=colour, lw=3, solid_capstyle="round")
            axes.plot(at.value, y, "o", color=colour, ms=7)
        axes.set_yticks(range(len(names)), [CONTENDERS[name][0] for name in names])
        axes.set_ylim(-0.6, len(names) - 0.4)
        axes.set_xlim(-0.03, 1.03)
        axes.grid(axis="x", color=LINE, lw=0.5)

    return _svg(f"quality {result.name} {quality.metric} {quality.budget}", draw, (3.8, 1.5))


def calibration_plot(result: SetResult) -> str:
    """Share of normal rows at or below each level of p, against the level."""

    def draw(axes: Axes) -> None:
        levels = [at.level for at in result.calibration]
        axes.plot(levels, levels, "--", color=MUTED, lw=1, label="calibrated")
        shown = [at for at in result.calibration if at.share > 0]
        axes.plot([a.level for a in shown], [a.share for a in shown], "o-", color=OURS, ms=4)
        _logarithmic(axes, "p", "share of normal at or below p")

    return _svg(f"calibration {result.name}", draw)


def budget_plot(result: SetResult) -> str:
    """Alerts raised over alerts asked for, with the interval, for each budget."""

    def draw(axes: Axes) -> None:
        axes.axhspan(1 - TOLERANCE, 1 + TOLERANCE, color=MUTED, alpha=0.25, lw=0)
        axes.axhline(1, color=MUTED, ls="--", lw=1)
        for b in (b for b in result.budgets if b.unit == "alerts"):
            low, high = (float(np.clip(end, *RATIOS)) for end in (b.low, b.high))
            colour = {"kept": OURS, "missed": PEER}.get(b.state, MUTED)
            axes.plot([b.asked, b.asked], [low, high], color=colour, lw=1.6)
            face = "none" if b.state == "not measurable" else colour
            ratio = float(np.clip(b.ratio, *RATIOS))
            axes.plot(b.asked, ratio, "o", color=colour, ms=6, mfc=face)
        _logarithmic(axes, "alerts a day asked for", "raised, as a share of it")
        axes.set_ylim(*RATIOS)
        axes.set_yticks([0.1, 0.3, 1, 3, 10])

    return _svg(f"budget {result.name}", draw)


def drift_plot(result: SetResult, drift: Drift) -> str:
    """Quantiles of the rarity of normal windows over time."""

    def draw(axes: Axes) -> None:
        slices = drift.slices
        places = range(1, len(slices) + 1)
        for name, text, expected in (("p99", "99 %", 2.0), ("p90", "90 %", 1.0)):
            colour = OURS if name == "p99" else PEER
            axes.axhline(expected, color=colour, ls="--", lw=1, alpha=0.6)
            values = [getattr(part, name) for part in slices]
            axes.plot(places, values, "o-", color=colour, ms=4, label=text)
        axes.plot(places, [part.median for part in slices], color=MUTED, label="median")
        axes.set_ylim(bottom=0)
        axes.set_xticks(places)
        axes.set_xlabel("tenth of the time")
        axes.set_ylabel("rarity, -log10 p")
        axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=3)

    return _svg(f"drift {result.name}", draw)


def call_plot(result: SetResult, call: Call) -> str:
    """The scores around one call."""

    def draw(axes: Axes) -> None:
        if call.labelled is not None:
            axes.axvspan(*call.labelled, color=MARK, alpha=0.3, lw=0)
        axes.plot(call.minutes, call.rarity, color=OURS, lw=1.2)
        if call.threshold is not None:
            axes.axhline(call.threshold, color=MUTED, ls="--", lw=1)
        axes.set_ylim(bottom=0)
        axes.set_xlabel("minutes from the onset" if call.labelled else "minutes from the moment")
        axes.set_ylabel("rarity, -log10 p")

    return _svg(f"call {result.name} {call.entity} {call.start} {call.kind}", draw)


def _logarithmic(axes: Axes, x: str, y: str) -> None:
    axes.set(xscale="log", yscale="log", xlabel=x, ylabel=y)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(LogLocator(numticks=8))
        axis.set_minor_locator(NullLocator())
        axis.set_major_formatter(FuncFormatter(lambda value, _: amount(value)))
    axes.grid(color=LINE, lw=0.5)


def _svg(name: str, draw: Callable[[Axes], None], size: tuple[float, float] = SIZE) -> str:
    """One plot; its name makes the ids in it differ from those of other plots of the page."""
    with mpl.rc_context():
        # Not what this machine's own settings say: a report is the same everywhere.
        mpl.rcdefaults()
        mpl.rcParams.update({**STYLE, "svg.hashsalt": name})
        figure = Figure(figsize=size, layout="constrained")
        draw(figure.add_subplot())
        text = StringIO()
        figure.savefig(text, format="svg", transparent=True, metadata={"Date": None})
    return _for_the_page(text.getvalue())


def _for_the_page(svg: str) -> str:
    """Only the drawing: no header, no addresses, no style that a strict page would refuse."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<(metadata|style).*?</\1>\s*", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<!--.*?-->\s*", "", svg, flags=re.DOTALL)
    svg = re.sub(r' xmlns(:\w+)?="[^"]*"', "", svg).replace("xlink:href", "href")
    # Names of groups repeat from plot to plot; only what is referred to keeps its own.
    svg = re.sub(r'<g id="[^"]*"', "<g", svg)
    svg = re.sub(r' (?:width|height)="[\d.]+pt"', "", svg, count=2)
    svg = re.sub(r'style="([^"]*)"', lambda found: _attributes(found[1]), svg)
    for colour, variable in COLOURS.items():
        svg = svg.replace(colour, variable)
    return svg.replace("<svg ", '<svg aria-hidden="true" ', 1).strip()


def _attributes(style: str) -> str:
    """CSS declarations as attributes: a strict policy refuses style in the markup."""
    kept = []
    for declaration in filter(None, (part.strip() for part in style.split(";"))):
        name, value = (part.strip() for part in declaration.split(":", 1))
        if name == "font":
            name, value = "font-size", re.search(r"[\d.]+px", value)[0]  # type: ignore[index]
        kept.append(f'{name}="{value}"')
    return " ".join(kept)
