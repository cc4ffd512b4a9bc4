"""Figures of a report in words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pipeline.report.results import Call, Drift, Estimate, Quality, Report, SetResult
from pipeline.report.verdict import METRICS, figure
from pipeline.scoring.words import amount, how_rare

__all__ = [
    "FILTERS",
    "budgets_told",
    "calibration_told",
    "drift_told",
    "method",
    "metric",
    "rarity",
]

UNITS = {"events": "windows", "series": "samples", "rows": "rows"}


def metric(quality: Quality) -> str:
    """The metric of a figure, with its budget of false alerts for each entity and day."""
    name = METRICS[quality.metric]
    return name if quality.budget is None else f"{name} at {amount(quality.budget)}"


def delay(seconds: float | None) -> str:
    """A delay, or that there is none.

    >>> delay(7.5), delay(5400.0), delay(None)
    ('7.5 s', '90 min', '-')
    """
    if seconds is None:
        return "-"
    return f"{amount(seconds)} s" if seconds < 600 else f"{amount(seconds / 60)} min"


def judged(each: SetResult) -> str:
    """What a set is, in a sentence."""
    of = f" of the view {each.view}" if each.view else ""
    text = f"{each.rows:,} {UNITS[each.layout]}{of} of {each.entities:,} "
    text += "entities" if each.entities != 1 else "entity"
    if each.days is not None:
        text += f", {each.begin} to {each.end}, {amount(each.days)} days of normal life"
    return f"{text}; {each.labelled:,} labelled."


def how_called(each: SetResult) -> str:
    """By which rule the calls of a set were chosen and judged."""
    chosen = "The clearest labelled moment, the faintest two, and the two rarest normal ones. "
    if each.calls and not each.calls[0].minutes:
        units = "rows" if each.layout == "rows" else "entities"
        return chosen + f"As many {units} alert as are labelled."
    return chosen + "A window alerts when normal life brings its like less than once a day."


def rarity(call: Call) -> str:
    """How rare a call was, by its own claim."""
    if call.per_day is None:
        return f"p = {amount(call.p)}."
    return f"Normal life brings such a window {how_rare(call.per_day)}, by its own score."


def drift_told(drift: Drift) -> str:
    """Whether normal scores move, with the figures."""
    return (
        f"Normal scores {'drift' if drift.drifts else 'are steady'}: p is at or below "
        f"{amount(drift.level)} for {amount(drift.first)} of the normal windows of the first "
        f"third and {amount(drift.last)} of the last."
    )


def calibration_told(each: SetResult) -> str:
    """The calibration plot for those who do not see it."""
    points = (f"{amount(at.share)} at {amount(at.level)}" for at in each.calibration)
    return "Share of normal windows at or below each level of p: " + ", ".join(points) + "."


def budgets_told(each: SetResult) -> str:
    """The budget plot for those who do not see it."""
    points = (f"{amount(b.got)} for {amount(b.asked)}" for b in each.budgets if b.unit == "alerts")
    return "Alerts raised a day for each budget: " + ", ".join(points) + "."


def share(value: float | None) -> str:
    """A share, or that there is none.

    >>> share(0.5), share(None)
    ('0.50', '-')
    """
    return "-" if value is None else figure(value)


def standing(lead: Estimate) -> str:
    """``better``, ``worse`` or ``level``: on which side of 0 the whole interval lies."""
    return "better" if lead.low > 0 else "worse" if lead.high < 0 else "level"


def percent(share: float) -> str:
    """A share in per cent.

    >>> percent(0.95)
    '95 %'
    """
    return f"{amount(100 * share)} %"


def method(report: Report) -> list[str]:
    """How it was judged, with the constants."""
    rules = {name: amount(value) for name, value in report.rules.items()}
    return [
        "Each of our scores uses only what came before it, but for rows without an order. The "
        "plain forest is scikit-learn's on the raw numbers, fitted on the history where there is "
        "one and else on the whole set, its future included.",
        "Recall counts events that have an alert within "
        f"{rules['seen_within_minutes']} minutes of their start, at a number of false alerts for "
        "each entity and day; a delay is the median from the start to the end of the first "
        "alerting window. For series the figures are means over entities.",
        f"Intervals hold the true figure in {percent(report.rules['interval_level'])} of cases: "
        "bootstrap over events, entities or rows with the threshold held; where all or no events "
        "are seen, the exact binomial bound.",
        f"Alerts of an entity less than {rules['same_alert_minutes']} minutes apart are one. "
        f"Normal is what is more than {rules['aftermath_minutes']} minutes from anything labelled.",
        "Budgets are judged by walking forward: the first tenth of normal life is history, and "
        "thresholds are set anew after each twentieth from all before it and from what was raised "
        "so far. A budget is kept when what is raised on what comes after lies within "
        f"{percent(report.rules['budget_tolerance'])} of it. It cannot be judged where fewer than "
        f"{rules['least_expected']} are to be expected, for then chance alone moves an exact rate "
        "further than that one time in twenty; nor where no threshold raises as many, for a lower "
        "bar only merges alerts. Windows that come in clusters count by their clusters. Intervals "
        "are of draws of days of entities, or exact Poisson ones where those are wider.",
        f"Normal scores drift when the share with p at or below {rules['drift_level']} changes by "
        f"more than a factor of {rules['drift_factor']} from the first third to the last.",
    ]


def md(text: str) -> str:
    """Text that Markdown shows as it is, in a table too."""
    for mark in "\\`*_[]<>|":
        text = text.replace(mark, f"\\{mark}")
    return " ".join(text.split())


FILTERS: dict[str, Callable[[Any], Any]] = {
    "count": lambda number: f"{number:,}",
    "delay": delay,
    "drift": drift_told,
    "how_called": how_called,
    "judged": judged,
    "md": md,
    "metric": metric,
    "percent": percent,
    "rarity": rarity,
    "ratio": lambda budget: Estimate(budget.ratio, budget.low, budget.high),
    "share": share,
    "standing": standing,
}
"""For the templates."""
