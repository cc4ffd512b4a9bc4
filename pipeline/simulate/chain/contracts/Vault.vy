# pragma version 0.4.3
"""
@title Vault
@notice Keeps deposits of ether; limited, pausable, and safe against re-entrancy.
"""
import Custody

initializes: Custody
exports: Custody.__interface__


@deploy
def __init__(admin: address, limit: uint256, delay: uint256):
    Custody.__init__(admin, limit, delay)


@external
@payable
def deposit():
    Custody._open(msg.sender)
    Custody.balances[msg.sender] += msg.value
    Custody.liabilities += msg.value
    log Custody.Deposit(account=msg.sender, amount=msg.value)


@external
@nonreentrant
def withdraw(amount: uint256):
    Custody._open(msg.sender)
    Custody._count(amount)
    Custody.balances[msg.sender] -= amount
    Custody.liabilities -= amount
    log Custody.Withdrawal(account=msg.sender, amount=amount)
    raw_call(msg.sender, b"", value=amount)


@external
@nonreentrant
def rescue(to: address, amount: uint256):
    """
    @notice Move assets of a paused vault to safety; the ledger of who owns what stays.
    """
    Custody._only_admin()
    assert Custody.paused, "pause first"
    raw_call(to, b"", value=amount)
