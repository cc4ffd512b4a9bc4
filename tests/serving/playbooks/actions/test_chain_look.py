"""A theft on a chain, and what the actions that look say of it afterwards."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest
import sqlalchemy as sa

from pipeline.simulate.chain.attacks import Drain, arbitrage
from serving.playbooks.action import ActionError, CheckError, ParameterError
from serving.playbooks.actions.watch import PART
from serving.store.tables import memory
from tests.serving.playbooks.actions.acting import Bench, action, stored


@pytest.fixture
def robbed(on_chain: Bench) -> tuple[Bench, Drain]:
    assert on_chain.living is not None
    drain = Drain(on_chain.living)
    drain.fund()
    drain.prepare()
    on_chain.living.act(2)
    drain.strike(0.3)
    return on_chain, drain


def test_the_loss_is_what_is_owed_and_not_there(robbed: tuple[Bench, Drain]) -> None:
    bench, drain = robbed
    found = bench.do("analyse.loss", contract="unsafe_vault").facts
    assert int(found["lost_wei"]) == int(found["owed_wei"]) - int(found["held_wei"]) > 0
    assert drain.contract is not None
    calm = bench.do("analyse.loss", contract="vault").facts
    assert (calm["lost_wei"], calm["lost_ether"]) == ("0", 0.0)
    with pytest.raises(CheckError, match="owes"):
        bench.do("check.invariants", contract="unsafe_vault")
    bench.do("check.invariants", contract="vault")


def test_how_it_was_done_is_read_from_the_call_tree(robbed: tuple[Bench, Drain]) -> None:
    bench, drain = robbed
    assert drain.contract is not None
    found = bench.do("analyse.attack_vector", contract="unsafe_vault", blocks=4).facts
    assert found["vector"] == "re-entrancy"
    assert {one["vector"] for one in found["shortlist"]} == {"re-entrancy", "flash loan"}
    assert found["suspect"] == drain.contract.address
    assert len(found["transactions"]) == 1
    near = bench.do("analyse.neighbours", contract="unsafe_vault").facts
    assert drain.contract.address in near["addresses"]


def test_an_arbitrage_is_no_re_entrancy(on_chain: Bench) -> None:
    assert on_chain.living is not None
    arbitrage(on_chain.living)
    found = on_chain.do("analyse.attack_vector", contract="pool_a", blocks=2).facts
    assert "re-entrancy" not in {one["vector"] for one in found["shortlist"]}


def test_where_nothing_has_left_nothing_is_watched(bench: Bench) -> None:
    assert bench.do("watch.funds", addresses="none").done.startswith("nothing has left")
    with bench.engine.connect() as connection:
        assert connection.execute(sa.select(memory).where(memory.c.part == PART)).first() is None


def test_stolen_funds_are_followed_over_fresh_addresses(robbed: tuple[Bench, Drain]) -> None:
    bench, drain = robbed
    path = drain.escape(2).entities
    watch, context = action("watch.funds"), bench.context()
    intent = stored(watch.prepare(context, {"addresses": drain.attacker.address}))
    assert not watch.verify(context, intent)
    for _ in range(2):
        found = watch.perform(context, intent).facts["addresses"]
    assert watch.verify(context, intent)
    assert set(path[:-1]) <= set(found)
    with bench.engine.connect() as connection:
        rows = connection.execute(sa.select(memory).where(memory.c.part == PART)).all()
    assert {row.key for row in rows} == set(found)
    assert {row.state["incident"] for row in rows} == {"incident"}


def test_balances_are_rebuilt_from_their_history(robbed: tuple[Bench, Drain]) -> None:
    bench, drain = robbed
    found = bench.do("check.balances", contract="vault")
    assert found.facts["accounts"] > 10
    robbed_one = bench.do("check.balances", contract="unsafe_vault").facts
    assert drain.contract is not None
    assert list(robbed_one["overdrawn_wei"]) == [drain.contract.address]
    assert int(robbed_one["shortfall_wei"]) > 0


def test_transactions_are_kept_under_a_seal(robbed: tuple[Bench, Drain]) -> None:
    bench, drain = robbed
    keep, context = action("evidence.transactions"), bench.context()
    intent = stored(keep.prepare(context, {"contract": "unsafe_vault"}))
    facts = keep.perform(context, intent).facts
    assert keep.verify(context, intent)
    assert keep.perform(context, intent).facts["sha256"] == facts["sha256"]
    file = Path(facts["folder"]) / "transactions.jsonl"
    rows = [orjson.loads(line) for line in file.read_bytes().splitlines()]
    assert len(rows) == facts["transactions"] > 0
    assert drain.attacker.address in {row["sender"] for row in rows}
    file.write_bytes(b"{}\n")
    assert not keep.verify(context, intent)


def test_a_rescue_is_proposed_and_never_sent(robbed: tuple[Bench, Drain]) -> None:
    bench, _ = robbed
    vault = bench.chain.contracts["unsafe_vault"]
    to = bench.chain.contracts["bridge"]
    given: dict[str, Any] = {"contract": "unsafe_vault", "to": to}
    rescue = action("chain.propose_rescue")
    with pytest.raises(ActionError, match="is not paused"):
        rescue.prepare(bench.context(), given)
    bench.do("chain.pause", contract="unsafe_vault")
    held = bench.chain.balance(vault)
    for more, complaint in (
        ({"amount": str(held + 1)}, "at most"),
        ({"credits": [{"account": to, "amount": held}, {"account": to, "amount": 1}]}, "credits"),
        ({"credits": {"account": to}}, "a list of account"),
    ):
        with pytest.raises(ParameterError, match=complaint):
            rescue.prepare(bench.context(), given | more)
    done = bench.do("chain.propose_rescue", **given, credits=[{"account": to, "amount": held}])
    assert (done.facts["amount"], bench.chain.balance(vault)) == (str(held), held)
    call = done.facts["proposal"]["transactions"][0]
    assert (call["to"], call["data"][-64:]) == (vault, f"{held:064x}")


def test_a_soak_ends_well_where_nothing_breaks(on_chain: Bench) -> None:
    soak, context = action("chain.soak"), on_chain.context()
    intent = stored(soak.prepare(context, {"contract": "vault", "blocks": 3}))
    with pytest.raises(ActionError, match="the invariant holds"):
        soak.perform(context, intent)
    on_chain.mine(3)
    assert soak.perform(context, intent).facts["last"] == intent["first"] + 3
    assert soak.verify(context, intent)
    assert on_chain.chain.ask(on_chain.chain.contracts["vault"], "paused()") == 0


def test_a_breach_during_a_soak_pauses_again_by_the_signed_pause(on_chain: Bench) -> None:
    assert on_chain.living is not None
    drain = Drain(on_chain.living)
    drain.fund()
    drain.prepare()
    soak, context = action("chain.soak"), on_chain.context()
    intent = stored(soak.prepare(context, {"contract": "unsafe_vault", "blocks": 5}))
    drain.strike(0.3)
    with pytest.raises(ActionError, match="not mined yet"):
        soak.perform(context, intent)
    on_chain.mine()
    with pytest.raises(CheckError, match="paused again"):
        soak.perform(context, intent)
    assert on_chain.chain.ask(on_chain.chain.contracts["unsafe_vault"], "paused()") == 1


def test_an_attempt_that_a_pause_stopped_is_found_by_its_sender(on_chain: Bench) -> None:
    living = on_chain.living
    assert living is not None
    drain = Drain(living)
    drain.fund()
    drain.prepare()
    vault = living.contracts["unsafe_vault"]
    living.ledger.send(living.wallet("guardian"), vault, "pause", tip=10**10)
    drain.send()
    on_chain.mine()
    assert drain.contract is not None
    given = {"contract": "unsafe_vault", "sender": drain.attacker.address.upper().replace("X", "x")}
    found = on_chain.do("analyse.attack_vector", **given).facts
    assert (found["vector"], found["suspect"]) == ("stopped attempt", drain.contract.address)
    assert "stopped attempt" not in str(
        on_chain.do("analyse.attack_vector", contract="vault").facts
    )
