"""Wallets, contracts and a clock on top of a node: what it takes to make a move on a chain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from eth_account import Account
from web3 import Web3

from pipeline.simulate.chain.build import artefact
from pipeline.simulate.chain.node import FAUCET

__all__ = ["ETHER", "Contract", "Ledger", "Node", "Wallet"]

ETHER = 10**18
TIP = 10**9
FEE_CAP = 100 * 10**9
GAS = 400_000
DEPLOYMENT_GAS = 5_000_000
TRANSFER_GAS = 21_000
_ENCODER = Web3()


class Node(Protocol):
    """A chain that mines when told: `EthTesterNode`, or `Anvil`."""

    def make_request(self, method: Any, params: Any) -> Any:
        """Answer one JSON-RPC request."""

    def mine(self, timestamp: int) -> None:
        """Mine what waits into a block of that time."""


@dataclass
class Wallet:
    """An account and its key; addresses are in lower case."""

    name: str
    key: bytes
    address: str = ""
    nonce: int = 0

    def __post_init__(self) -> None:
        self.address = str(Account.from_key(self.key).address).lower()


@dataclass(frozen=True)
class Contract:
    """A deployed contract: where it is and how it is spoken to."""

    name: str
    address: str
    _encoder: Any = field(repr=False)

    def data(self, function: str, *arguments: Any) -> str:
        """The input of a call."""
        given = [_checksum(a) for a in arguments]
        return str(self._encoder.encode_abi(function, args=given))

    def types(self, function: str) -> list[str]:
        """Types that a function returns."""
        abi = artefact(self.name).abi
        entry = next(e for e in abi if e["type"] == "function" and e["name"] == function)
        return [output["type"] for output in entry["outputs"]]


class Ledger:
    """Sign, send, deploy, ask and mine on one chain with its own clock.

    Parameters
    ----------
    node : Node
        The chain.
    start : datetime
        Aware; the time of the chain's first block.
    every : timedelta
        From block to block.
    """

    def __init__(self, node: Node, start: datetime, every: timedelta) -> None:
        self.node = node
        self.time = round(start.timestamp())
        self._every = round(every.total_seconds())
        self._id = int(self.request("eth_chainId"), 16)
        self.faucet = Wallet("faucet", FAUCET)

    @property
    def now(self) -> datetime:
        """Time of the newest block."""
        return datetime.fromtimestamp(self.time, UTC)

    def request(self, method: str, *params: Any) -> Any:
        """What the node answers.

        Raises
        ------
        ValueError
            The node gives an error.
        """
        answer = self.node.make_request(method, list(params))
        if answer.get("error") is not None:
            raise ValueError(f"{method}: {answer['error']['message']}")
        return answer["result"]

    def mine(self) -> None:
        """Mine what waits into the next block, one interval later."""
        self.time += self._every
        self.node.mine(self.time)

    def wait(self, seconds: float) -> None:
        """Let time pass without blocks, as on a chain that nobody uses."""
        self.time += round(seconds)

    def send(
        self,
        sender: Wallet,
        to: Contract | str | None,
        function: str = "",
        *arguments: Any,
        value: int = 0,
        gas: int = GAS,
        tip: int = TIP,
        data: str = "0x",
    ) -> str:
        """Sign and send a transaction; it is mined with the next block. Returns its hash."""
        if isinstance(to, Contract):
            data = to.data(function, *arguments)
        elif to is not None:
            gas = TRANSFER_GAS
        fields: dict[str, Any] = {
            "chainId": self._id,
            "nonce": sender.nonce,
            "value": value,
            "data": data,
            "gas": gas,
            # anvil orders by this fee, others by the tip: who gives more of one gives more of both.
            "maxFeePerGas": FEE_CAP + tip,
            "maxPriorityFeePerGas": tip,
        }
        if to is not None:
            fields["to"] = _checksum(to.address if isinstance(to, Contract) else to)
        signed = Account.sign_transaction(fields, sender.key)
        sent = self.request("eth_sendRawTransaction", "0x" + signed.raw_transaction.hex())
        sender.nonce += 1
        return str(sent)

    def deploy(self, sender: Wallet, name: str, *arguments: Any) -> Contract:
        """Deploy a contract in a block of its own."""
        made = artefact(name)
        encoder = _ENCODER.eth.contract(abi=made.abi, bytecode=made.bytecode)
        given = [_checksum(a) for a in arguments]
        data = encoder.constructor(*given).data_in_transaction
        sent = self.send(sender, None, data=str(data), gas=DEPLOYMENT_GAS)
        self.mine()
        return Contract(name, self.receipt(sent)["contractAddress"].lower(), encoder)

    def ask(self, contract: Contract, function: str, *arguments: Any) -> Any:
        """What a function that changes nothing returns now."""
        call = {"to": contract.address, "data": contract.data(function, *arguments)}
        output = bytes.fromhex(self.request("eth_call", call, "latest")[2:])
        decoded: Sequence[Any] = _ENCODER.codec.decode(contract.types(function), output)
        return decoded[0]

    def balance(self, address: str) -> int:
        """Ether of an account now, in wei."""
        return int(self.request("eth_getBalance", address, "latest"), 16)

    def receipt(self, sent: str) -> Any:
        """What became of a transaction; None while it waits."""
        return self.request("eth_getTransactionReceipt", sent)


def _checksum(value: Any) -> Any:
    if isinstance(value, Contract):
        value = value.address
    if isinstance(value, Wallet):
        value = value.address
    is_address = isinstance(value, str) and len(value) == 42
    return Web3.to_checksum_address(value) if is_address else value
