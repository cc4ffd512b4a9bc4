# pragma version 0.4.3
"""
@title Token
@notice An ERC-20 token that its owner can mint.
"""
from ethereum.ercs import IERC20

implements: IERC20

event Transfer:
    sender: indexed(address)
    receiver: indexed(address)
    value: uint256

event Approval:
    owner: indexed(address)
    spender: indexed(address)
    value: uint256

event Mint:
    to: indexed(address)
    amount: uint256

event OwnerChanged:
    before: indexed(address)
    owner: indexed(address)

decimals: public(constant(uint8)) = 18
owner: public(address)
totalSupply: public(uint256)
balanceOf: public(HashMap[address, uint256])
allowance: public(HashMap[address, HashMap[address, uint256]])


@deploy
def __init__(owner: address):
    self.owner = owner


@external
def mint(to: address, amount: uint256):
    assert msg.sender == self.owner, "owner only"
    self.totalSupply += amount
    self.balanceOf[to] += amount
    log Mint(to=to, amount=amount)
    log Transfer(sender=empty(address), receiver=to, value=amount)


@external
def change_owner(owner: address):
    assert msg.sender == self.owner, "owner only"
    log OwnerChanged(before=self.owner, owner=owner)
    self.owner = owner


@external
def transfer(to: address, amount: uint256) -> bool:
    self._move(msg.sender, to, amount)
    return True


@external
def approve(spender: address, amount: uint256) -> bool:
    self.allowance[msg.sender][spender] = amount
    log Approval(owner=msg.sender, spender=spender, value=amount)
    return True


@external
def transferFrom(owner: address, to: address, amount: uint256) -> bool:
    self.allowance[owner][msg.sender] -= amount
    self._move(owner, to, amount)
    return True


@internal
def _move(owner: address, to: address, amount: uint256):
    self.balanceOf[owner] -= amount
    self.balanceOf[to] += amount
    log Transfer(sender=owner, receiver=to, value=amount)
