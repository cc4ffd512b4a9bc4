# pragma version 0.4.3
"""
@title Mixer
@notice Takes notes of ten ether and pays them out to whoever knows a note's secret.
"""

NOTE: constant(uint256) = 10 * 10**18
notes: HashMap[bytes32, bool]


@external
@payable
def deposit(commitment: bytes32):
    assert msg.value == NOTE, "a note is ten ether"
    self.notes[commitment] = True


@external
def withdraw(secret: bytes32, to: address):
    note: bytes32 = keccak256(secret)
    assert self.notes[note], "no such note"
    self.notes[note] = False
    raw_call(to, b"", value=NOTE)
