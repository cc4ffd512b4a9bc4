"""What happened, by the chain's own account: neighbours, loss, how it was done, where it went."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import Any

from pipeline.sources.chain_decode import Call
from pipeline.sources.chain_pending import reentered
from serving.playbooks.action import Context, Outcome
from serving.playbooks.actions.calls import chain_of
from serving.playbooks.actions.chain_look import invariant, touching, trace, walk
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


def _attack(context: Context, parameters: Mapping[str, Any]) -> dict[str, Any]:
    return _span(context, parameters) | {"sender": str(parameters.get("sender") or "").lower()}


def _neighbours(context: Context, intent: Mapping[str, Any]) -> Outcome:
    chain, contract = chain_of(context), intent["contract"]
    met: Counter[str] = Counter()
    for _, sent, _ in touching(chain, contract, intent["blocks"]):
        for call in trace(chain, sent.hash):
            if contract in (call.sender, call.to) and call.to is not None:
                met[call.to if call.sender == contract else call.sender] += 1
    found = [name for name, _ in met.most_common(50)]
    words = f"{len(found)} addresses called {contract} or were called by it"
    return Outcome(words, {"addresses": found, "calls": dict(met.most_common(50))})


def _loss(context: Context, intent: Mapping[str, Any]) -> Outcome:
    held, owed = invariant(chain_of(context), intent["contract"])
    lost = max(owed - held, 0)
    # As texts: wei do not fit into the integers of every JSON reader.
    facts = {"held_wei": str(held), "owed_wei": str(owed), "lost_wei": str(lost)}
    words = f"{intent['contract']} owes {owed / ETHER:.6g} and holds {held / ETHER:.6g} ether"
    return Outcome(f"{words}: {lost / ETHER:.6g} lost", facts | {"lost_ether": lost / ETHER})


def _attack_vector(context: Context, intent: Mapping[str, Any]) -> Outcome:
    chain, contract, count = chain_of(context), intent["contract"], 0
    evidence: dict[str, list[str]] = {}
    callers: dict[str, Counter[str]] = defaultdict(Counter)
    newest = chain.newest
    # What was stopped has left no trace in the contract's events: it is looked for by its sender.
    for _, sent, receipt in walk(chain, newest - intent["blocks"] + 1, newest):
        if receipt.success or sent.sender != intent["sender"]:
            continue
        count += 1
        if tried := [c.sender for c in trace(chain, sent.hash) if c.to == contract]:
            evidence.setdefault(STOPPED, []).append(sent.hash)
            callers[STOPPED].update(tried)
    for _, sent, receipt in touching(chain, contract, intent["blocks"]):
        if not receipt.success:
            continue
        count += 1
        calls = trace(chain, sent.hash)
        for vector in _vectors(contract, calls):
            evidence.setdefault(vector, []).append(sent.hash)
            callers[vector].update(call.sender for call in calls if call.to == contract)
    found = [
        {
            "vector": vector,
            "share": len(evidence[vector]) / count,
            "because": f"{len(evidence[vector])} of {count} transactions, "
            f"such as {evidence[vector][-1]}",
        }
        for vector in WEIGHTS
        if vector in evidence
    ]
    # Who did what explains more comes first.
    ranked = [name for vector in WEIGHTS for name, _ in callers[vector].most_common()]
    suspects = list(dict.fromkeys(ranked))
    transactions = sorted({name for hashes in evidence.values() for name in hashes})
    named = ", ".join(str(one["vector"]) for one in found)
    facts = {
        "shortlist": found,
        "vector": found[0]["vector"] if found else "",
        "transactions": transactions,
        "suspects": suspects,
        "suspect": suspects[0] if suspects else "",
    }
    return Outcome(f"of {count} transactions these stand out: {named or 'none'}", facts)


STOPPED = "stopped attempt"
WEIGHTS = (STOPPED, "re-entrancy", "privileged call", "mint", "flash loan", "price manipulation")
"""What explains more comes first, where several are seen."""


def _vectors(contract: str, calls: tuple[Call, ...]) -> list[str]:
    used = {call.selector for call in calls}
    loan = bool(used & (LOANS | CALLBACKS))
    seen = {
        # Of the contract itself: a flash loan calls its borrower back, which is no attack.
        "re-entrancy": contract in reentered(calls),
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
        "reads call trees for what attacks have in common, and what their sender tried in vain",
        _attack,
        lambda given: f"read the call trees of {given['contract']}, {given['blocks']} blocks",
        _attack_vector,
    ),
]
