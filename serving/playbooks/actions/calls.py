"""Calls of the platform's contracts as actions: pause, block, limit, and their way back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from serving.playbooks.action import (
    ActionError,
    Context,
    Effect,
    Outcome,
    ParameterError,
    StaleIntentError,
)
from serving.playbooks.actions.chain import Chain
from serving.playbooks.actions.parameters import address, choice, whole

__all__ = ["ACTIONS", "ContractCall", "chain_of"]

Reader = Callable[[Context, Mapping[str, Any]], str]


def chain_of(context: Context) -> Chain:
    """The chain that the configuration names."""
    chain = context.services.get("chain")
    if not isinstance(chain, Chain):
        raise ParameterError("service chain is missing; expected its endpoints")
    return chain


@dataclass(frozen=True)
class ContractCall:
    """One call of one function of a contract, and the state that shows its effect.

    Parameters
    ----------
    name, about, effect
        See `serving.playbooks.action.Action`.
    signer : str
        Whose key.
    function : str
        Signature of what is called.
    state : str
        Signature of the question whose answer shows the effect.
    holds : callable
        From that answer and the argument: whether the effect is there.
    argument : callable, optional
        Reads the function's one argument from the parameters.
    asks : bool
        Whether the question takes the argument too.
    """

    name: str
    about: str
    effect: Effect
    signer: str
    function: str
    state: str
    holds: Callable[[int, str], bool]
    argument: Reader | None = None
    asks: bool = True

    def plan(self, context: Context, parameters: Mapping[str, Any]) -> str:
        """What it would do, in one sentence."""
        contract, given, _ = self._read(context, parameters)
        shown = f"({', '.join(given)})"
        return f"call {self.function.partition('(')[0]}{shown} of {contract} as {self.signer}"

    def prepare(self, context: Context, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """The signed call at several fees; none where the effect is there already."""
        contract, given, settled = self._read(context, parameters)
        chain = chain_of(context)
        intent = {"contract": contract, "arguments": given, "settled": settled}
        if self._is_so(context, intent):
            return intent | {"seen": chain.newest}
        return intent | chain.intent(
            self.signer,
            contract,
            self.function,
            *given,
            now=context.now,
            urgent=self.effect == "contain",
        )

    def perform(self, context: Context, intent: Mapping[str, Any]) -> Outcome:
        """Send it until it is mined, and wait until it is as settled as was asked for."""
        words = f"{self.function.partition('(')[0]} of {intent['contract']}"
        facts = {"contract": intent["contract"], "settled": intent["settled"]}
        if "raw" in intent:
            receipt = chain_of(context).send(intent, now=context.now)
            block = int(receipt["blockNumber"], 16)
            facts |= {"transaction": receipt["transactionHash"], "block": block}
            done = f"{words} was mined in block {block}"
        elif self._is_so(context, intent):
            done = f"{words}: it was so already"
        else:  # a reorganisation took away what was there
            raise StaleIntentError(f"{words} is no longer in effect")
        if not self.verify(context, intent):
            raise ActionError(f"{words} is not {intent['settled']} yet")
        return Outcome(done, facts)

    def verify(self, context: Context, intent: Mapping[str, Any]) -> bool:
        """Whether the contract says so now, by a block as settled as was asked for."""
        if not self._is_so(context, intent):
            return False
        if intent["settled"] == "latest":
            return True
        chain = chain_of(context)
        block = chain.block_of(intent) if "raw" in intent else intent["seen"]
        return block is not None and block <= chain.finalized

    def _read(self, context: Context, parameters: Mapping[str, Any]) -> tuple[str, list[str], str]:
        contract = address(context, parameters, "contract")
        settled = choice(parameters, "settled", ("latest", "finalized"), "latest")
        return contract, [self.argument(context, parameters)] if self.argument else [], settled

    def _is_so(self, context: Context, intent: Mapping[str, Any]) -> bool:
        given = list(intent["arguments"])
        asked = given if self.asks else []
        answer = chain_of(context).ask(intent["contract"], self.state, *asked)
        return self.holds(answer, given[0] if given else "")


def _address(context: Context, parameters: Mapping[str, Any]) -> str:
    return address(context, parameters, "address")


def _limit(context: Context, parameters: Mapping[str, Any]) -> str:
    # As a text: wei do not fit into the integers of every JSON reader.
    return str(whole(parameters, "limit"))


ACTIONS = [
    ContractCall(
        "chain.pause",
        "pauses a contract; sent again after a reorganisation",
        "contain",
        "guardian",
        "pause()",
        "paused()",
        lambda paused, _: paused == 1,
    ),
    ContractCall(
        "chain.unpause",
        "lets a contract go on",
        "restore",
        "admin",
        "unpause()",
        "paused()",
        lambda paused, _: paused == 0,
    ),
    ContractCall(
        "chain.block_address",
        "shuts an address out of a contract",
        "contain",
        "operator",
        "block_address(address)",
        "blocked(address)",
        lambda blocked, _: blocked == 1,
        _address,
    ),
    ContractCall(
        "chain.unblock_address",
        "lets an address in again",
        "restore",
        "admin",
        "unblock_address(address)",
        "blocked(address)",
        lambda blocked, _: blocked == 0,
        _address,
    ),
    ContractCall(
        "chain.set_limits",
        "lowers what may leave a contract within an hour",
        "contain",
        "operator",
        "lower_limit(uint256)",
        "limit()",
        lambda limit, wanted: limit <= int(wanted),
        _limit,
        asks=False,
    ),
]
