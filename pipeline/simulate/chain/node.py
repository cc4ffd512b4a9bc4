"""A node in this process: eth-tester's chain behind the JSON-RPC that real nodes speak.

eth-tester has no server, no call traces and no receipts by block; py-evm keeps every call of a
transaction, so that all of them can be had. Blocks are mined when told, with the time told:
the chain has its own clock, and the same moves give the same hashes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from eth.exceptions import Revert
from eth_tester import PyEVMBackend  # type: ignore[import-untyped]

from pipeline.simulate.chain import wire

__all__ = ["FAUCET", "EthTesterNode"]

FAUCET = bytes(31) + b"\x01"
"""Private key of the account that owns all ether at the beginning."""
FAUCET_ADDRESS = "0x7e5f4552091a69125d5dfcb7b8c2659029395bdf"
GAS_LIMIT = 30_000_000
RICH = 10**27


class EthTesterNode:
    """A chain in this process.

    Parameters
    ----------
    timestamp : int
        Unix time of the genesis block, in seconds.
    """

    def __init__(self, timestamp: int) -> None:
        genesis = PyEVMBackend.generate_genesis_params(
            {"timestamp": timestamp, "gas_limit": GAS_LIMIT}
        )
        state = {
            bytes.fromhex(FAUCET_ADDRESS[2:]): {
                "balance": RICH,
                "nonce": 0,
                "code": b"",
                "storage": {},
            }
        }
        self._backend: Any = PyEVMBackend(genesis_parameters=genesis, genesis_state=state)
        self._pool: list[Any] = []
        self._traces: dict[str, wire.Json] = {}
        self._methods: dict[str, Callable[..., Any]] = {
            "eth_chainId": lambda: hex(self._chain.chain_id),
            "eth_blockNumber": lambda: hex(self._latest),
            "eth_getBlockByNumber": self._block_by_number,
            "eth_getBlockByHash": lambda h, full: wire.block(self._by_hash(h), full),
            "eth_getBlockReceipts": self._receipts,
            "eth_getTransactionReceipt": self._receipt,
            "eth_getTransactionByHash": self._transaction,
            "eth_getTransactionCount": lambda a, at: hex(self._state(at).get_nonce(_bytes(a))),
            "eth_getBalance": lambda a, at: hex(self._state(at).get_balance(_bytes(a))),
            "eth_getCode": lambda a, at: wire.data(self._state(at).get_code(_bytes(a))),
            "eth_gasPrice": lambda: hex(10**9 + (self._chain.header.base_fee_per_gas or 0)),
            "eth_call": self._call,
            "eth_sendRawTransaction": self._send,
            "debug_traceTransaction": lambda h, _: self._traces[h],
            "debug_traceBlockByHash": self._trace_block,
            "debug_traceCall": lambda call, at, _: self._simulate(call, at)[1],
            "anvil_reorg": self._reorg,
        }

    def make_request(self, method: str, params: Any) -> dict[str, Any]:
        """Answer one JSON-RPC request, as web3's providers do."""
        answer = {"jsonrpc": "2.0", "id": 1}
        if method not in self._methods:
            return answer | {"error": {"code": -32601, "message": f"no method {method}"}}
        try:
            return answer | {"result": self._methods[method](*params)}
        except Exception as fault:  # whatever py-evm refuses is the caller's error, as on any node
            message = f"{type(fault).__name__}: {fault}"
            return answer | {"error": {"code": -32000, "message": message}}

    def make_batch_request(self, requests: list[tuple[str, Any]]) -> list[dict[str, Any]]:
        """Answer several requests."""
        return [self.make_request(method, params) for method, params in requests]

    def mine(self, timestamp: int) -> None:
        """Mine the waiting transactions, the highest tip first, into a block of that time."""
        self._chain.set_header_timestamp(timestamp)
        chosen = self._choose()
        fields = {"coinbase": bytes(20), "mix_hash": bytes(32), "blob_gas_used": 0}
        _, _, computations = self._chain.mine_all(chosen, **fields)
        for mined, computation in zip(chosen, computations, strict=True):
            self._traces[wire.data(mined.hash)] = wire.call_tree(computation)
        state = self._pending
        self._pool = [
            t for t in self._pool if t not in chosen and t.nonce >= state.get_nonce(t.sender)
        ]

    def _choose(self) -> list[Any]:
        """Waiting transactions for a block: each sender's in order, those that can pay."""
        state, room, chosen = self._pending, GAS_LIMIT, []
        senders = {t.sender for t in self._pool}
        nonces = {sender: state.get_nonce(sender) for sender in senders}
        funds = {sender: state.get_balance(sender) for sender in senders}
        waiting = sorted(self._pool, key=lambda t: -t.max_priority_fee_per_gas)
        while best := next((t for t in waiting if t.nonce == nonces[t.sender]), None):
            waiting.remove(best)
            cost = best.value + best.gas * best.max_fee_per_gas
            if best.gas <= room and cost <= funds[best.sender]:
                chosen.append(best)
                room -= best.gas
                funds[best.sender] -= cost
                nonces[best.sender] += 1
        return chosen

    @property
    def _chain(self) -> Any:
        return self._backend.chain

    @property
    def _pending(self) -> Any:
        return self._chain.get_vm().state

    @property
    def _latest(self) -> int:
        return int(self._chain.header.block_number) - 1

    def _by_hash(self, text: str) -> Any:
        return self._chain.get_block_by_hash(_bytes(text))

    def _at(self, tag: str) -> Any:
        number = {"latest": self._latest, "earliest": 0}.get(tag)
        number = int(tag, 16) if number is None else number
        return self._chain.get_canonical_block_by_number(number)

    def _state(self, tag: Any) -> Any:
        if tag == "pending":
            return self._pending
        block = self._by_hash(tag["blockHash"]) if isinstance(tag, dict) else self._at(tag)
        return self._chain.get_vm(at_header=block.header).state

    def _block_by_number(self, tag: str, full: bool) -> wire.Json:
        if tag == "pending":
            shown = [wire.transaction(t, None, 0, 0) for t in self._pool]
            return {"number": None, "hash": None, "transactions": shown}
        if tag != "latest" and tag != "earliest" and int(tag, 16) > self._latest:
            return None
        return wire.block(self._at(tag), full)

    def _receipts(self, tag: str) -> wire.Json:
        block = self._by_hash(tag) if len(tag) == 66 else self._at(tag)
        return wire.receipts(block, block.get_receipts(self._chain.chaindb))

    def _receipt(self, text: str) -> wire.Json:
        number, index = self._chain.chaindb.get_transaction_index(_bytes(text))
        if number > self._latest:
            return None
        return self._receipts(hex(number))[index]

    def _transaction(self, text: str) -> wire.Json:
        for waiting in self._pool:
            if wire.data(waiting.hash) == text:
                return wire.transaction(waiting, None, 0, 0)
        number, index = self._chain.chaindb.get_transaction_index(_bytes(text))
        return wire.block(self._at(hex(number)), True)["transactions"][index]

    def _trace_block(self, text: str, _: Any) -> wire.Json:
        hashes = [wire.data(t.hash) for t in self._by_hash(text).transactions]
        return [{"txHash": h, "result": self._traces[h]} for h in hashes]

    def _simulate(self, call: dict[str, Any], tag: Any) -> tuple[Any, wire.Json]:
        block = self._at("latest") if isinstance(tag, dict) or tag == "pending" else self._at(tag)
        vm = self._chain.get_vm(at_header=block.header)
        computation = wire.execute(vm, call)
        return computation, wire.call_tree(computation)

    def _call(self, call: dict[str, Any], tag: Any) -> str:
        if isinstance(tag, dict):
            tag = hex(self._by_hash(tag["blockHash"]).number)
        computation, _ = self._simulate(call, tag)
        if isinstance(computation.error if computation.is_error else None, Revert):
            raise ValueError(f"execution reverted: {wire.data(computation.output)}")
        computation.raise_if_error()
        return wire.data(computation.output)

    def _send(self, raw: str) -> str:
        builder = self._chain.get_vm().get_transaction_builder()
        transaction = builder.decode(_bytes(raw))
        if transaction.nonce < self._pending.get_nonce(transaction.sender):
            raise ValueError("nonce too low")
        if any(t.hash == transaction.hash for t in self._pool):
            raise ValueError("already known")
        # The same nonce again replaces what waits, as on any node: a stuck pause is sent with
        # a higher fee.
        rivals = [
            t for t in self._pool if (t.sender, t.nonce) == (transaction.sender, transaction.nonce)
        ]
        if any(t.max_fee_per_gas * 1.1 > transaction.max_fee_per_gas for t in rivals):
            raise ValueError("replacement transaction underpriced")
        self._pool = [t for t in self._pool if t not in rivals] + [transaction]
        return wire.data(transaction.hash)

    def _reorg(self, depth: int, _: Any) -> None:
        """Take back blocks and mine as many empty ones in their place."""
        gone = range(self._latest - depth + 1, self._latest + 1)
        times = [self._at(hex(number)).header.timestamp for number in gone]
        self._backend.revert_to_snapshot(self._at(hex(self._latest - depth)).hash)
        for time in times:
            # One second later, or an empty block would get the hash of the empty one it replaces.
            self.mine(time + 1)


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text[2:])
