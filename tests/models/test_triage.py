"""Verdicts move what is like them up or down; nothing is hidden, and little is claimed early."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from models.detector import StateError
from models.persistence import read_state, write_state
from models.range_metrics import average_precision
from models.triage import Evidence, Opinion, Triage, Verdict

RULES = ("withdrawal_burst", "wash_trades", "price_feed_gap", "login_storm")
# How often an alert of each rule is real, whatever its score.
REAL = {"withdrawal_burst": 0.8, "wash_trades": 0.5, "price_feed_gap": 0.05, "login_storm": 0.2}


def simulated(count: int, seed: int) -> tuple[list[Evidence], list[Verdict]]:
    """Alerts whose rarity says something, and whose rule and breadth say more."""
    rng = np.random.default_rng(seed)
    alerts: list[Evidence] = []
    verdicts: list[Verdict] = []
    for _ in range(count):
        rule = RULES[rng.integers(len(RULES))]
        accounts = float(rng.poisson(4))
        odds = np.log(REAL[rule] / (1 - REAL[rule])) - 0.4 * (accounts - 4)
        real = rng.random() < 1 / (1 + np.exp(-odds))
        score = float(rng.gamma(4.0) + (1.0 if real else 0.0))
        alerts.append({"rule": rule, "accounts": accounts, "score": score})
        other = rule == "wash_trades" and rng.random() < 0.6
        verdicts.append("noise" if not real else "wrong_team" if other else "real")
    return alerts, verdicts


def taught(count: int, seed: int, **options: int) -> Triage:
    triage = Triage(**options)
    for alert, verdict in zip(*simulated(count, seed), strict=True):
        triage.learn(alert, verdict)
    return triage


def test_after_fifty_verdicts_it_ranks_better_than_rarity() -> None:
    ours, rarity = [], []
    for seed in range(10):
        triage = taught(50, seed)
        alerts, verdicts = simulated(300, 100 + seed)
        real = np.array([verdict != "noise" for verdict in verdicts])
        chance = np.array([triage.opinion(alert).real for alert in alerts], np.float64)
        score = np.array([alert["score"] for alert in alerts], np.float64)
        ours.append(average_precision(real, chance))
        rarity.append(average_precision(real, score))
    assert np.mean(ours) > np.mean(rarity) + 0.1
    assert all(mine > other for mine, other in zip(ours, rarity, strict=True))


def test_more_verdicts_rank_better() -> None:
    quality = []
    for count in (25, 400):
        found = []
        for seed in range(10):
            triage = taught(count, seed, least=1)
            alerts, verdicts = simulated(300, 100 + seed)
            real = np.array([verdict != "noise" for verdict in verdicts])
            chance = np.array([triage.opinion(alert).real for alert in alerts], np.float64)
            found.append(average_precision(real, chance))
        quality.append(np.mean(found))
    assert quality[1] > quality[0]


def test_it_is_told_whose_an_alert_is() -> None:
    triage = taught(400, 1)
    whose = {
        rule: triage.opinion({"rule": rule, "accounts": 4.0, "score": 5.0}).ours for rule in RULES
    }
    assert min(whose, key=lambda rule: whose[rule] or 0.0) == "wash_trades"


@pytest.mark.parametrize("short", ["real", "noise"])
def test_it_abstains_until_there_are_enough_of_each_kind(short: Verdict) -> None:
    other: Verdict = "noise" if short == "real" else "real"
    triage, alert = Triage(least=10), {"arm": "surge", "score": 3.0}
    for _ in range(50):
        triage.learn(alert, other)
    for _ in range(9):
        triage.learn(alert, short)
        assert triage.opinion(alert) == Opinion(None, None)
    triage.learn(alert, short)
    opinion = triage.opinion(alert)
    assert opinion.real is not None
    assert opinion.ours is None
    for _ in range(10):
        triage.learn(alert, "wrong_team")
    assert triage.opinion(alert).ours is not None


def test_no_alert_is_hidden_and_none_comes_twice() -> None:
    alerts, _ = simulated(200, 5)
    for triage in (Triage(), taught(100, 3)):
        assert sorted(triage.rank(alerts)) == list(range(200))
        assert triage.rank([]) == []
    order = taught(100, 3).rank(alerts)
    chances = [taught(100, 3).opinion(alerts[i]).real for i in order[:20]]
    assert chances == sorted(chances, reverse=True)  # type: ignore[type-var]


def test_while_it_abstains_the_order_is_as_given() -> None:
    alerts, _ = simulated(50, 5)
    assert Triage().rank(alerts) == list(range(50))


def test_giving_an_opinion_changes_nothing() -> None:
    triage = taught(100, 2)
    before = text(triage)
    for alert in simulated(50, 3)[0]:
        triage.opinion({**alert, "never": 1.0, "seen": "before"})
    assert text(triage) == before


def test_a_triage_from_a_file_answers_and_learns_bit_by_bit_alike(tmp_path: Path) -> None:
    first = taught(120, 4)
    write_state(tmp_path / "triage.npz", "triage", Triage.version, first.state())
    second = Triage.from_state(read_state(tmp_path / "triage.npz")[2])
    assert second.verdicts == first.verdicts
    alerts, verdicts = simulated(200, 6)
    for alert, verdict in zip(alerts, verdicts, strict=True):
        assert second.opinion(alert) == first.opinion(alert)
        for triage in (first, second):
            triage.learn(alert, verdict)
    assert text(first) == text(second)


def test_an_untaught_triage_comes_back_too() -> None:
    assert text(Triage.from_state(Triage(least=3).state())) == text(Triage(least=3))


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("least", 0),
        ("verdicts", [["real"]]),
        ("moments", np.zeros((1, 3))),
        ("real/weights", np.full(6, np.nan)),
        ("ours/intercept", "0"),
    ],
)
def test_a_state_that_is_no_triage_is_refused(part: str, value: object) -> None:
    with pytest.raises(StateError):
        Triage.from_state({**taught(60, 0).state(), part: value})  # type: ignore[dict-item]


def test_what_cannot_be_learned_is_refused_and_not_counted() -> None:
    triage = Triage()
    with pytest.raises(ValueError, match="expected one of: real, noise, wrong_team"):
        triage.learn({"score": 1.0}, "maybe")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="'score' is nan"):
        triage.learn({"score": float("nan")}, "real")
    assert not triage.verdicts
    with pytest.raises(ValueError, match="expected 1 or more"):
        Triage(least=0)


def text(triage: Triage) -> str:
    state = triage.state()
    return json.dumps({k: v.tolist() if isinstance(v, np.ndarray) else v for k, v in state.items()})
