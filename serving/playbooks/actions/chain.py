"""The chain as actions see it: questions to contracts, and calls that have their effect once.

A call is signed when it is prepared, at several fees under one nonce; all of that is the intent,
which the runner stores before anything is sent. At most one transaction of a nonce is ever mined,
so that sending the intent again, at whatever fee, from whichever process, cannot act twice.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, TypeVar

from web3 import Web3

from pipeline.sources import chain_decode as decode
from pipeline.sources.chain_pending import pending
from pipeline.sources.chain_rpc import MalformedError, RefusedError, Rpc
from pipeline.sources.source import SourceError
from serving.playbooks.action import ActionError, ParameterError, StaleIntentError
from serving.playbooks.actions.signer import Signer, selector

__all__ = ["Chain", "encoded"]

T = TypeVar("T")

RUNGS = 4
STUCK = timedelta(seconds=24)
"""A call that is not mined after two blocks is sent again at twice the fee, up to eight times."""
TIP = 2 * 10**9
FEE_CAP = 300 * 10**9
"""Wei; the cap only limits what is paid: the base fee and the tip are."""
GAS = 200_000
OUTBID, MOST_TIP = 5, 1_000 * 10**9
"""What is urgent offers five times the highest tip that waits, and at most this many wei."""
POLL = 0.05
CODEC = Web3().codec


class Chain:
    """Contracts on a chain, read and called.

    Parameters
    ----------
    rpc : Rpc
        One or more endpoints; where one fails the next is asked.
    signers : mapping of str to Signer
        ``guardian``, ``operator``, ``admin``, as far as there are any.
    contracts : mapping of str to str
        The address book: names of the platform's contracts to addresses.
    patience : float
        Seconds that `send` waits for a block; after that the runner comes back later.
    """

    def __init__(
        self,
        rpc: Rpc,
        signers: Mapping[str, Signer],
        contracts: Mapping[str, str],
        *,
        patience: float = 1.0,
    ) -> None:
        self._rpc = rpc
        self._signers = dict(signers)
        self.contracts = {name: address.lower() for name, address in contracts.items()}
        self._patience = patience

    def request(self, method: str, *params: Any, parse: Callable[[Any], T]) -> T:
        """What the nodes answer. Raises ActionError where none gives a good answer."""
        try:
            return self._rpc.ask(method, list(params), parse)
        except SourceError as error:
            raise ActionError(str(error)) from error

    def ask(self, contract: str, function: str, *arguments: str, at: str = "latest") -> int:
        """What a function that changes nothing returns as a number; true is 1.

        Raises
        ------
        ParameterError
            There is no contract with that function now.
        ActionError
            There was none at ``at``, or no node answers.
        """
        call = {"to": contract, "data": encoded(function, *arguments)}
        answer = self.request("eth_call", call, at, parse=_word)
        if answer is None:
            error = ParameterError if at == "latest" else ActionError
            raise error(f"{contract} has no {function} at block {at}; expected a contract with it")
        return answer

    def balance(self, address: str, at: str = "latest") -> int:
        """Wei that an account holds."""
        return self.request("eth_getBalance", address, at, parse=_quantity)

    @property
    def newest(self) -> int:
        """Number of the newest block."""
        return self.request("eth_blockNumber", parse=_quantity)

    @property
    def finalized(self) -> int:
        """Number of the newest block that no reorganisation can take back."""
        return self.request("eth_getBlockByNumber", "finalized", False, parse=_number)

    def block_of(self, intent: Mapping[str, Any]) -> int | None:
        """The block that holds one of an intent's transactions; None while none does."""
        found = (self._receipt(name) for name in intent["hashes"])
        return next((int(one["blockNumber"], 16) for one in found if one is not None), None)

    def intent(
        self,
        signer: str,
        contract: str,
        function: str,
        *arguments: str,
        now: datetime,
        urgent: bool = False,
    ) -> dict[str, Any]:
        """A call, tried without effect and then signed: JSON-able, and nothing is sent.

        Parameters
        ----------
        urgent : bool
            Offer more than all that waits, so that it is mined before.

        Raises
        ------
        ParameterError
            There is no such signer, it may not call this, or the contract would refuse.
        """
        key = self._signers.get(signer)
        if key is None:
            raise ParameterError(f"signer {signer!r} is missing; expected its keystore")
        call = {"from": key.address, "to": contract, "data": encoded(function, *arguments)}
        self._rehearse(call, function)
        price = self.request("eth_gasPrice", parse=_quantity)
        fields = {
            "chainId": self.request("eth_chainId", parse=_quantity),
            "nonce": self._nonce(key.address, "pending"),
            "to": Web3.to_checksum_address(contract),
            "data": call["data"],
            "value": 0,
            "gas": GAS,
        }
        tip = max(TIP, min(self._outbid(), MOST_TIP)) if urgent else TIP
        cap = max(FEE_CAP, 2 * price) + tip
        fees = [(cap * 2**rung, tip * 2**rung) for rung in range(RUNGS)]
        signed = [
            key.sign({**fields, "maxFeePerGas": most, "maxPriorityFeePerGas": least})
            for most, least in fees
        ]
        return {
            "call": function,
            "contract": contract,
            "sender": key.address,
            "nonce": fields["nonce"],
            "since": now.isoformat(),
            "raw": [raw for raw, _ in signed],
            "hashes": [name for _, name in signed],
        }

    def send(self, intent: Mapping[str, Any], *, now: datetime) -> dict[str, Any]:
        """Send a prepared call until it is mined; the receipt.

        Raises
        ------
        ActionError
            It is not mined yet: call again.
        StaleIntentError
            It never will be: its nonce is used, or it was mined and failed.
        """
        waited = (now - datetime.fromisoformat(intent["since"])) // STUCK
        rung = min(max(waited, 0), len(intent["raw"]) - 1)
        receipt = self._mined(intent)
        said = "" if receipt else self._broadcast(intent["raw"][rung])
        until = time.monotonic() + self._patience
        while receipt is None and time.monotonic() < until:
            time.sleep(POLL)
            receipt = self._mined(intent)
        if receipt is None:
            raise ActionError(f"{intent['call']} is sent and not mined yet{said}")
        if receipt["status"] != "0x1":
            raise StaleIntentError(f"{intent['call']} was mined and failed")
        return receipt

    def _outbid(self) -> int:
        try:
            return OUTBID * max((waiting.tip for waiting in pending(self._rpc)), default=0)
        except SourceError:  # a node that does not show what waits
            return 0

    def _rehearse(self, call: dict[str, str], function: str) -> None:
        try:
            self._rpc.ask("eth_call", [call, "latest"], lambda answer: answer)
        except RefusedError as error:
            if "revert" in str(error).lower():
                why = f"{function} of {call['to']} would be refused to {call['from']}"
                raise ParameterError(why) from error
            raise ActionError(str(error)) from error
        except SourceError as error:
            raise ActionError(str(error)) from error

    def _broadcast(self, raw: str) -> str:
        """Hand it to a node; what it says against it is for people, receipts decide."""
        try:
            self._rpc.ask("eth_sendRawTransaction", [raw], lambda answer: answer)
        except SourceError as error:
            return f" ({error})"
        return ""

    def _mined(self, intent: Mapping[str, Any]) -> dict[str, Any] | None:
        """The receipt of any of an intent's transactions; StaleIntentError if there can be none."""
        for _ in range(2):
            # Asked before the receipts: what used the nonce by then has a receipt by now. Asked
            # twice, as another endpoint may answer the second question.
            used = self._nonce(intent["sender"], "latest") > intent["nonce"]
            for name in intent["hashes"]:
                if (receipt := self._receipt(name)) is not None:
                    return receipt
            if not used:
                return None
        raise StaleIntentError(f"nonce {intent['nonce']} was used by another transaction")

    def _receipt(self, name: str) -> dict[str, Any] | None:
        try:
            return self._rpc.ask("eth_getTransactionReceipt", [name], _receipt)
        except RefusedError:  # some nodes have an error for a transaction they do not know
            return None
        except SourceError as error:
            raise ActionError(str(error)) from error

    def _nonce(self, address: str, at: str) -> int:
        return self.request("eth_getTransactionCount", address, at, parse=_quantity)


def encoded(function: str, *arguments: str) -> str:
    """The input of a call, from a signature such as ``block_address(address)``."""
    types = [t for t in function.partition("(")[2].rstrip(")").split(",") if t]
    given = [int(a) if t.startswith("uint") else a for t, a in zip(types, arguments, strict=True)]
    return selector(function) + bytes(CODEC.encode(types, given)).hex()


def _quantity(answer: Any) -> int:
    return decode.number({"answer": answer}, "answer")


def _number(answer: Any) -> int:
    if answer is None:  # there is no such block yet
        return -1
    if not isinstance(answer, dict):
        raise MalformedError(f"block = {str(answer)[:80]!r}; expected an object")
    return decode.number(answer, "number")


def _word(answer: Any) -> int | None:
    # Nothing is what an account without code answers: no fault of the node.
    told = decode.text({"answer": answer}, "answer")
    return int(told[:66], 16) if len(told) >= 66 else None


def _receipt(answer: Any) -> dict[str, Any] | None:
    if answer is not None and not (
        isinstance(answer, dict) and {"status", "blockNumber"} <= set(answer)
    ):
        raise MalformedError(f"receipt = {str(answer)[:80]!r}; expected an object")
    return answer
