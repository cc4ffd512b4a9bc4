"""After an unpause: the invariants at each block, and the pause again at the first breach."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from serving.playbooks.action import ActionError, CheckError, Context, Effect, Outcome
from serving.playbooks.actions.calls import chain_of
from serving.playbooks.actions.chain_look import ether, invariant
from serving.playbooks.actions.parameters import address, whole

__all__ = ["Soak"]


class Soak:
    """Holds a contract to its invariant for some blocks; the pause is signed before it begins."""

    name = "chain.soak"
    about = "checks a contract at each block, and pauses it again when it owes more than it holds"
    effect: Effect = "contain"

    def plan(self, context: Context, parameters: Mapping[str, Any]) -> str:
        """What it would do, in one sentence."""
        contract, blocks = self._read(context, parameters)
        return f"check {contract} at each of {blocks} blocks; pause it again at the first breach"

    def prepare(self, context: Context, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """From which block to which, and a signed pause."""
        contract, blocks = self._read(context, parameters)
        chain = chain_of(context)
        first = chain.newest
        pause = chain.intent("guardian", contract, "pause()", now=context.now, urgent=True)
        return {"contract": contract, "first": first, "last": first + blocks, "pause": pause}

    def perform(self, context: Context, intent: Mapping[str, Any]) -> Outcome:
        """Look at each block that is there.

        Raises
        ------
        ActionError
            The last block is not there yet.
        CheckError
            The invariant is broken; the contract is paused again.
        """
        chain, contract = chain_of(context), intent["contract"]
        newest = chain.newest
        for number in range(intent["first"], min(newest, intent["last"]) + 1):
            held, owed = invariant(chain, contract, hex(number))
            if owed > held:
                if not chain.ask(contract, "paused()"):
                    # The time is that of the intent's first sending: a breach is no stuck call.
                    chain.send(
                        intent["pause"] | {"since": context.now.isoformat()}, now=context.now
                    )
                raise CheckError(
                    f"{contract} owes {ether(owed)} and holds {ether(held)} in block {number}: "
                    "paused again"
                )
        if newest < intent["last"]:
            raise ActionError(f"block {newest} of {intent['last']}: the invariant holds")
        words = f"{contract} held its invariant from block {intent['first']} to {intent['last']}"
        return Outcome(words, {"first": intent["first"], "last": intent["last"]})

    def verify(self, context: Context, intent: Mapping[str, Any]) -> bool:
        """Whether the blocks are over and the invariant holds now."""
        chain = chain_of(context)
        held, owed = invariant(chain, intent["contract"])
        return chain.newest >= intent["last"] and owed <= held

    @staticmethod
    def _read(context: Context, parameters: Mapping[str, Any]) -> tuple[str, int]:
        contract = address(context, parameters, "contract")
        return contract, whole(parameters, "blocks", least=1, most=100_000)
