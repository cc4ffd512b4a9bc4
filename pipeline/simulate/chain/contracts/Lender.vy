# pragma version 0.4.3
"""
@title Lender
@notice Lends ether against a token at half its amount, and without any for one call: flash loans.
"""
from ethereum.ercs import IERC20

interface Borrower:
    def on_flash_loan(amount: uint256, fee: uint256): payable

event Deposit:
    account: indexed(address)
    amount: uint256

event Withdrawal:
    account: indexed(address)
    amount: uint256

event Borrow:
    account: indexed(address)
    amount: uint256

event Repay:
    account: indexed(address)
    amount: uint256

event FlashLoan:
    account: indexed(address)
    amount: uint256
    fee: uint256

token: public(IERC20)
price: public(uint256)
deposits: public(HashMap[address, uint256])
collateral: public(HashMap[address, uint256])
debt: public(HashMap[address, uint256])


@deploy
def __init__(token: address, price: uint256):
    """
    @param price Tokens that are worth one ether.
    """
    self.token = IERC20(token)
    self.price = price


@external
@payable
def deposit():
    self.deposits[msg.sender] += msg.value
    log Deposit(account=msg.sender, amount=msg.value)


@external
@nonreentrant
def withdraw(amount: uint256):
    self.deposits[msg.sender] -= amount
    log Withdrawal(account=msg.sender, amount=amount)
    raw_call(msg.sender, b"", value=amount)


@external
@nonreentrant
def borrow(amount: uint256, tokens: uint256):
    extcall self.token.transferFrom(msg.sender, self, tokens)
    self.collateral[msg.sender] += tokens
    self.debt[msg.sender] += amount
    assert 2 * self.debt[msg.sender] * self.price <= self.collateral[msg.sender], "collateral"
    log Borrow(account=msg.sender, amount=amount)
    raw_call(msg.sender, b"", value=amount)


@external
@payable
@nonreentrant
def repay():
    self.debt[msg.sender] -= msg.value
    log Repay(account=msg.sender, amount=msg.value)
    if self.debt[msg.sender] == 0:
        tokens: uint256 = self.collateral[msg.sender]
        self.collateral[msg.sender] = 0
        extcall self.token.transfer(msg.sender, tokens)


@external
@nonreentrant
def flash_loan(amount: uint256):
    before: uint256 = self.balance
    fee: uint256 = amount * 9 // 10000
    extcall Borrower(msg.sender).on_flash_loan(amount, fee, value=amount)
    assert self.balance >= before + fee, "not repaid"
    log FlashLoan(account=msg.sender, amount=amount, fee=fee)


@external
@payable
def __default__():
    pass
