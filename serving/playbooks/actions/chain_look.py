"""What happened on the chain lately: blocks with their receipts, and transactions' call trees."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from web3 import Web3

from pipeline.sources import chain_decode as decode
from serving.playbooks.action import ActionError
from serving.playbooks.actions.chain import Chain

__all__ = ["Seen", "balances_of", "ether", "invariant", "touching", "trace", "walk"]

Seen = tuple[decode.Block, decode.Transaction, decode.Receipt]
DEPOSIT, WITHDRAWAL = "Deposit(address,uint256)", "Withdrawal(address,uint256)"
TRACER = {"tracer": "callTracer"}


def walk(chain: Chain, first: int, last: int) -> Iterator[Seen]:
    """Every transaction of some blocks with its receipt, in order."""
    for number in range(max(first, 0), last + 1):
        block = chain.request("eth_getBlockByNumber", hex(number), True, parse=decode.block)
        if not block.transactions:
            continue

        def parsed(answer: Any, block: decode.Block = block) -> tuple[decode.Receipt, ...]:
            return decode.receipts(answer, block)

        receipts = chain.request("eth_getBlockReceipts", hex(number), parse=parsed)
        for transaction, receipt in zip(block.transactions, receipts, strict=True):
            yield block, transaction, receipt


def touching(chain: Chain, contract: str, blocks: int) -> Iterator[Seen]:
    """Of the last blocks the transactions that name a contract: to it, or with its events."""
    newest = chain.newest
    for seen in walk(chain, newest - blocks + 1, newest):
        _, transaction, receipt = seen
        if contract == transaction.to or any(log.address == contract for log in receipt.logs):
            yield seen


def trace(chain: Chain, name: str) -> tuple[decode.Call, ...]:
    """The call tree of a mined transaction."""
    return chain.request("debug_traceTransaction", name, TRACER, parse=decode.calls)


def invariant(chain: Chain, contract: str, at: str = "latest") -> tuple[int, int]:
    """What a contract holds and what it owes, in wei; it must never owe more than it holds."""
    return chain.balance(contract, at), chain.ask(contract, "liabilities()", at=at)


def ether(wei: int) -> str:
    """An amount for people, exact.

    >>> ether(3_584_561_011_500_000_202_752), ether(10**18)
    ('3584.561011500000202752 ether', '1 ether')
    """
    return f"{Web3.from_wei(wei, 'ether'):f} ether"


def balances_of(chain: Chain, contract: str, first: int) -> dict[str, int]:
    """Each account's balance, rebuilt from the contract's deposits and withdrawals, in wei."""

    signs = {
        "0x" + Web3.keccak(text=t).hex().removeprefix("0x"): sign
        for t, sign in ((DEPOSIT, 1), (WITHDRAWAL, -1))
    }
    found: dict[str, int] = {}
    for _, _, receipt in walk(chain, first, chain.newest):
        for log in receipt.logs:
            if log.address != contract or not log.topics or log.topics[0] not in signs:
                continue
            if len(log.topics) < 2 or len(log.data) != 66:
                raise ActionError(f"an event of {contract} has another shape")
            account = "0x" + log.topics[1][-40:]
            found[account] = found.get(account, 0) + signs[log.topics[0]] * int(log.data, 16)
    return found
