"""Results to one HTML page that needs nothing else, and to one Markdown text."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import dataclass
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from pipeline.report import plots, words
from pipeline.report.results import Report, SetResult
from pipeline.report.verdict import PEERS, figure, main_quality
from pipeline.scoring.words import amount

__all__ = ["html", "markdown", "results_json"]


@dataclass(frozen=True)
class _Plot:
    svg: str
    alt: str
    caption: str


def html(report: Report) -> str:
    """One page: no script, no other file, light and dark; fit for a strict content policy."""
    environment = _environment(escape=True)
    css = environment.get_template("report.css").render()
    digest = base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()
    page = environment.get_template("report.html.j2").render(
        **_common(report),
        css=css,
        css_hash=f"sha256-{digest}",
        plots=[_plots(each) for each in report.sets],
    )
    return _tidy(page)


def markdown(report: Report) -> str:
    """The same figures as tables, without the plots."""
    environment = _environment(escape=False)
    return _tidy(environment.get_template("report.md.j2").render(**_common(report)))


def results_json(report: Report) -> str:
    """The results as JSON; every figure of the other two is in it."""
    return json.dumps(report.fields(), indent=1, allow_nan=False) + "\n"


def _environment(*, escape: bool) -> Environment:
    environment = Environment(
        loader=PackageLoader("pipeline.report"),
        autoescape=escape,
        undefined=StrictUndefined,
        keep_trailing_newline=True,
    )
    environment.filters |= words.FILTERS | {"amount": amount, "figure": figure}
    return environment


def _common(report: Report) -> dict[str, Any]:
    return {
        "report": report,
        "rules": report.rules,
        "method": words.method(report),
        "contenders": PEERS,
        "timed": any(each.cost for each in report.sets),
    }


def _plots(each: SetResult) -> dict[str, Any]:
    q = main_quality(each)
    told = "; ".join(f"{PEERS[name]} {figure(at.value)}" for name, at in q.contenders.items())
    drawn: dict[str, Any] = {
        "quality": _Plot(
            plots.quality_plot(each, q),
            f"{words.metric(q)}: {told}.",
            f"Dot: {words.metric(q)}; bar: its interval.",
        ),
        "calibration": _Plot(
            plots.calibration_plot(each),
            words.calibration_told(each),
            "Above the dashed line normal life is called rare too often, below it too seldom.",
        ),
        "calls": [
            _Plot(
                plots.call_plot(each, call),
                f"Scores around {call.entity} {call.start}: {words.rarity(call)}",
                "Dashed: rare enough to alert." + (" Shaded: labelled." if call.labelled else ""),
            )
            for call in each.calls
            if call.minutes
        ],
    }
    if each.budgets:
        drawn["budget"] = _Plot(
            plots.budget_plot(each),
            words.budgets_told(each),
            "Grey: kept. Bar: the interval. Hollow: so few days, or so low a bar, cannot judge it.",
        )
    if each.drift:
        drawn["drift"] = _Plot(
            plots.drift_plot(each, each.drift),
            f"Quantiles of the rarity of normal windows over time. {words.drift_told(each.drift)}",
            "Normal windows in ten parts of equal number; dashed: where the line should lie.",
        )
    return drawn


def _tidy(text: str) -> str:
    """No space at the end of a line, no two empty lines."""
    text = re.sub(r"[ \t]+$", "", text, flags=re.MULTILINE)
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"
