"""What py-evm knows, in the words of JSON-RPC: blocks, receipts, logs and call trees."""

from __future__ import annotations

from typing import Any, TypeAlias

from eth.abc import BlockAPI, ComputationAPI, ReceiptAPI, SignedTransactionAPI
from eth.exceptions import OutOfGas, Revert
from eth.vm.spoof import SpoofTransaction
from eth_tester.utils.address import generate_contract_address  # type: ignore[import-untyped]

__all__ = ["Json", "block", "call_tree", "data", "execute", "receipts", "transaction"]

Json: TypeAlias = Any
SIMULATED_GAS = 15_000_000


def data(value: bytes) -> str:
    """Bytes as JSON-RPC writes them."""
    return "0x" + bytes(value).hex()


def block(mined: BlockAPI, full: bool) -> Json:
    """A block as ``eth_getBlockByNumber`` tells it."""
    header = mined.header
    told = [
        transaction(t, mined, i, header.base_fee_per_gas or 0) if full else data(t.hash)
        for i, t in enumerate(mined.transactions)
    ]
    return {
        "number": hex(header.block_number),
        "hash": data(header.hash),
        "parentHash": data(header.parent_hash),
        "timestamp": hex(header.timestamp),
        "gasLimit": hex(header.gas_limit),
        "gasUsed": hex(header.gas_used),
        "baseFeePerGas": hex(header.base_fee_per_gas or 0),
        "transactions": told,
    }


def transaction(
    signed: SignedTransactionAPI, mined: BlockAPI | None, index: int, base_fee: int
) -> Json:
    """A transaction of a block, or one that waits."""
    return {
        "hash": data(signed.hash),
        "blockHash": None if mined is None else data(mined.hash),
        "blockNumber": None if mined is None else hex(mined.number),
        "transactionIndex": None if mined is None else hex(index),
        "from": data(signed.sender),
        "to": data(signed.to) if signed.to else None,
        "value": hex(signed.value),
        "input": data(signed.data),
        "nonce": hex(signed.nonce),
        "gas": hex(signed.gas),
        "gasPrice": hex(_price(signed, base_fee)),
        "maxFeePerGas": hex(signed.max_fee_per_gas),
        "maxPriorityFeePerGas": hex(signed.max_priority_fee_per_gas),
        "type": "0x2",
        "chainId": hex(signed.chain_id or 0),
    }


def receipts(mined: BlockAPI, given: tuple[ReceiptAPI, ...]) -> Json:
    """The receipts of a block, as ``eth_getBlockReceipts`` tells them."""
    told, before, count = [], 0, 0
    for index, (signed, receipt) in enumerate(zip(mined.transactions, given, strict=True)):
        where = {
            "transactionHash": data(signed.hash),
            "transactionIndex": hex(index),
            "blockHash": data(mined.hash),
            "blockNumber": hex(mined.number),
        }
        logs = [
            where
            | {
                "address": data(log.address),
                "topics": [data(topic.to_bytes(32, "big")) for topic in log.topics],
                "data": data(log.data),
                "logIndex": hex(count + i),
                "removed": False,
            }
            for i, log in enumerate(receipt.logs)
        ]
        created = None if signed.to else generate_contract_address(signed.sender, signed.nonce)
        told.append(
            where
            | {
                "from": data(signed.sender),
                "to": data(signed.to) if signed.to else None,
                "status": hex(int.from_bytes(receipt.state_root, "big")),
                "gasUsed": hex(receipt.gas_used - before),
                "cumulativeGasUsed": hex(receipt.gas_used),
                "effectiveGasPrice": hex(_price(signed, mined.header.base_fee_per_gas or 0)),
                "contractAddress": created and data(created),
                "logs": logs,
                "type": "0x2",
            }
        )
        before, count = receipt.gas_used, count + len(logs)
    return told


def call_tree(root: ComputationAPI) -> Json:
    """The calls of a transaction, as geth's ``callTracer`` tells them."""
    tree: Json = {}
    waiting = [(root, tree)]
    while waiting:
        computation, told = waiting.pop()
        message: Any = computation.msg
        told |= {
            "type": _kind(message),
            "from": data(message.sender),
            "to": data(message.storage_address if message.is_create else message.code_address),
            "value": hex(message.value),
            "gas": hex(message.gas),
            "gasUsed": hex(message.gas - computation.get_gas_remaining()),
            "input": data(message.code if message.is_create else message.data),
            "output": data(computation.output),
        }
        if computation.is_error:
            error = computation.error
            words = {Revert: "execution reverted", OutOfGas: "out of gas"}
            told["error"] = words.get(type(error), str(error))
        if computation.children:
            told["calls"] = [{} for _ in computation.children]
            waiting += zip(computation.children, told["calls"], strict=True)
    return tree


def execute(machine: Any, call: dict[str, str]) -> ComputationAPI:
    """Run a call that nobody signed, upon a state that is then thrown away."""
    sender = bytes.fromhex(call["from"][2:]) if "from" in call else bytes(20)
    fee = machine.get_header().base_fee_per_gas or 0
    gas = int(call.get("gas", hex(SIMULATED_GAS)), 16)
    unsigned: Any = machine.get_transaction_builder()
    unsigned = unsigned.new_unsigned_dynamic_fee_transaction(
        chain_id=machine.chain_context.chain_id,
        nonce=machine.state.get_nonce(sender),
        max_priority_fee_per_gas=0,
        max_fee_per_gas=fee,
        gas=gas,
        to=bytes.fromhex((call.get("to") or "0x")[2:]),
        value=int(call.get("value", "0x0"), 16),
        data=bytes.fromhex(call.get("input", call.get("data", "0x"))[2:]),
        access_list=(),
    )
    machine.state.delta_balance(sender, gas * fee)
    spoofed: Any = SpoofTransaction(unsigned, from_=sender)
    computation: ComputationAPI = machine.state.apply_transaction(spoofed)
    return computation


def _price(signed: SignedTransactionAPI, base_fee: int) -> int:
    return min(signed.max_fee_per_gas, signed.max_priority_fee_per_gas + base_fee)


def _kind(message: Any) -> str:
    if message.is_create:
        return "CREATE"
    if message.is_delegation:
        return "DELEGATECALL"
    if message.is_static:
        return "STATICCALL"
    return "CALL" if message.code_address == message.to else "CALLCODE"
