# pragma version 0.4.3
"""
@title Arbitrageur
@notice Borrows for one call, buys where a token is cheap and sells where it is dear: honest work.
"""
from ethereum.ercs import IERC20

interface Lender:
    def flash_loan(amount: uint256): nonpayable

interface Pool:
    def buy(least: uint256) -> uint256: payable
    def sell(tokens: uint256, least: uint256) -> uint256: nonpayable

owner: address
lender: address
token: IERC20
cheap: address
dear: address


@deploy
def __init__(lender: address, token: address):
    self.owner = msg.sender
    self.lender = lender
    self.token = IERC20(token)


@external
def trade(cheap: address, dear: address, loan: uint256):
    assert msg.sender == self.owner
    self.cheap = cheap
    self.dear = dear
    extcall Lender(self.lender).flash_loan(loan)
    raw_call(self.owner, b"", value=self.balance)


@external
@payable
def on_flash_loan(amount: uint256, fee: uint256):
    assert msg.sender == self.lender
    tokens: uint256 = extcall Pool(self.cheap).buy(0, value=amount)
    extcall self.token.approve(self.dear, tokens)
    extcall Pool(self.dear).sell(tokens, 0)
    assert self.balance > amount + fee, "no profit"
    raw_call(self.lender, b"", value=amount + fee)


@external
@payable
def __default__():
    pass
