"""Gates: they hold a run up until what they ask for is so, or their step's time is up."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from math import isfinite
from typing import Any

import polars as pl

from serving.playbooks.action import ActionError, CheckError, Context, Outcome, ParameterError
from serving.playbooks.actions.calls import chain_of
from serving.playbooks.actions.chain_look import balances_of, ether, invariant
from serving.playbooks.actions.look import Look
from serving.playbooks.actions.parameters import address, whole

__all__ = ["ACTIONS", "SEED_LIMITS"]

SEED_LIMITS: tuple[dict[str, Any], ...] = (
    {"view": "system.service_1m", "feature": "response_p95_max", "limit": 500},  # ms, PF-D1
    {"view": "system.service_1m", "feature": "error_rate", "limit": 1},  # %, PF-D2
    {"view": "system.service_1m", "feature": "queue_max", "limit": 1000},  # requests, PF-D3
    {"view": "system.host_1m", "feature": "memory_max", "limit": 85},  # %, PF-D4
)
"""What the seed calls degraded is above these (seed.md, "System Performance Degradation")."""


def _limits(context: Context, parameters: Mapping[str, Any]) -> dict[str, Any]:
    given = parameters.get("limits") or list(SEED_LIMITS)
    for one in given if isinstance(given, list) else [given]:
        known = isinstance(one, dict) and {"view", "feature", "limit"} == one.keys()
        if not known or not isinstance(one["limit"], int | float) or not isfinite(one["limit"]):
            raise ParameterError(f"limits: {str(one)[:80]!r}; expected view, feature and limit")
    return {
        "limits": given,
        "minutes": whole(parameters, "minutes", 5, least=1, most=1_440),
        "entity": str(parameters.get("entity") or ""),
        "since": context.now.isoformat(),
    }


def _limits_hold(context: Context, intent: Mapping[str, Any]) -> Outcome:
    """Judge the windows that began since the step did, as soon as one speaks against them."""
    lake = context.services.get("lake")
    if lake is None:
        raise ParameterError("service lake is missing; expected the lake of windows")
    since = datetime.fromisoformat(intent["since"])
    worst: dict[str, float] = {}
    unknown = []
    for one in intent["limits"]:
        view, feature, limit = one["view"], one["feature"], one["limit"]
        if view not in lake.views():
            unknown.append(f"{view}: no windows; whether its limit holds is not known")
            continue
        only = [intent["entity"]] if intent["entity"] else None
        windows: pl.DataFrame = lake.windows(view, since, context.now, only, [feature])
        row = windows.drop_nulls(feature).sort(feature).tail(1)
        if row.is_empty():
            unknown.append(f"{view}: no window since {since:%H:%M UTC}")
            continue
        worst[feature] = row[feature].item()
        if worst[feature] > limit:
            said = f"{feature} of {row['entity'].item()} is {worst[feature]:.6g}, above {limit}"
            raise CheckError(said)
    left = since + timedelta(minutes=intent["minutes"]) - context.now
    if unknown:
        raise ActionError(unknown[0])
    if left > timedelta(0):
        raise ActionError(f"all limits hold; {left} is left to see")
    return Outcome(f"all limits held for {intent['minutes']} minutes", {"worst": worst})


def _contract(context: Context, parameters: Mapping[str, Any]) -> dict[str, Any]:
    first = whole(parameters, "from_block", 0)
    return {"contract": address(context, parameters, "contract"), "from_block": first}


def _invariants_hold(context: Context, intent: Mapping[str, Any]) -> Outcome:
    held, owed = invariant(chain_of(context), intent["contract"])
    if owed > held:
        raise CheckError(f"{intent['contract']} owes {ether(owed)} and holds {ether(held)}")
    words = f"{intent['contract']} holds what it owes"
    return Outcome(words, {"held_wei": str(held), "owed_wei": str(owed)})


def _balances_hold(context: Context, intent: Mapping[str, Any]) -> Outcome:
    """Compare, and say who took out more than was theirs: that is the shortfall's other side."""
    chain, contract = chain_of(context), intent["contract"]
    rebuilt = balances_of(chain, contract, intent["from_block"])
    owned = {account: max(amount, 0) for account, amount in sorted(rebuilt.items())}
    wrong = [
        account
        for account, amount in owned.items()
        if chain.ask(contract, "balances(address)", account) != amount
    ]
    held, owed = invariant(chain, contract)
    if wrong or sum(owned.values()) != owed:
        raise CheckError(
            f"{contract}: {len(wrong)} of {len(owned)} balances differ from their history"
            f"{' such as that of ' + wrong[0] if wrong else ''}; "
            f"it holds {ether(held)}, owes {ether(owed)}"
        )
    facts = {
        "accounts": len(owned),
        "overdrawn_wei": {a: str(-amount) for a, amount in rebuilt.items() if amount < 0},
        "shortfall_wei": str(max(owed - held, 0)),
    }
    short = f"; {ether(owed - held)} are missing" if owed > held else ""
    return Outcome(f"all {len(owned)} balances are as their history says{short}", facts)


ACTIONS = [
    Look(
        "check.limits",
        "holds the run until the limits hold",
        _limits,
        lambda given: (
            f"check {len(given['limits'])} limits of {given['entity'] or 'everything'} "
            f"over {given['minutes']} minutes"
        ),
        _limits_hold,
    ),
    Look(
        "check.invariants",
        "holds the run until a contract holds what it owes",
        _contract,
        lambda given: f"check that {given['contract']} holds what it owes",
        _invariants_hold,
    ),
    Look(
        "check.balances",
        "compares users' balances with the history of deposits and withdrawals",
        _contract,
        lambda given: f"rebuild the balances of {given['contract']} and compare them",
        _balances_hold,
    ),
]
