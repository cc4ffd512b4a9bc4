"""What is told of accounts is certain, follows from the chain alone, and is soon forgotten."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from features.catalogue import VIEWS
from features.extract import extract
from features.transactions import TRANSACTIONS
from pipeline.simulate.chain import attacks
from pipeline.simulate.chain.ledger import ETHER, Ledger
from pipeline.simulate.chain.world import World
from pipeline.sources import chain_past
from pipeline.sources.chain import Chain, ChainSource
from pipeline.sources.chain_past import Past
from pipeline.sources.chain_rows import Mined
from pipeline.sources.chain_rpc import Rpc
from pipeline.sources.source import SourceError
from tests.pipeline.simulate.chain.nodes import LATER, START, everything, node, world

Attack = tuple[World, attacks.Drain, dict[str, attacks.Move]]
BLOCKS = timedelta(seconds=12)


@pytest.fixture(scope="module")
def attack() -> Attack:
    living = world()
    living.act(3)
    drain, moves = attacks.Drain(living), {}
    for play in (drain.fund, drain.prepare, drain.strike):
        living.act(2)
        made = play()
        moves[made.stage] = made
    return living, drain, moves


def follower(living: World, file: Path | None = None, **how: Any) -> Chain:
    labels = {living.contracts["mixer"].address: "mixer"}
    on: Any = living.ledger.node
    given: dict[str, Any] = {
        "watched": living.watched,
        "confirmations": 0,
        "labels": labels,
        "past": file,
    } | how
    return Chain(Rpc([on]), **given)


def rows(chain: Chain) -> pl.DataFrame:
    return everything(ChainSource(chain, TRANSACTIONS))


def of(told: pl.DataFrame, move: attacks.Move, address: str) -> dict[str, Any]:
    mine = told.filter(pl.col("hash").is_in(move.transactions), pl.col("address") == address)
    return mine.row(0, named=True)


def test_an_attack_is_seen_while_it_is_prepared(attack: Attack) -> None:
    living, drain, moves = attack
    told = rows(follower(living))
    assert TRANSACTIONS.validate(told, now=LATER).refused.counts == {}
    assert drain.contract is not None
    made = of(told, moves["preparation"], drain.contract.address)
    struck = of(told, moves["attack"], living.contracts["unsafe_vault"].address)
    assert made["sender_age"] == made["contract_age"] == 0.0
    assert (made["funder"], made["first_call"]) == ("mixer", True)
    waited = (moves["attack"].start - moves["preparation"].start).total_seconds()
    assert struck["sender_age"] == struck["contract_age"] == waited > 0
    assert (struck["funder"], struck["first_call"]) == ("mixer", True)


def test_nobody_else_has_a_row_for_a_contract_of_his_own(attack: Attack) -> None:
    living, drain, _ = attack
    assert drain.contract is not None
    known = {w.address for w in living.watched} | {drain.contract.address}
    assert set(rows(follower(living))["address"]) == known
    assert set(rows(follower(living, labels={}))["address"]) == known - {drain.contract.address}


def test_the_first_call_is_the_first_and_ages_grow(attack: Attack) -> None:
    told = rows(follower(attack[0]))
    assert told["sender_age"].null_count() == 0
    for (_, _), calls in told.group_by("sender", "address", maintain_order=True):
        assert calls["first_call"].to_list() == [True] + [False] * (len(calls) - 1)
        assert calls["sender_age"].is_sorted()
    assert set(told["funder"].drop_nulls().unique()) == {"account", "mixer"}


def test_what_was_before_the_start_is_not_known(attack: Attack) -> None:
    living, _, moves = attack
    newest = int(living.ledger.request("eth_blockNumber"), 16)
    told = rows(follower(living, start=newest))
    struck = of(told, moves["attack"], living.contracts["unsafe_vault"].address)
    known = [struck[name] for name in ("first_call", "sender_age", "contract_age", "funder")]
    assert known == [None] * 4


def test_without_call_trees_nobody_knows_who_paid(attack: Attack) -> None:
    told = rows(follower(attack[0], traces=False))
    assert told["funder"].null_count() == len(told)
    assert told["sender_age"].null_count() == 0


@pytest.mark.parametrize("reach", [1, 3, 20])
def test_any_process_says_the_same_from_any_position(
    attack: Attack, tmp_path: Path, reach: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    living = attack[0]
    monkeypatch.setattr(chain_past, "SLACK", 2)

    def chain(file: Path | None) -> Chain:
        made = follower(living, file)
        made._past = Past(file, made.watched, {}, reach=reach)
        return made

    file = tmp_path / "chain" / "past.sqlite"
    whole = rows(chain(None))
    mined = chain(None).blocks.read(0, whole["block"].to_list()[-1])
    # Forwards with a restart each time, back again, and from an index that was lost.
    firsts = [*range(0, len(mined) - 1, 3), 4, 20, 4]
    for lost in (False, True):
        for first in firsts:
            if lost:
                file.unlink()
            again = chain(file)
            told = again.transactions(mined[first : first + 2])
            again.close()
            assert told.equals(whole.filter(pl.col("block").is_between(first, first + 1)))


def test_an_index_that_was_lost_is_made_a_piece_at_a_time(attack: Attack) -> None:
    living = attack[0]
    whole = rows(follower(living))
    first = follower(living)
    (block,) = first.blocks.read(20, 20)
    position = {"number": 20, "hash": block.hash}
    source = ChainSource(follower(living), TRANSACTIONS)
    pieces = []
    while (batch := source.read(position)) is not None and batch.position == position:
        assert batch.events.is_empty()
        again = source.read(position, until=position)
        assert again is not None
        assert (again.position, again.given) == (position, 0)
        pieces.append(batch)
    assert len(pieces) > 1
    assert batch is not None
    upto = batch.position["number"]
    assert batch.events.equals(whole.filter(pl.col("block").is_between(21, upto)))


def test_what_is_out_of_reach_is_forgotten(attack: Attack, monkeypatch: pytest.MonkeyPatch) -> None:
    living = attack[0]
    monkeypatch.setattr(chain_past, "SLACK", 2)
    made = follower(living)
    past = Past(None, made.watched, {}, reach=3)
    newest = int(living.ledger.request("eth_blockNumber"), 16)
    for number in range(newest + 1):
        past.learn(made.blocks.read(number, number))
    for table in ("paid", "sent", "made", "met"):
        (oldest,) = past._base.execute(f"select min(block) from {table}").fetchone()
        assert oldest is None or oldest >= newest - 9
    (kept,) = past._base.execute("select count(*) from blocks").fetchone()
    assert 6 < kept <= 10


def test_a_damaged_file_is_made_anew(attack: Attack, tmp_path: Path) -> None:
    file = tmp_path / "past.sqlite"
    first = follower(attack[0], file)
    told = rows(first)
    first.close()
    file.write_bytes(b"what is this" * 1000)
    assert rows(follower(attack[0], file)).equals(told)


def test_another_chain_is_learned_anew() -> None:
    on = node()
    living = Ledger(on, START, BLOCKS)
    person = "0x" + "7" * 40
    living.send(living.faucet, person, value=ETHER)
    living.mine()
    chain = Chain(Rpc([on]), confirmations=0)
    mined = chain.blocks.read(0, 1)
    assert rows(chain)["sender_age"].to_list() == [0.0]
    living.request("anvil_reorg", 1, [])
    living.faucet.nonce = 0
    living.wait(600)
    living.mine()
    living.send(living.faucet, person, value=ETHER)
    living.mine()
    position = {"number": 0, "hash": mined[0].hash}
    assert everything(ChainSource(chain, TRANSACTIONS), position)["sender_age"].to_list() == [0.0]
    other = chain._past
    with pytest.raises(SourceError, match="learned again"):
        other.learn([_child(mined[1], number=4)])
    assert other._base.execute("select count(*) from sent").fetchone() == (0,)


def _child(block: Mined, *, number: int) -> Mined:
    return replace(block, block=replace(block.block, number=number, parent="0x" + 64 * "f"))


def test_the_windows_carry_it_to_the_rules(attack: Attack) -> None:
    living, drain, _ = attack
    windows = extract(VIEWS["transactions.address_12s"], rows(follower(living)))
    assert drain.contract is not None
    (window,) = windows.filter(pl.col("entity") == drain.contract.address).rows(named=True)
    assert (window["mixer_funded"], window["youngest_contract"]) == (1, 0.0)
