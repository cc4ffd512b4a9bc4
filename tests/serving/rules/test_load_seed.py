"""The seed's lines and numbers, and the ten scenarios, in the packs that come with the house."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest

from features.catalogue import VIEWS
from serving.rules.load import load_packs
from serving.rules.rule import Ladder, Rung

IDS = (Path(__file__).parent / "requirement_ids.txt").read_text(encoding="utf-8").split()
SIGNALS = re.compile(r"(SC-D|PF-D\d|HM-|TE-|MD-|SCM-|AR-[HM]\d|TP-|SP-|PA-)")
ELSEWHERE = {
    # How long windows are kept is the view's; see the test below.
    "HM-CPU-retention", "HM-MEM-retention", "HM-DSK-retention",
    # The reports over a long time; capacity planning has rungs too.
    "PA-H1", "PA-H3", "PA-H4",
}  # fmt: skip
PLAYBOOKS = {
    "contract_compromise", "performance_degradation", "account_takeover", "market_abuse",
    "market_data_failure", "insider_tampering",
}  # fmt: skip
PACKS = load_packs()
RUNGS: list[tuple[Ladder, Rung]] = [
    (made, one) for pack in PACKS for made in pack.ladders for one in made.rungs
]
EFFECTS = [
    *(one for pack in PACKS for metric in pack.metrics for one in metric.rungs),
    *(one for pack in PACKS for one in pack.correlations),
]


def test_every_line_of_the_seed_that_names_a_signal_is_answered() -> None:
    wanted = {name for name in IDS if SIGNALS.match(name)} - ELSEWHERE
    answered = {name for one in EFFECTS for name in one.requirement}
    answered |= {told.requirement for pack in PACKS for told in pack.learned}
    assert len(wanted) == 66
    assert wanted - answered == set()


def test_no_rule_answers_a_line_that_is_not_there() -> None:
    named = {name for one in EFFECTS for name in one.requirement}
    named |= {told.requirement for pack in PACKS for told in pack.learned}
    assert named - set(IDS) == set()


@pytest.mark.parametrize(
    ("requirement", "feature", "operator", "limit", "severity", "playbook"),
    [
        ("HM-CPU-warning", "cpu_max", ">=", 70, "medium", ""),
        ("HM-CPU-critical", "cpu_max", ">=", 85, "high", ""),
        ("HM-MEM-warning", "memory_max", ">=", 75, "medium", ""),
        ("HM-MEM-critical", "memory_max", ">=", 90, "high", ""),
        ("HM-DSK-warning", "used_last", ">=", 75, "medium", ""),
        ("HM-DSK-critical", "used_last", ">=", 90, "high", ""),
        ("PF-D1", "response_p95_max", ">", 500, "medium", "performance_degradation"),
        ("PF-D2", "error_rate", ">", 1, "medium", "performance_degradation"),
        ("PF-D3", "queue_max", ">", 1000, "medium", "performance_degradation"),
        ("PF-D4", "memory_max", ">", 85, "medium", "performance_degradation"),
        ("AR-H2", "response_p95_max", ">", 1000, "high", ""),
        ("AR-H3", "error_rate", ">", 2, "high", ""),
        ("AR-M1", "cpu_max", ">=", 70, "medium", ""),
        ("AR-M2", "memory_max", ">=", 75, "medium", ""),
        ("AR-M3", "used_last", ">=", 75, "medium", ""),
        ("AR-M4", "latency_mean", ">", 100, "medium", ""),
    ],
)
def test_every_number_of_the_seed_stands_in_a_rung(
    requirement: str, feature: str, operator: str, limit: float, severity: str, playbook: str
) -> None:
    (found,) = [
        (made.operator_of(one), one.limit, one.severity.value, one.playbook)
        for made, one in RUNGS
        if requirement in one.requirement and made.feature == feature
    ]
    assert found == (operator, limit, severity, playbook)


def test_availability_of_999_permille_burns_at_the_rates_of_the_workbook() -> None:
    (objective,) = [one for pack in PACKS for one in pack.objectives]
    hours = timedelta(hours=1)
    assert objective.objective == 99.9
    assert [(one.limit, one.long / hours, one.short / hours) for one in objective.rungs] == [
        (1.0, 72.0, 6.0), (6.0, 6.0, 0.5), (14.4, 1.0, pytest.approx(1 / 12)),
    ]  # fmt: skip
    assert {tuple(one.requirement) for one in objective.rungs} == {("AR-H1",)}


def test_data_are_missing_at_twice_and_at_five_times_the_cadence() -> None:
    limits = {
        made.family: [one.limit for one in made.rungs]
        for made, _ in RUNGS
        if made.feature == "silence" and made.view.startswith("system.")
    }
    assert limits.pop("host.disk_silent") == [120, 300]
    assert set(map(tuple, limits.values())) == {(60.0, 150.0)}
    assert set(limits) == {"host.silent", "service.silent", "database.silent"}


def test_windows_of_hosts_are_kept_30_days_and_of_disks_90() -> None:
    assert VIEWS["system.host_1m"].retention == timedelta(days=30)
    assert VIEWS["system.disk_1m"].retention == timedelta(days=90)


@pytest.mark.parametrize("number", range(1, 11))
def test_every_scenario_has_rules_and_a_correlation_that_joins_them(number: int) -> None:
    if number == 4 or number == 10:
        rules = [one for made, one in RUNGS if one.labels.get("scenario") == f"S{number}"]
        assert rules
    stories = [
        one
        for pack in PACKS
        for one in pack.correlations
        if one.labels.get("scenario") == f"S{number}" and one.id.startswith("story.")
    ]
    assert stories
    assert all(len(one.rules) > 1 or one.kind in ("count", "distinct") for one in stories)


def test_whoever_is_told_knows_what_to_do_first_and_whose_it_is() -> None:
    for pack in PACKS:
        for metric in pack.metrics:
            for one in metric.rungs:
                assert metric.silent or one.runbook or metric.runbook, one.id
                assert {**metric.labels, **one.labels}.get("team"), one.id
        for story in pack.correlations:
            assert story.runbook, story.id
            assert story.labels.get("team"), story.id


def test_playbooks_that_are_asked_for_are_those_there_are() -> None:
    assert {one.playbook for one in EFFECTS} - {""} == PLAYBOOKS


def test_attack_ids_have_the_form_of_mitres() -> None:
    labels = [made.labels | one.labels for made, one in RUNGS]
    labels += [one.labels for pack in PACKS for one in pack.correlations]
    told = [name for found in labels for name in found.get("attack", "").split(",") if name]
    assert len(set(told)) > 15
    assert all(re.fullmatch(r"T\d{4}(\.\d{3})?", name) for name in told)
