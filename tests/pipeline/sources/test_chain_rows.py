"""Rows say what contracts say, and balances add up along the calls."""

from __future__ import annotations

import polars as pl
import pytest

from features.calls import CALLS
from features.transactions import TRANSACTIONS
from pipeline.simulate.chain import attacks
from pipeline.simulate.chain.attacks import Move
from pipeline.simulate.chain.ledger import ETHER
from pipeline.simulate.chain.world import World
from pipeline.sources.chain import Chain
from pipeline.sources.chain_decode import Call
from pipeline.sources.chain_rows import flows
from pipeline.sources.chain_rpc import Rpc
from tests.pipeline.simulate.chain.nodes import LATER, rows, world


@pytest.fixture(scope="module")
def told() -> tuple[World, dict[str, Move], pl.DataFrame, pl.DataFrame, Chain]:
    living = world()
    living.act(6)
    moves = {}
    for name, twin in (("whale", attacks.whale_withdrawal), ("flash", attacks.arbitrage)):
        moves[name] = twin(living)
    theft = attacks.AdminTheft(living)
    for move in (theft.grant(), theft.upgrade(), theft.mint()):
        moves[move.stage] = move
    drain = attacks.Drain(living)
    for move in (drain.fund(), drain.prepare(), drain.strike()):
        moves[move.stage] = move
    chain = Chain(Rpc([living.ledger.node]), watched=living.watched, confirmations=0)
    return living, moves, rows(chain, TRANSACTIONS), rows(chain, CALLS), chain


Told = tuple[World, dict[str, Move], pl.DataFrame, pl.DataFrame, Chain]


def about(told: Told, stage: str, contract: str) -> dict[str, object]:
    living, moves, transactions, _, _ = told
    address, sent = living.contracts[contract].address, moves[stage].transactions
    found = transactions.filter(pl.col("address") == address, pl.col("hash").is_in(sent))
    return found.row(0, named=True)


def test_a_drain_is_ten_withdrawals_to_one_deposit_and_breaks_the_invariant(told: Told) -> None:
    row = about(told, "attack", "unsafe_vault")
    assert (row["deposits"], row["withdrawals"]) == (1, 10)
    assert row["withdrawn"] == pytest.approx(10 * row["deposited"])  # type: ignore[operator]
    assert row["reserves"] == pytest.approx(0.7 * row["balance"])  # type: ignore[operator]
    assert row["liabilities"] > row["reserves"]  # type: ignore[operator]


def test_nothing_else_breaks_it(told: Told) -> None:
    _, moves, transactions, _, _ = told
    broken = transactions.filter(pl.col("reserves") < pl.col("liabilities"))
    assert set(broken["hash"]) == set(moves["attack"].transactions)


def test_balances_run_on_from_row_to_row(told: Told) -> None:
    living, _, transactions, _, _ = told
    for name in ("vault", "unsafe_vault", "pool_a", "lender"):
        mine = transactions.filter(pl.col("address") == living.contracts[name].address)
        known = mine.select("balance", "reserves").drop_nulls()
        assert len(known) == len(mine) > 0
        # Reserves are asked of the node at the end of a block, and reckoned from calls within it.
        assert known["balance"][1:].to_list() == known["reserves"][:-1].to_list()


@pytest.mark.parametrize(
    ("stage", "contract", "kind"),
    [("privilege", "vault", "role"), ("upgrade", "vault", "upgrade"), ("mint", "token", "mint")],
)
def test_privileged_events_are_named(told: Told, stage: str, contract: str, kind: str) -> None:
    row = about(told, stage, contract)
    assert (row["privileged"], row["privileged_events"]) == (kind, 1)


def test_a_mint_by_the_book_keeps_supply_and_balances_equal(told: Told) -> None:
    row = about(told, "mint", "token")
    assert row["minted"] == row["transferred"] > 0  # type: ignore[operator]
    assert row["supply"] == row["balances"] == pytest.approx(1.5 * row["minted"])  # type: ignore[operator]


def test_supply_that_no_event_tells_is_seen(told: Told) -> None:
    living, _, transactions, _, _ = told
    token = transactions.filter(pl.col("address") == living.contracts["token"].address)
    asked = token.drop_nulls(["supply", "balances"])
    assert len(asked) > 5
    assert asked["supply"].to_list() == asked["balances"].to_list()
    assert asked["block"].is_unique().all()


def test_calls_are_those_of_transactions_that_touch_the_watched(told: Told) -> None:
    living, moves, transactions, calls, _ = told
    assert set(calls["tx"]) == set(transactions["hash"])
    assert CALLS.validate(calls, now=LATER).refused.counts == {}
    assert TRANSACTIONS.validate(transactions, now=LATER).refused.counts == {}
    attack = calls.filter(pl.col("tx") == moves["attack"].transactions[0])
    vault = living.contracts["unsafe_vault"].address
    assert attack.filter(pl.col("to_address") == vault).height == 11
    assert attack["depth"].max() == 22
    assert attack["idx"].to_list() == list(range(len(attack)))


def test_the_heads_tell_events_with_who_and_what(told: Told) -> None:
    living, _, _, _, chain = told
    living.ledger.send(living.wallet("guardian"), living.contracts["vault"], "pause")
    living.ledger.mine()
    events = chain.heads()[-1].events
    (event,) = events.rows(named=True)
    assert (event["kind"], event["name"]) == ("pause", "Paused")
    assert event["sender"] == living.wallet("guardian").address
    assert event["arguments"] == f"account={living.wallet('guardian').address}"


def test_a_reverted_transaction_says_why(told: Told) -> None:
    living, _, _, _, chain = told
    trader, pool = living.wallet("trader0"), living.contracts["pool_b"]
    living.ledger.send(trader, pool, "buy", 2**200, value=ETHER)
    living.ledger.send(trader, pool, "buy", 0, value=ETHER, gas=30_000)
    living.ledger.mine()
    last = chain.heads()[-1].transactions
    assert last["success"].to_list() == [False, False]
    assert last["failure"].to_list() == ["revert", "out_of_gas"]
    assert last["reserves"].to_list() == last["balance"].to_list()


def call(depth: int, value: int, *, error: str | None = None, kind: str = "CALL") -> Call:
    return Call(depth, kind, f"a{depth}", f"a{depth + 1}", value, "0x", 0, error, False)


def test_what_a_failed_call_moved_is_undone_with_all_below() -> None:
    tree = [
        call(0, 10),
        call(1, 5, error="execution reverted"),
        call(2, 3),
        call(1, 2),
        call(2, 9, kind="DELEGATECALL"),
    ]
    assert {k: v for k, v in flows(tree).items() if v} == {"a0": -10, "a1": 8, "a2": 2}
    assert not flows([call(0, 10, error="out of gas"), call(1, 5)])
