"""Calls of contracts: one effect, whatever happens between signing and the block."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from pipeline.sources.chain_rpc import Rpc
from serving.playbooks.action import ActionError, ParameterError, StaleIntentError
from serving.playbooks.actions.chain import Chain
from tests.serving.playbooks.actions.acting import (
    PASSPHRASE,
    Bench,
    action,
    chain_for,
    signers,
    stored,
)

WHO = "0x00000000000000000000000000000000000000aa"


def nonce(bench: Bench, name: str) -> int:
    assert bench.living is not None
    wallet = bench.living.wallet(name)
    return int(bench.living.ledger.request("eth_getTransactionCount", wallet.address, "latest"), 16)


@pytest.mark.parametrize(
    ("name", "back", "parameters", "question", "asked", "values"),
    [
        ("chain.pause", "chain.unpause", {}, "paused()", (), (0, 1, 0)),
        (
            "chain.block_address",
            "chain.unblock_address",
            {"address": WHO},
            "blocked(address)",
            (WHO,),
            (0, 1, 0),
        ),
    ],
)
def test_a_call_is_planned_mined_verified_and_taken_back(
    on_chain: Bench,
    name: str,
    back: str,
    parameters: dict[str, Any],
    question: str,
    asked: tuple[str, ...],
    values: tuple[int, int, int],
) -> None:
    given = {"contract": "vault", **parameters}
    vault = on_chain.chain.contracts["vault"]

    def now() -> int:
        return on_chain.chain.ask(vault, question, *asked)

    assert vault in action(name).plan(on_chain.context(), given)
    assert now() == values[0]
    done = on_chain.do(name, **given)
    assert (now(), done.facts["contract"]) == (values[1], vault)
    assert done.facts["transaction"].startswith("0x")
    on_chain.do(back, **given)
    assert now() == values[2]


def test_limits_only_go_down(on_chain: Bench) -> None:
    vault = on_chain.chain.contracts["vault"]
    on_chain.do("chain.set_limits", contract="vault", limit=str(10**18))
    assert on_chain.chain.ask(vault, "limit()") == 10**18
    before = nonce(on_chain, "operator")
    done = on_chain.do("chain.set_limits", contract="vault", limit=2 * 10**18)
    assert "already" in done.done
    assert on_chain.chain.ask(vault, "limit()") == 10**18
    assert nonce(on_chain, "operator") == before


def test_an_intent_that_is_sent_many_times_is_mined_once(on_chain: Bench) -> None:
    pause, context = action("chain.pause"), on_chain.context()
    before = nonce(on_chain, "guardian")
    intent = stored(pause.prepare(context, {"contract": "vault"}))
    for _ in range(3):
        with pytest.raises(ActionError, match="not mined yet"):
            pause.perform(context, intent)
    assert not pause.verify(context, intent)
    on_chain.mine()
    first = pause.perform(context, intent)
    on_chain.mine()
    assert pause.perform(context, intent) == first
    assert pause.verify(context, intent)
    assert nonce(on_chain, "guardian") == before + 1


def test_a_call_that_is_stuck_is_replaced_by_one_that_pays_more(on_chain: Bench) -> None:
    assert on_chain.living is not None
    pause, context = action("chain.pause"), on_chain.context()
    intent = stored(pause.prepare(context, {"contract": "vault"}))
    with pytest.raises(ActionError):
        pause.perform(context, intent)
    on_chain.now += timedelta(seconds=50)
    with pytest.raises(ActionError):
        pause.perform(on_chain.context(context.step), intent)
    waiting = on_chain.living.ledger.request("eth_getBlockByNumber", "pending", True)
    tips = [int(t["maxPriorityFeePerGas"], 16) for t in waiting["transactions"]]
    assert [t["hash"] for t in waiting["transactions"]] == [intent["hashes"][2]]
    on_chain.mine()
    done = pause.perform(on_chain.context(context.step), intent)
    assert done.facts["transaction"] == intent["hashes"][2]
    assert tips == [4 * 5 * 10**9] or tips == [4 * 2 * 10**9]


def test_an_intent_whose_nonce_another_used_is_prepared_again(on_chain: Bench) -> None:
    pause = action("chain.pause")
    first, second = on_chain.context(), on_chain.context()
    intents = [
        stored(pause.prepare(context, {"contract": name}))
        for context, name in ((first, "vault"), (second, "unsafe_vault"))
    ]
    assert intents[0]["nonce"] == intents[1]["nonce"]
    with pytest.raises(ActionError):
        pause.perform(first, intents[0])
    on_chain.mine()
    with pytest.raises(StaleIntentError, match="was used by another"):
        pause.perform(second, intents[1])
    again = stored(pause.prepare(second, {"contract": "unsafe_vault"}))
    with pytest.raises(ActionError):
        pause.perform(second, again)
    on_chain.mine()
    pause.perform(second, again)
    assert pause.verify(second, again)


def test_a_pause_that_a_reorganisation_took_is_sent_again(on_chain: Bench) -> None:
    assert on_chain.living is not None
    pause, context = action("chain.pause"), on_chain.context()
    intent = stored(pause.prepare(context, {"contract": "vault"}))
    with pytest.raises(ActionError):
        pause.perform(context, intent)
    on_chain.mine()
    pause.perform(context, intent)
    before = nonce(on_chain, "guardian")
    on_chain.living.ledger.request("anvil_reorg", 1, [])
    assert not pause.verify(context, intent)
    with pytest.raises(ActionError, match="not mined yet"):
        pause.perform(context, intent)
    on_chain.living.ledger.time += 60
    on_chain.mine()
    pause.perform(context, intent)
    assert pause.verify(context, intent)
    assert nonce(on_chain, "guardian") == before


def test_what_was_so_already_and_is_no_more_is_prepared_again(on_chain: Bench) -> None:
    on_chain.do("chain.pause", contract="vault")
    pause, context = action("chain.pause"), on_chain.context()
    intent = stored(pause.prepare(context, {"contract": "vault"}))
    assert "raw" not in intent
    on_chain.do("chain.unpause", contract="vault")
    with pytest.raises(StaleIntentError):
        pause.perform(context, intent)


def test_a_guardian_cannot_unpause(on_chain: Bench) -> None:
    on_chain.do("chain.pause", contract="vault")
    vault = on_chain.chain.contracts["vault"]
    for function in ("unpause()", "change_owner(address)"):
        given = [WHO] if "address" in function else []
        with pytest.raises(ParameterError, match=r"would be refused|may only call pause"):
            on_chain.chain.intent("guardian", vault, function, *given, now=on_chain.now)
    assert on_chain.chain.ask(vault, "paused()") == 1


def test_what_the_contract_would_refuse_is_said_before_it_is_sent(on_chain: Bench) -> None:
    assert on_chain.living is not None
    ledger, admin = on_chain.living.ledger, on_chain.living.wallet("admin")
    role, guardian = on_chain.living.role("guardian"), on_chain.living.wallet("guardian")
    vault = on_chain.living.contracts["vault"]
    ledger.send(admin, vault, "revoke_role", role, guardian.address)
    on_chain.mine()
    with pytest.raises(ParameterError, match=r"pause\(\) .* would be refused"):
        action("chain.pause").prepare(on_chain.context(), {"contract": "vault"})


@pytest.mark.parametrize(
    ("name", "parameters", "complaint"),
    [
        ("chain.pause", {}, "contract is missing"),
        ("chain.pause", {"contract": "0x12"}, "40 hexadecimal digits"),
        ("chain.pause", {"contract": "vault", "settled": "soon"}, "one of latest, finalized"),
        ("chain.block_address", {"contract": "vault"}, "address is missing"),
        ("chain.set_limits", {"contract": "vault", "limit": -1}, "limit is '-1'"),
    ],
)
def test_wrong_parameters_are_named(
    on_chain: Bench, name: str, parameters: dict[str, Any], complaint: str
) -> None:
    for judge in (action(name).plan, action(name).prepare):
        with pytest.raises(ParameterError, match=complaint):
            judge(on_chain.context(), parameters)


def test_an_account_that_is_no_contract_is_named_and_the_node_is_not_blamed(
    on_chain: Bench,
) -> None:
    with pytest.raises(ParameterError, match=r"has no paused\(\)"):
        action("chain.pause").prepare(on_chain.context(), {"contract": WHO})
    on_chain.do("chain.pause", contract="vault")


def test_without_a_chain_or_a_signer_it_is_said(bench: Bench, on_chain: Bench) -> None:
    with pytest.raises(ParameterError, match="service chain is missing"):
        action("chain.pause").prepare(bench.context(), {"contract": WHO})
    assert on_chain.living is not None
    on_chain.services["chain"] = Chain(
        Rpc([on_chain.living.ledger.node]), {}, on_chain.chain.contracts
    )
    with pytest.raises(ParameterError, match="signer 'guardian' is missing"):
        action("chain.pause").prepare(on_chain.context(), {"contract": "vault"})


def test_where_one_endpoint_fails_the_next_is_asked(on_chain: Bench) -> None:
    class Dead:
        def make_request(self, method: Any, params: Any) -> Any:
            raise ConnectionError

        make_batch_request = make_request

    assert on_chain.living is not None
    on_chain.services["chain"] = chain_for(on_chain.living, on_chain.folder, Dead())
    on_chain.do("chain.pause", contract="vault")
    on_chain.services["chain"] = Chain(Rpc([Dead()]), {}, on_chain.chain.contracts)
    with pytest.raises(ActionError):
        action("chain.pause").prepare(on_chain.context(), {"contract": "vault"})


def test_no_secret_is_in_an_intent_an_outcome_or_a_name(on_chain: Bench) -> None:
    assert on_chain.living is not None
    secrets = [
        PASSPHRASE,
        *(on_chain.living.wallet(n).key.hex() for n in ("guardian", "operator", "admin")),
    ]
    pause, context = action("chain.pause"), on_chain.context()
    intent = pause.prepare(context, {"contract": "vault"})
    with pytest.raises(ActionError) as error:
        pause.perform(context, intent)
    on_chain.mine()
    shown = [intent, pause.perform(context, intent), pause, on_chain.chain, error.value]
    shown += list(signers(on_chain.folder, on_chain.living).values())
    assert not [one for one in shown for secret in secrets if secret in repr(one)]
