# pragma version 0.4.3
"""
@title Custody
@notice Who may do what with a vault: roles, pause, block-list, timelock and withdrawal limit.
        A module: Vault and UnsafeVault are built upon it.
"""

event Paused:
    account: indexed(address)

event Unpaused:
    account: indexed(address)

event RoleGranted:
    role: indexed(bytes32)
    account: indexed(address)
    sender: indexed(address)

event RoleRevoked:
    role: indexed(bytes32)
    account: indexed(address)
    sender: indexed(address)

event OwnerChanged:
    before: indexed(address)
    owner: indexed(address)

event Scheduled:
    change: indexed(bytes32)
    ready: uint256

event ParameterChanged:
    name: indexed(bytes32)
    before: uint256
    after: uint256

event Upgraded:
    implementation: indexed(address)

event Blocked:
    account: indexed(address)

event Unblocked:
    account: indexed(address)

event Deposit:
    account: indexed(address)
    amount: uint256

event Withdrawal:
    account: indexed(address)
    amount: uint256

GUARDIAN: constant(bytes32) = keccak256("guardian")
OPERATOR: constant(bytes32) = keccak256("operator")
EMERGENCY: constant(bytes32) = keccak256("emergency")
LIMIT: constant(bytes32) = keccak256("limit")
UPGRADE: constant(bytes32) = keccak256("upgrade")
PERIOD: constant(uint256) = 3600
DELAY: immutable(uint256)

admin: public(address)
has_role: public(HashMap[bytes32, HashMap[address, bool]])
paused: public(bool)
blocked: public(HashMap[address, bool])
implementation: public(address)
limit: public(uint256)
liabilities: public(uint256)
balances: public(HashMap[address, uint256])
ready: public(HashMap[bytes32, uint256])
withdrawn: HashMap[uint256, uint256]


@deploy
def __init__(admin: address, limit: uint256, delay: uint256):
    self.admin = admin
    self.limit = limit
    DELAY = delay


@internal
def _only_admin():
    assert msg.sender == self.admin, "admin only"


@internal
def _open(account: address):
    assert not self.paused, "paused"
    assert not self.blocked[account], "blocked"


@internal
def _count(amount: uint256):
    """
    @notice Refuse what would take more than the limit out of the vault within an hour.
    """
    period: uint256 = block.timestamp // PERIOD
    self.withdrawn[period] += amount
    assert self.withdrawn[period] <= self.limit, "limit"


@external
def pause():
    assert self.has_role[GUARDIAN][msg.sender] or msg.sender == self.admin, "guardian only"
    self.paused = True
    log Paused(account=msg.sender)


@external
def unpause():
    self._only_admin()
    self.paused = False
    log Unpaused(account=msg.sender)


@external
def grant_role(role: bytes32, account: address):
    self._only_admin()
    self.has_role[role][account] = True
    log RoleGranted(role=role, account=account, sender=msg.sender)


@external
def revoke_role(role: bytes32, account: address):
    self._only_admin()
    self.has_role[role][account] = False
    log RoleRevoked(role=role, account=account, sender=msg.sender)


@external
def change_owner(owner: address):
    self._only_admin()
    log OwnerChanged(before=self.admin, owner=owner)
    self.admin = owner


@external
def block_address(account: address):
    assert self.has_role[OPERATOR][msg.sender] or msg.sender == self.admin, "operator only"
    self.blocked[account] = True
    log Blocked(account=account)


@external
def unblock_address(account: address):
    self._only_admin()
    self.blocked[account] = False
    log Unblocked(account=account)


@external
def lower_limit(limit: uint256):
    """
    @notice Tighten the limit at once; only loosening it has to wait.
    """
    assert self.has_role[OPERATOR][msg.sender] or msg.sender == self.admin, "operator only"
    assert limit < self.limit, "not lower"
    log ParameterChanged(name=LIMIT, before=self.limit, after=limit)
    self.limit = limit


@external
def schedule_limit(limit: uint256):
    self._only_admin()
    change: bytes32 = keccak256(abi_encode(LIMIT, limit))
    self.ready[change] = block.timestamp + DELAY
    log Scheduled(change=change, ready=self.ready[change])


@external
def set_limit(limit: uint256):
    self._only_admin()
    self._due(keccak256(abi_encode(LIMIT, limit)))
    log ParameterChanged(name=LIMIT, before=self.limit, after=limit)
    self.limit = limit


@external
def schedule_upgrade(implementation: address):
    self._only_admin()
    change: bytes32 = keccak256(abi_encode(UPGRADE, implementation))
    self.ready[change] = block.timestamp + DELAY
    log Scheduled(change=change, ready=self.ready[change])


@external
def upgrade(implementation: address):
    self._only_admin()
    self._due(keccak256(abi_encode(UPGRADE, implementation)))
    self.implementation = implementation
    log Upgraded(implementation=implementation)


@external
def emergency_upgrade(implementation: address):
    """
    @notice The back door that many real contracts have: an upgrade that does not wait.
    """
    assert self.has_role[EMERGENCY][msg.sender], "emergency only"
    self.implementation = implementation
    log Upgraded(implementation=implementation)


@internal
def _due(change: bytes32):
    assert self.ready[change] != 0, "not scheduled"
    assert block.timestamp >= self.ready[change], "too early"
    self.ready[change] = 0
