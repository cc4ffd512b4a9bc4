"""What the figures mean and what to do, by rules alone: no sentence without its figure."""

from __future__ import annotations

import math

from models.bootstrap import LEVEL
from models.metrics import SAME_ALERT_S, SEEN_WITHIN_S
from models.walk_forward import LEAST_EXPECTED, TOLERANCE
from pipeline.report.calls import ALERT_PER_DAY
from pipeline.report.contest import AFTERMATH
from pipeline.report.judge import DRIFT_FACTOR, DRIFT_LEVEL
from pipeline.report.results import Budget, Quality, SetResult, Verdict
from pipeline.scoring.words import amount

__all__ = ["METRICS", "PEERS", "RULES", "figure", "main_quality", "verdict"]

FEWEST, SLOW_S, WANTED, CALIBRATED_FACTOR = 30, 60.0, 1.0, 2.0

RULES = {
    "interval_level": LEVEL,
    "seen_within_minutes": SEEN_WITHIN_S / 60,
    "same_alert_minutes": SAME_ALERT_S / 60,
    "aftermath_minutes": AFTERMATH.total_seconds() / 60,
    "budget_tolerance": TOLERANCE,
    "least_expected": round(LEAST_EXPECTED, 1),
    "call_alerts_below_per_day": ALERT_PER_DAY,
    "drift_level": DRIFT_LEVEL,
    "drift_factor": DRIFT_FACTOR,
    "fewest_labels": float(FEWEST),
    "slow_seconds": SLOW_S,
    "wanted_per_day": WANTED,
    "calibrated_factor": CALIBRATED_FACTOR,
}
"""The constants by which a report judges."""

METRICS = {"recall": "recall", "ap": "average precision", "vus_pr": "VUS-PR"}
PEERS = {"ours": "ours", "forest": "plain forest", "trivial": "trivial score", "random": "chance"}


def figure(value: float) -> str:
    """A quality between 0 and 1 as it is printed everywhere.

    >>> figure(0.98765), figure(1.0)
    ('0.99', '1.00')
    """
    return f"{value:.2f}"


def main_quality(result: SetResult) -> Quality:
    """The figure that a set is judged by: the tightest budget, or average precision."""
    return result.quality[0]


def verdict(sets: list[SetResult]) -> Verdict:
    """The first paragraph of a report, and its three lists."""
    good: list[str] = []
    bad: list[str] = []
    todo: list[str] = []
    tally = dict.fromkeys(("sets", "better", "level", "worse", "kept", "missed"), 0)
    tally |= {"judged": 0, "unjudged": 0, "drifting": 0, "watched": 0}
    tally["sets"] = len(sets)
    for each in sets:
        _judge_quality(each, tally, good, bad, todo)
        _judge_delay(each, good, bad)
        _judge_budgets(each, tally, good, bad, todo)
        _judge_calibration(each, good, bad)
        _judge_drift(each, tally, bad, todo)
        if each.labelled < FEWEST:
            todo.append(
                f"{each.name}: label more than {each.labelled} moments: its intervals are wide."
            )
    if not todo:
        todo.append("Nothing: keep the budgets, and report again after the next training.")
    return Verdict(_headline(tally), good, bad, todo, tally)


def _judge_quality(
    each: SetResult, tally: dict[str, int], good: list[str], bad: list[str], todo: list[str]
) -> None:
    q = main_quality(each)
    ours, peer = q.contenders["ours"], q.contenders[q.peer]
    asked = "" if q.budget is None else f" at {amount(q.budget)} false alerts per entity and day"
    text = (
        f"{each.name}: {METRICS[q.metric]} {figure(ours.value)} "
        f"({figure(ours.low)} to {figure(ours.high)}){asked}; {PEERS[q.peer]} {figure(peer.value)}"
    )
    if q.lead.low > 0:
        tally["better"] += 1
        good.append(f"{text}: better.")
    elif q.lead.high < 0:
        tally["worse"] += 1
        bad.append(f"{text}: worse.")
        todo.append(
            f"{each.name}: run the {PEERS[q.peer]} beside ours until the faintest calls below "
            "are understood."
        )
    else:
        tally["level"] += 1
        (good if q.lead.value >= 0 else bad).append(f"{text}: not told apart by these labels.")
    if ours.low <= q.contenders["random"].value:
        bad.append(f"{each.name}: not told apart from chance.")


def _judge_delay(each: SetResult, good: list[str], bad: list[str]) -> None:
    q = main_quality(each)
    delay = q.delay.get("ours")
    if delay is not None:
        text = f"{each.name}: half of what is seen is seen within {amount(delay)} s"
        (bad if delay > SLOW_S else good).append(text + (": slow." if delay > SLOW_S else "."))


def _judge_budgets(
    each: SetResult, tally: dict[str, int], good: list[str], bad: list[str], todo: list[str]
) -> None:
    by_state: dict[tuple[str, str], list[Budget]] = {}
    for budget in each.budgets:
        by_state.setdefault((budget.unit, budget.state), []).append(budget)
    tally["unjudged"] += len(by_state.get(("alerts", "not measurable"), []))
    for state in ("kept", "missed"):
        tally[state] += len(by_state.get(("alerts", state), []))
        tally["judged"] += len(by_state.get(("alerts", state), []))
    for unit in ("alerts", "windows"):
        if kept := by_state.get((unit, "kept")):
            good.append(f"{each.name}: budgets of {_listed(kept)} {unit} a day are kept.")
        for b in by_state.get((unit, "missed"), []):
            bad.append(
                f"{each.name}: {unit} a day: {amount(b.asked)} asked for, {amount(b.got)} raised, "
                f"a ratio of {figure(b.ratio)} ({figure(b.low)} to {figure(b.high)})."
            )
    raising = [b for b in each.budgets if b.unit == "alerts" and b.got > 0]
    if raising and ("alerts", "missed") in by_state:
        near = min(raising, key=lambda b: abs(math.log(b.got / WANTED)))
        todo.append(
            f"{each.name}: until budgets are kept, ask for {amount(near.asked)} a day to get "
            f"{amount(near.got)} alerts."
        )
    unjudged = by_state.get(("alerts", "not measurable"), [])
    if few := [b for b in unjudged if b.expected < LEAST_EXPECTED]:
        todo.append(
            f"{each.name}: budgets of {_listed(few)} alerts a day need more days to be judged: "
            f"{amount(round(LEAST_EXPECTED, 1))} alerts must be expected in them."
        )


def _listed(budgets: list[Budget]) -> str:
    return ", ".join(amount(budget.asked) for budget in budgets)


def _judge_calibration(each: SetResult, good: list[str], bad: list[str]) -> None:
    if not each.calibration:
        return
    least = 1 / each.normal
    worst = max(each.calibration, key=lambda at: abs(math.log(max(at.share, least) / at.level)))
    off = math.log(max(worst.share, least) / worst.level)
    if abs(off) <= math.log(CALIBRATED_FACTOR):
        good.append(
            f"{each.name}: p means what it says down to {amount(each.calibration[-1].level)}, "
            f"within a factor of {amount(CALIBRATED_FACTOR)}."
        )
        return
    way = "too often" if off > 0 else "too seldom"
    bad.append(
        f"{each.name}: normal life is called rare {way}: a share of {amount(worst.share)} has "
        f"p at or below {amount(worst.level)}."
    )


def _judge_drift(each: SetResult, tally: dict[str, int], bad: list[str], todo: list[str]) -> None:
    if each.drift is None:
        return
    tally["watched"] += 1
    if each.drift.drifts:
        tally["drifting"] += 1
        bad.append(
            f"{each.name}: normal scores drift: p at or below {amount(each.drift.level)} for "
            f"{amount(each.drift.first)} of them early and {amount(each.drift.last)} late."
        )
        way = "more" if each.drift.last > each.drift.first else "less"
        todo.append(
            f"{each.name}: normal life looks {way} unusual than it did: find in the drift plot "
            "when that began, and train on what came after."
        )


def _headline(tally: dict[str, int]) -> str:
    against = {
        "better": "better than the best simple peer",
        "level": "not told apart from the best simple peer",
        "worse": "worse than the best simple peer",
    }
    found = [f"{words} on {tally[name]}" for name, words in against.items() if tally[name]]
    parts = [f"Of {_counted(tally['sets'], 'data set')}, detection is {_joined(found)}."]
    if tally["judged"]:
        found = [f"{_were(tally[name])} {name}" for name in ("kept", "missed") if tally[name]]
        judged = _counted(tally["judged"], "alert budget")
        parts.append(f"Of {judged} that the data can judge, {_joined(found)}.")
    if tally["unjudged"]:
        parts.append(f"{_were(tally['unjudged'])} asked for that it cannot judge.")
    if tally["watched"]:
        watched = _counted(tally["watched"], "data set")
        found = ["drift", f"{tally['drifting']} of"] if tally["drifting"] else ["are steady", "all"]
        parts.append(f"Normal scores {found[0]} over time on {found[1]} {watched}.")
    return " ".join(parts)


def _joined(parts: list[str]) -> str:
    return " and ".join(filter(None, [", ".join(parts[:-1]), parts[-1]]))


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _were(count: int) -> str:
    return f"{count} {'was' if count == 1 else 'were'}"
