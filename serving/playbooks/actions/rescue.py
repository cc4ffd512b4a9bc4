"""A rescue proposed: for a multi-signature wallet to sign, never sent from here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from serving.playbooks.action import ActionError, Context, Effect, Outcome, ParameterError
from serving.playbooks.actions.calls import chain_of
from serving.playbooks.actions.chain import encoded
from serving.playbooks.actions.chain_look import ether
from serving.playbooks.actions.folder import folder_of, keep, sealed
from serving.playbooks.actions.parameters import address, whole

__all__ = ["ProposeRescue"]

RESCUE = "rescue(address,uint256)"
ALL = "all"


class ProposeRescue:
    """Writes the transaction that moves a paused contract's assets, as a Safe batch file.

    Source: the file format of Safe's Transaction Builder, version 1.0.
    """

    name = "chain.propose_rescue"
    about = "proposes to move a paused contract's assets; a multi-signature wallet decides"
    effect: Effect = "move_funds"

    def plan(self, context: Context, parameters: Mapping[str, Any]) -> str:
        """What it would do, in one sentence."""
        contract, to, amount, _ = self._read(context, parameters)
        return f"propose to move {amount if amount != ALL else 'all'} wei of {contract} to {to}"

    def prepare(self, context: Context, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """The proposal; refused where it would credit more than there is."""
        contract, to, given, credits_ = self._read(context, parameters)
        chain = chain_of(context)
        held = chain.balance(contract)
        amount = held if given == ALL else int(given)
        if amount > held:
            raise ParameterError(
                f"amount is {amount}; expected at most the {held} wei that it holds"
            )
        if (owed := sum(credits_.values())) > held:
            raise ParameterError(f"credits sum to {owed}; expected at most the {held} wei it holds")
        if not chain.ask(contract, "paused()"):
            raise ActionError(f"{contract} is not paused; a rescue begins with a pause")
        call = {"to": contract, "value": "0", "data": encoded(RESCUE, to, str(amount))}
        proposal = {
            "version": "1.0",
            "meta": {"name": "rescue", "description": f"incident {context.incident}"},
            "transactions": [call],
        }
        return {"proposal": proposal, "amount": str(amount), "credits": _texts(credits_)}

    def perform(self, context: Context, intent: Mapping[str, Any]) -> Outcome:
        """Write it where people find it."""
        files = {
            "rescue.json": orjson.dumps(intent["proposal"], option=orjson.OPT_INDENT_2),
            "credits.json": orjson.dumps(intent["credits"], option=orjson.OPT_INDENT_2),
        }
        facts = keep(folder_of(context), files)
        words = f"a rescue of {ether(int(intent['amount']))} is proposed; nothing has moved"
        return Outcome(words, facts | {"proposal": intent["proposal"], "amount": intent["amount"]})

    def verify(self, context: Context, intent: Mapping[str, Any]) -> bool:
        """Whether the proposal is there, as it was written."""
        return sealed(folder_of(context))

    @staticmethod
    def _read(
        context: Context, parameters: Mapping[str, Any]
    ) -> tuple[str, str, str, dict[str, int]]:
        contract = address(context, parameters, "contract")
        to = address(context, parameters, "to")
        asked = parameters.get("amount") or ALL
        amount = ALL if asked == ALL else str(whole(parameters, "amount", least=1))
        listed = parameters.get("credits") or []
        if not isinstance(listed, list) or not all(isinstance(one, dict) for one in listed):
            raise ParameterError("credits: expected a list of account and amount")
        credits_: dict[str, int] = {}
        for one in listed:
            account = address(context, one, "account")
            credits_[account] = credits_.get(account, 0) + whole(one, "amount")
        return contract, to, amount, credits_


def _texts(amounts: Mapping[str, int]) -> dict[str, str]:
    return {account: str(amount) for account, amount in amounts.items()}
