"""The catalogue: every name that playbooks were promised, each with its effect."""

from __future__ import annotations

import pytest

from serving.playbooks.action import ParameterError
from serving.playbooks.actions.catalogue import ACTIONS
from serving.playbooks.policy import PEOPLE
from tests.serving.playbooks.actions.acting import Bench

PROMISED = [
    "chain.pause",
    "chain.unpause",
    "chain.block_address",
    "chain.unblock_address",
    "chain.set_limits",
    "chain.propose_rescue",
    "chain.soak",
    "platform.gate_trading",
    "platform.gate_withdrawals",
    "platform.open_trading",
    "platform.open_withdrawals",
    "account.freeze",
    "account.unfreeze",
    "key.revoke",
    "key.throttle",
    "key.unthrottle",
    "market.halt",
    "market.resume",
    "feed.fail_over",
    "feed.restore",
    "service.scale",
    "service.ramp",
    "service.shed",
    "service.let_all_in",
    "service.roll_back",
    "deploys.freeze",
    "deploys.unfreeze",
    "database.kill_query",
    "queue.drain_to_dead_letter",
    "queue.redrive",
    "evidence.snapshot",
    "evidence.transactions",
    "analyse.neighbours",
    "analyse.loss",
    "analyse.attack_vector",
    "watch.funds",
    "tell.audience",
    "ticket.open",
    "status_page.update",
    "check.limits",
    "check.invariants",
    "check.balances",
]
NEEDS_NOTHING = {
    "service.let_all_in",
    "deploys.freeze",
    "deploys.unfreeze",
    "evidence.snapshot",
    "check.limits",
}
GATES = {f"platform.{what}" for what in ("gate_trading", "gate_withdrawals")}
GATES |= {f"platform.{what}" for what in ("open_trading", "open_withdrawals")}


def test_every_promised_action_is_there_and_no_other() -> None:
    assert sorted(ACTIONS) == sorted(PROMISED)


@pytest.mark.parametrize("name", PROMISED)
def test_an_action_says_what_it_is_and_its_effect_is_one_of_policy(name: str) -> None:
    found = ACTIONS[name]
    assert found.name == name
    assert found.about
    assert found.effect in PEOPLE


@pytest.mark.parametrize("name", sorted({*PROMISED} - NEEDS_NOTHING - GATES))
def test_without_its_parameters_an_action_refuses_to_plan_or_prepare(
    bench: Bench, name: str
) -> None:
    for judge in (ACTIONS[name].plan, ACTIONS[name].prepare):
        with pytest.raises(ParameterError, match="expected"):
            judge(bench.context(), {})


def test_what_lets_go_needs_people_and_what_moves_money_two() -> None:
    letting_go = ("un", "open_", "resume", "restore", "redrive", "ramp", "let_all_in")
    for name, found in ACTIONS.items():
        if name.split(".")[1].startswith(letting_go):
            assert found.effect == "restore", name
    assert PEOPLE[ACTIONS["chain.propose_rescue"].effect] == 2
