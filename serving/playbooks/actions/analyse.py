"""What happened, by the chain's own account: neighbours, loss, how it was done, where it went."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from pipeline.sources.chain_pending import reentered
from serving.playbooks.action import Context, Outcome
from serving.playbooks.actions.calls import chain_of
from serving.playbooks.actions.chain import Chain
from serving.playbooks.actions.chain_look import invariant, touching, trace
from serving.playbooks.actions.look import Look
from serving.playbooks.actions.parameters import address, whole
from serving.playbooks.actions.signer import selector

__all__ = ["ACTIONS"]

ETHER = 10**18
LOANS = {selector(f) for f in ("flash_loan(uint256)", "flashLoan(address,address,uint256,bytes)")}
CALLBACKS = {selector("on_flash_loan(uint256,uint256)")}
PRIVILEGED = {
    selector(function)
    for function in (
        "grant_role(bytes32,address)",
        "change_owner(address)",
        "emergency_upgrade(address)",
        "upgrade(address)",
        "unpause()",
    )
}
MINTS = {selector("mint(address,uint256)")}
SWAPS = {selector("buy(uint256)"), selector("sell(uint256,uint256)")}


def _span(context: Context, parameters: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "contract": address(context, parameters, "contract"),
        "blocks": whole(parameters, "blocks", 20, least=1, most=5_000),
    }


def _neighbours(context: Context, intent: Mapping[str, Any]) -> Outcome:
    chain, contract = chain_of(context), intent["contract"]
    met: Counter[str] = Counter()
    for _, sent, _ in touching(chain, contract, intent["blocks"]):
        for call in trace(chain, sent.hash):
            if contract in (call.sender, call.to) and call.to is not None:
                met[call.to if call.sender == contract else call.sender] += 1
    found = [name for name, _ in met.most_common(50)]
    words = f"{len(found)} addresses called {contract} or were called by it"
    return Outcome(words, {"neighbours": found, "calls": dict(met.most_common(50))})


def _loss(context: Context, intent: Mapping[str, Any]) -> Outcome:
    held, owed = invariant(chain_of(context), intent["contract"])
    lost = max(owed - held, 0)
    # As texts: wei do not fit into the integers of every JSON reader.
    facts = {"held_wei": str(held), "owed_wei": str(owed), "lost_wei": str(lost)}
    words = f"{intent['contract']} owes {owed / ETHER:.6g} and holds {held / ETHER:.6g} ether"
    return Outcome(f"{words}: {lost / ETHER:.6g} lost", facts | {"lost_ether": lost / ETHER})


def _attack_vector(context: Context, intent: Mapping[str, Any]) -> Outcome:
    chain, found, senders = chain_of(context), [], Counter[str]()
    evidence: dict[str, list[str]] = {}
    count = 0
    for _, sent, receipt in touching(chain, intent["contract"], intent["blocks"]):
        if not receipt.success:
            continue
        count += 1
        for vector in _vectors(chain, sent.hash):
            evidence.setdefault(vector, []).append(sent.hash)
            senders[sent.sender] += 1
    for vector, hashes in sorted(evidence.items(), key=lambda one: WEIGHTS[one[0]], reverse=True):
        because = f"{len(hashes)} of {count} transactions, such as {hashes[-1]}"
        found.append({"vector": vector, "share": len(hashes) / count, "because": because})
    transactions = list(dict.fromkeys(name for hashes in evidence.values() for name in hashes))
    named = ", ".join(one["vector"] for one in found) or "nothing that is known"
    facts = {"shortlist": found, "transactions": transactions, "senders": list(senders)}
    return Outcome(f"of {count} transactions these stand out: {named}", facts)


WEIGHTS = {
    "re-entrancy": 5,
    "privileged call": 4,
    "mint": 3,
    "flash loan": 2,
    "price manipulation": 1,
}
"""Which explains more, where several are seen."""


def _vectors(chain: Chain, name: str) -> list[str]:
    calls = trace(chain, name)
    used = {call.selector for call in calls}
    loan = bool(used & (LOANS | CALLBACKS))
    # A flash loan calls its borrower back: the lender is entered again by that alone.
    lenders = {call.to for call in calls if call.selector in LOANS}
    seen = {
        "re-entrancy": bool(set(reentered(calls)) - lenders),
        "privileged call": bool(used & PRIVILEGED),
        "mint": bool(used & MINTS),
        "flash loan": loan,
        "price manipulation": loan and sum(call.selector in SWAPS for call in calls) > 1,
    }
    return [vector for vector, is_so in seen.items() if is_so]


ACTIONS = [
    Look(
        "analyse.neighbours",
        "finds the contracts and accounts that a contract deals with",
        _span,
        lambda given: f"list who called {given['contract']} within {given['blocks']} blocks",
        _neighbours,
    ),
    Look(
        "analyse.loss",
        "compares what a contract owes with what it holds",
        lambda context, parameters: {"contract": address(context, parameters, "contract")},
        lambda given: f"compare what {given['contract']} owes with what it holds",
        _loss,
    ),
    Look(
        "analyse.attack_vector",
        "reads call trees for what attacks have in common",
        _span,
        lambda given: f"read the call trees of {given['contract']}, {given['blocks']} blocks",
        _attack_vector,
    ),
]
