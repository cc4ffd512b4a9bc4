# pragma version 0.4.3
"""
@title Pool
@notice A constant-product market of ether and one token, with a fee of 0.3 %.
"""
from ethereum.ercs import IERC20

event Swap:
    account: indexed(address)
    ether_in: uint256
    token_in: uint256
    out: uint256

token: public(IERC20)
ether_reserve: public(uint256)
token_reserve: public(uint256)


@deploy
def __init__(token: address):
    self.token = IERC20(token)


@external
@payable
def add_liquidity(tokens: uint256):
    extcall self.token.transferFrom(msg.sender, self, tokens)
    self.ether_reserve += msg.value
    self.token_reserve += tokens


@internal
@pure
def _out(given: uint256, mine: uint256, other: uint256) -> uint256:
    net: uint256 = given * 997
    return net * other // (mine * 1000 + net)


@external
@payable
@nonreentrant
def buy(least: uint256) -> uint256:
    out: uint256 = self._out(msg.value, self.ether_reserve, self.token_reserve)
    assert out >= least, "slippage"
    self.ether_reserve += msg.value
    self.token_reserve -= out
    log Swap(account=msg.sender, ether_in=msg.value, token_in=0, out=out)
    extcall self.token.transfer(msg.sender, out)
    return out


@external
@nonreentrant
def sell(tokens: uint256, least: uint256) -> uint256:
    extcall self.token.transferFrom(msg.sender, self, tokens)
    out: uint256 = self._out(tokens, self.token_reserve, self.ether_reserve)
    assert out >= least, "slippage"
    self.token_reserve += tokens
    self.ether_reserve -= out
    log Swap(account=msg.sender, ether_in=0, token_in=tokens, out=out)
    raw_call(msg.sender, b"", value=out)
    return out
