"""Gates: they hold a run up until what they ask for is so, or their step's time is up."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from math import isfinite
from typing import Any

import polars as pl

from serving.playbooks.action import ActionError, Context, Outcome, ParameterError
from serving.playbooks.actions.calls import chain_of
from serving.playbooks.actions.chain_look import balances_of, invariant
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
    return {"limits": given, "minutes": whole(parameters, "minutes", 5, least=1, most=1_440)}


def _limits_hold(context: Context, intent: Mapping[str, Any]) -> Outcome:
    lake = context.services.get("lake")
    if lake is None:
        raise ParameterError("service lake is missing; expected the lake of windows")
    since = context.now - timedelta(minutes=intent["minutes"])
    worst: dict[str, float] = {}
    for one in intent["limits"]:
        view, feature, limit = one["view"], one["feature"], one["limit"]
        if view not in lake.views():
            raise ActionError(f"{view}: no windows; whether its limit holds is not known")
        columns = [feature]
        windows: pl.DataFrame = lake.windows(view, since, context.now, columns=columns)
        values = windows.drop_nulls(feature)
        if values.is_empty():
            raise ActionError(f"{view}: no window of the last {intent['minutes']} minutes")
        row = values.sort(feature).row(-1, named=True)
        worst[feature] = row[feature]
        if row[feature] > limit:
            raise ActionError(f"{feature} of {row['entity']} is {row[feature]:.6g}, above {limit}")
    return Outcome(f"all limits held for {intent['minutes']} minutes", {"worst": worst})


def _contract(context: Context, parameters: Mapping[str, Any]) -> dict[str, Any]:
    first = whole(parameters, "from_block", 0)
    return {"contract": address(context, parameters, "contract"), "from_block": first}


def _invariants_hold(context: Context, intent: Mapping[str, Any]) -> Outcome:
    held, owed = invariant(chain_of(context), intent["contract"])
    if owed > held:
        raise ActionError(f"{intent['contract']} owes {owed} wei and holds {held}")
    words = f"{intent['contract']} holds what it owes"
    return Outcome(words, {"held_wei": str(held), "owed_wei": str(owed)})


def _balances_hold(context: Context, intent: Mapping[str, Any]) -> Outcome:
    chain, contract = chain_of(context), intent["contract"]
    rebuilt = balances_of(chain, contract, intent["from_block"])
    wrong = [
        account
        for account, amount in sorted(rebuilt.items())
        if chain.ask(contract, "balances(address)", account) != amount
    ]
    held, owed = invariant(chain, contract)
    if wrong or sum(rebuilt.values()) != owed or owed > held:
        raise ActionError(
            f"{contract}: {len(wrong)} of {len(rebuilt)} balances differ from their history"
            f"{' such as that of ' + wrong[0] if wrong else ''}; it holds {held} wei, owes {owed}"
        )
    return Outcome(
        f"all {len(rebuilt)} balances are as their history says", {"accounts": len(rebuilt)}
    )


ACTIONS = [
    Look(
        "check.limits",
        "holds the run until the limits hold",
        _limits,
        lambda given: f"check {len(given['limits'])} limits over {given['minutes']} minutes",
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
