"""The alert engine: scored windows go in, inside the stream's own transaction; alerts come out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol
from uuid import uuid4

import polars as pl
import sqlalchemy as sa

from features.view import FeatureView
from models.risk import RiskBook, RiskInput, severity
from pipeline.database import upsert
from pipeline.scoring.reasons import Explanation
from pipeline.stream.cases import Case, Held
from pipeline.stream.kept import Judge
from serving.alerts.cases import cases
from serving.alerts.clock import tick
from serving.alerts.learned import Key, changes, rarities
from serving.alerts.ledger import Ledger, Start
from serving.alerts.muting import Inhibition
from serving.alerts.risk import RISK, changed_risk, forget, in_words, link_actor, restore_risk
from serving.alerts.routes import DEFAULT_ROUTES, Route
from serving.alerts.thresholds import ALERTS_PER_DAY, Thresholds
from serving.alerts.witness import Witness, evidence
from serving.rules.actors import PART, Actors
from serving.rules.book import RuleBook
from serving.rules.breach import Breach
from serving.store.tables import memory
from serving.verdict import Rarity, RiskNow, Verdict, judge

__all__ = ["AlertEngine", "Correlations"]

FADING = timedelta(hours=1)
MARK = "engine"
# What a breach adds to an entity's risk, by severity.
POINTS = {"info": 5.0, "low": 15.0, "medium": 35.0, "high": 65.0, "critical": 95.0}


class Correlations(Protocol):
    """What joins breaches of several rules; see `serving.rules.correlate`."""

    def breaches(self, found: Sequence[Breach], *, at: datetime) -> list[Breach]:
        """Breaches of correlations that follow from new breaches."""

    def holds(self, family: str, entity: str, *, at: datetime) -> bool:
        """Whether a correlation still counts as breached."""

    def state(self) -> dict[str, dict[str, Any] | None]:
        """What changed since the last call; None where forgotten."""

    def restore(self, state: Mapping[str, Mapping[str, Any]]) -> None:
        """Begin again from what `state` gave."""


class AlertEngine:
    """Rules, scores and risk judged together, and what follows: alerts, incidents, notices, runs.

    Parameters
    ----------
    book : RuleBook
    correlations : Correlations
    thresholds : mapping of str to float
        By view: a warm window that normal life brings less often, 1/day, is worth an alert.
    bars : Thresholds, optional
        Says what verdicts make of the thresholds, each time that `tick` is called.
    routes : sequence of Route
    inhibitions : sequence of Inhibition
    start : callable, optional
        Starts the playbook that an alert asks for, in the same transaction.
    actors : Actors, optional
        Learns from events who is behind what; the correlations and the risk ask it.
    witness : Witness, optional
        Keeps what replays an alert's score; without it only rules can be replayed.
    """

    def __init__(
        self,
        book: RuleBook,
        correlations: Correlations,
        *,
        thresholds: Mapping[str, float] | None = None,
        bars: Thresholds | None = None,
        routes: Sequence[Route] = DEFAULT_ROUTES,
        inhibitions: Sequence[Inhibition] = (),
        start: Start | None = None,
        actors: Actors | None = None,
        witness: Witness | None = None,
    ) -> None:
        self.book = book
        self.correlations = correlations
        self.thresholds = dict(thresholds or {})
        self._bars = bars
        self.risk = RiskBook()
        self._routes = tuple(routes)
        self._inhibitions = tuple(inhibitions)
        self._start = start
        self._model = ""
        self._actors = actors
        self._witness = witness
        self._transaction: object = None
        self._mark: dict[str, str] | None = None
        self._fading = datetime.min.replace(tzinfo=UTC)

    def see(self, connection: sa.Connection, stream: str, events: pl.DataFrame) -> None:
        """Learn who is behind what from events, in the caller's transaction."""
        if self._actors is not None:
            self._enter(connection)
            self._actors.see(stream, events)
            _keep(connection, PART, self._actors.state())

    def take(
        self,
        connection: sa.Connection,
        view: FeatureView,
        windows: pl.DataFrame,
        scores: pl.DataFrame,
        explained: Sequence[Explanation],
        *,
        now: datetime,
    ) -> list[Verdict]:
        """Judge closed windows and write what follows into the caller's transaction.

        If that transaction fails, what was judged in it is forgotten with it.

        Parameters
        ----------
        windows, scores : polars.DataFrame
            Of the view, row by row, sorted by (start, entity); `pipeline.scoring.scorer.SCORES`.
        explained : sequence of Explanation
            Of the rare ones, as far as they were explained.
        now : datetime
            When this is judged, aware UTC.

        Returns
        -------
        list of Verdict
            What was worth telling, in order.
        """
        self._enter(connection)
        found: dict[Key, list[Breach]] = defaultdict(list)
        moved = changes(view, scores)
        direct = [*self.book.breaches(view.name, windows), *moved]
        certain = [breach for breach in direct if not breach.pending]
        newest: datetime = windows["end"].to_list()[-1] if len(windows) else now
        joined = self.correlations.breaches(certain, at=newest)
        for breach in (*direct, *joined):
            found[breach.view, breach.entity, breach.end].append(breach)
        rare = rarities(
            view,
            scores,
            explained,
            threshold=self.thresholds.get(view.name, ALERTS_PER_DAY),
        )
        scored = {*rare, *((one.view, one.entity, one.end) for one in moved)}
        rows = evidence(
            view, windows, scores, {*found, *rare}, scored, self._witness, model=self._model
        )
        verdicts = []
        for key in sorted({*found, *rare}, key=lambda key: (key[2], key[1], key[0])):
            verdicts += self._judge(key, found.get(key, []), *rare.get(key, (None, None)))
        ledger = self._ledger(connection, now)
        ledger.apply(verdicts, rows)
        ledger.clear(view, windows, self._holds)
        ledger.write()
        self._remember(connection, newest)
        return verdicts

    def judged_by(self, scorer: Judge | None, model: str) -> None:
        """Be told which model scored the next windows, and what gives its file as it was then."""
        self._model = model
        if self._witness is not None:
            self._witness.judged_by(scorer)

    def cases(
        self, connection: sa.Connection, held: Held, *, now: datetime
    ) -> dict[str, list[Case]]:
        """What scorers must hold back, let go or learn; see `serving.alerts.cases`."""
        return cases(connection, held, now=now)

    def tick(self, connection: sa.Connection, *, now: datetime) -> None:
        """What time alone does; safe to call at any time, by any process."""
        ledger = self._ledger(connection, now)
        ledger.end_silent()
        ledger.reconsider()
        ledger.write()
        tick(connection, self._routes, now=now)
        self.hear(connection, now=now)

    def hear(self, connection: sa.Connection, *, now: datetime) -> None:
        """Let verdicts move the thresholds of learned alerts."""
        if self._bars is not None and (levels := self._bars.hear(connection, now=now)) is not None:
            self.thresholds = levels

    def restore(self, connection: sa.Connection) -> None:
        """Go back to what the database knows."""
        parts: dict[str, dict[str, Any]] = defaultdict(dict)
        for row in connection.execute(sa.select(memory)):
            parts[row.part][row.key] = row.state
        self.book.restore(parts["rules"])
        self.correlations.restore(parts["correlations"])
        if self._actors is not None:
            self._actors.restore(parts[PART])
        restore_risk(self.risk, parts[RISK])

    def _enter(self, connection: sa.Connection) -> None:
        """Go back to what the database knows unless it knows what was done here last.

        Each transaction leaves a mark: whether a commit that failed was done, only that can tell.
        """
        transaction = connection.get_transaction() or connection.begin()
        if self._transaction is transaction:
            return
        self._transaction = transaction
        wanted = sa.select(memory.c.state).where(memory.c.part == MARK, memory.c.key == MARK)
        if self._mark is None or connection.execute(wanted).scalar() != self._mark:
            self.restore(connection)
        self._mark = {"transaction": uuid4().hex}
        _keep(connection, MARK, {MARK: self._mark})

    def _ledger(self, connection: sa.Connection, now: datetime) -> Ledger:
        return Ledger(connection, self._routes, self._inhibitions, self._start, self.group, now=now)

    def _judge(
        self, key: Key, found: list[Breach], start: datetime | None, rarity: Rarity | None
    ) -> list[Verdict]:
        view, entity, end = key
        if inputs := self._inputs(view, end, found, rarity):
            self.risk.add(entity, inputs)
            if self._actors is not None:
                link_actor(self.risk, entity, self._actors)
        risk = self.risk.risk(entity, end)
        own = {*(f"rule:{breach.family}" for breach in found), *([view] if rarity else [])}
        others = (in_words(part) for part in risk.contributions if part.source not in own)
        return judge(
            view,
            entity,
            start or found[0].start,
            end,
            breaches=found,
            rarity=rarity,
            risk=RiskNow(risk.value, next(others, "")),
        )

    def _inputs(
        self, view: str, end: datetime, found: Sequence[Breach], rarity: Rarity | None
    ) -> list[RiskInput]:
        inputs = [
            RiskInput(POINTS[breach.severity], end, f"rule:{breach.family}", breach.summary)
            for breach in found
            if not breach.pending and breach.broken
        ]
        if rarity is not None and (points := severity(rarity.per_day)):
            note = rarity.reasons[0]["words"] if rarity.reasons else "a rare window"
            inputs.append(RiskInput(points, end, view, note))
        return inputs

    def _holds(self, family: str, entity: str, at: datetime) -> bool:
        return self.book.holds(family, entity) or self.correlations.holds(family, entity, at=at)

    @staticmethod
    def group(verdict: Verdict) -> str:
        """What alerts must share to be one incident."""
        if named := verdict.labels.get("group"):
            return named.format_map(verdict.labels)
        return f"{verdict.labels.get('team', verdict.labels['stream'])}:{verdict.entity}"

    def _remember(self, connection: sa.Connection, newest: datetime) -> None:
        """Write what the rules, correlations and risk know now."""
        _keep(connection, "rules", self.book.state())
        _keep(connection, "correlations", self.correlations.state())
        # What has faded counts for nothing: it is looked for now and then, not at each step.
        if newest >= self._fading:
            forget(self.risk, newest)
            self._fading = newest + FADING
        _keep(connection, RISK, changed_risk(self.risk))


def _keep(
    connection: sa.Connection, part: str, changed: Mapping[str, dict[str, Any] | None]
) -> None:
    """Write what changed of a part; None where forgotten."""
    kept = [
        {"part": part, "key": key, "state": state}
        for key, state in changed.items()
        if state is not None
    ]
    upsert(connection, memory, kept)
    gone = [key for key, state in changed.items() if state is None]
    for chunk in (gone[i : i + 500] for i in range(0, len(gone), 500)):
        connection.execute(memory.delete().where(memory.c.part == part, memory.c.key.in_(chunk)))
