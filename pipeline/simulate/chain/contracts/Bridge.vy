# pragma version 0.4.3
"""
@title Bridge
@notice Locks ether here for someone on another chain.
"""

event Locked:
    account: indexed(address)
    amount: uint256
    destination: bytes32


@external
@payable
def lock(destination: bytes32):
    log Locked(account=msg.sender, amount=msg.value, destination=destination)
