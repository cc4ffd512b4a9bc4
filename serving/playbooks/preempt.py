"""Pre-emptive defence: what waits to be mined is tried, and who would steal is overtaken.

Works where the node shows pending transactions. A run that starts here pauses with a tip above
everything that waits (`serving.playbooks.actions.chain`), so that the pause is mined first.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from pipeline.sources.chain_pending import pending, simulate_pending
from pipeline.sources.chain_rpc import RefusedError, Rpc
from serving.alerts.ledger import Ledger
from serving.playbooks.actions.chain import Chain
from serving.rules.breach import Breach
from serving.severity import Severity
from serving.verdict import RiskNow, Verdict, judge

__all__ = ["Preempt", "Threat", "threats"]

VIEW = "transactions.address_1m"
FAMILY = "contract.pending_theft"
PLAYBOOK = "contract_compromise"
REMEMBERED = 10_000


@dataclass(frozen=True)
class Threat:
    """A waiting transaction that would take more out of a contract than its callers own there.

    Parameters
    ----------
    transaction, sender, contract : str
    takes : int
        Wei that the contract would lose.
    owned : int
        Wei that the accounts which call the contract in it own there.
    """

    transaction: str
    sender: str
    contract: str
    takes: int
    owned: int


def threats(
    rpc: Rpc, chain: Chain, contracts: Sequence[str], seen: OrderedDict[str, None]
) -> list[Threat]:
    """Try what waits and was not seen yet, and name what would steal.

    The invariant is exact: within one transaction a vault pays its callers at most what they own
    in it; a deposit in the same transaction is already counted in what the vault loses.
    """
    found = []
    for waiting in pending(rpc):
        if waiting.hash in seen:
            continue
        try:
            tried = simulate_pending(rpc, waiting)
        except RefusedError:  # what the node will not try cannot be judged; it is tried again
            continue
        seen[waiting.hash] = None
        while len(seen) > REMEMBERED:
            seen.popitem(last=False)
        for contract in contracts:
            takes = -tried.flows.get(contract, 0)
            if not tried.success or takes <= 0:
                continue
            if chain.ask(contract, "paused()"):  # then only the admin's rescue moves anything
                continue
            callers = {call.sender for call in tried.calls if call.to == contract}
            owned = sum(chain.ask(contract, "balances(address)", one) for one in sorted(callers))
            if takes > owned:
                found.append(Threat(waiting.hash, waiting.sender, contract, takes, owned))
    return found


class Preempt:
    """Watches what waits, and opens an incident whose playbook begins at once.

    Parameters
    ----------
    engine : sqlalchemy.Engine
    rpc : Rpc
        A node that shows pending transactions and has ``debug_traceCall``.
    chain : Chain
    contracts : mapping of str to str
        Vaults by name, with ``balances(address)``.
    ledger : callable
        Makes a ledger that starts the playbook which an alert asks for.
    """

    def __init__(
        self,
        engine: sa.Engine,
        rpc: Rpc,
        chain: Chain,
        contracts: Mapping[str, str],
        ledger: Callable[[sa.Connection, datetime], Ledger],
    ) -> None:
        self._engine, self._rpc, self._chain = engine, rpc, chain
        self._contracts = sorted(address.lower() for address in contracts.values())
        self._ledger = ledger
        self._seen: OrderedDict[str, None] = OrderedDict()

    def tick(self, *, now: datetime) -> list[Threat]:
        """Judge what waits now; each threat is an alert, and its run is due at once.

        Raises
        ------
        SourceError, ActionError
            The node does not show what waits, or does not answer.
        """
        found = threats(self._rpc, self._chain, self._contracts, self._seen)
        if found:
            try:
                with self._engine.begin() as connection:
                    ledger = self._ledger(connection, now)
                    ledger.apply([verdict for one in found for verdict in _verdicts(one, now)], {})
                    ledger.write()
            except BaseException:
                for one in found:  # not told: it is judged again
                    self._seen.pop(one.transaction, None)
                raise
        return found


def _verdicts(threat: Threat, now: datetime) -> list[Verdict]:
    takes, owned = threat.takes / 1e18, threat.owned / 1e18
    breach = Breach(
        rule="contract.pending_theft",
        requirement="SC-D3",
        view=VIEW,
        entity=threat.contract,
        start=now,
        end=now,
        since=now,
        feature="takes",
        operator=">",
        limit=owned,
        unit="ether",
        value=takes,
        severity=Severity.CRITICAL,
        family=FAMILY,
        summary=f"a waiting transaction of {threat.sender} would take {takes:.6g} ether "
        f"out of {threat.contract}; its callers own {owned:.6g} there",
        runbook="See that the pause was mined before it; then look for the hole.",
        playbook=PLAYBOOK,
        labels={
            "title": "Theft about to be mined",
            "team": "contracts",
            "attacker": threat.sender,
        },
        evidence={"transaction": threat.transaction},
    )
    return judge(VIEW, threat.contract, now, now, breaches=[breach], rarity=None, risk=RiskNow())
