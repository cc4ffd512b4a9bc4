"""The demonstration on a terminal: a block for each alert, and a table in the end."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import Any

from pipeline.scoring.words import how_rare
from serving.demo_told import Told

__all__ = ["block", "table"]

WIDTH = 100
INDENT = " " * 11
MOST_ARMS = 4


def block(told: Told) -> str:
    """What fired, where, how bad, how rare, why, what to do first, what was done, who it was."""
    lines = []
    if (alert := told.alert) is not None:
        where = alert["entity"] if alert["entity"] not in alert["title"] else ""
        lines += [
            f"{alert['fired_at']:%H:%M:%S}  {alert['severity'].upper():<8} {alert['title']}",
            *_part("where", " of ".join(filter(None, (where, alert["view"])))),
            *_part("how bad", f"risk {alert['risk']:.0f} of 100; {_rarity(alert)}"),
            *_part("why", alert["why"]),
            *_part("seen by", _arms(alert["arms"])),
            *_part("first", alert["first_step"]),
        ]
        if alert["suppressed"]:
            lines += _part("not told", alert["suppressed"])
    for step in told.steps:
        lines += _part("playbook", f"{step['playbook']}: {step['title']}: {step['state']}")
    if told.truth:
        lines += _part("hidden", told.truth)
    return "\n".join(lines)


def table(result: Mapping[str, Any]) -> str:
    """Who was found when, which twin stayed quiet, what else was told."""
    head = f"{'':12}{'':44}{'found':>6}{'after s':>9}{'alerts':>8}{'pages':>7}  playbooks"
    lines = [f"From {result['from'][:16]} to {result['until'][:16]}, simulated time.", "", head]
    for row in result["played"]:
        attack = row["kind"] == "attack"
        name = f"{row['scenario']} {'attack' if attack else 'twin'}"
        verdict = ("yes" if row["found"] else "MISSED") if attack else _quiet(row)
        delay = f"{row['delay']:,.0f}" if attack and row["delay"] is not None else ""
        started = ", ".join(row["playbooks"])
        what = row["title"] if attack else ""
        lines.append(
            f"{name:12}{what[:43]:44}{verdict:>6}{delay:>9}{row['alerts']:>8}{row['pages']:>7}"
            f"  {started}".rstrip()
        )
    attacks = [row for row in result["played"] if row["kind"] == "attack"]
    twins = [row for row in result["played"] if row["kind"] != "attack"]
    found = sum(row["found"] for row in attacks)
    paged = sum(row["pages"] > 0 for row in twins)
    others = result["others"]
    lines += [
        "",
        f"{found} of {len(attacks)} attacks were found; "
        f"{paged} of {len(twins)} twins woke somebody.",
        f"{others['alerts']} alerts and {others['pages']} pages belong to nobody who played; "
        f"the hours before had {result['before']['alerts']} alerts.",
        "Alerts are of medium severity or worse, pages of high or worse, an incident counts once.",
        "A delay is counted from the beginning of the stage that was found first.",
        "The maintenance of S9's twin stands in the calendar, so that it may be told to nobody.",
    ]
    lines += [f"Not played: {name}, {why}." for name, why in result["not_played"].items()]
    return "\n".join(lines)


def _quiet(row: Mapping[str, Any]) -> str:
    return "PAGED" if row["pages"] else "told" if row["alerts"] else "quiet"


def _rarity(alert: Mapping[str, Any]) -> str:
    if alert["per_day"] is None:
        return "not rare by itself: a limit was crossed"
    return f"normal life brings it {how_rare(alert['per_day'])}"


def _arms(arms: Mapping[str, float]) -> str:
    ordered = sorted(arms.items(), key=lambda arm: (not arm[0].startswith("rule:"), -arm[1]))
    told = [
        name if name.startswith("rule:") else f"{name} {share:.0%}"
        for name, share in ordered[:MOST_ARMS]
    ]
    return ", ".join(told)


def _part(name: str, text: str) -> list[str]:
    wrapped = textwrap.wrap(" ".join(text.split()), WIDTH - len(INDENT)) or [""]
    return [f"  {name:<9}{wrapped[0]}", *(INDENT + line for line in wrapped[1:])]
