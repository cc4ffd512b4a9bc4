"""One step's effect on alerts and incidents, gathered and written at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import polars as pl
import sqlalchemy as sa

from features.catalogue import VIEWS
from features.view import FeatureView
from pipeline.database import upsert
from serving.alerts.lifecycle import OPEN, Event, State, after
from serving.alerts.matchers import matches
from serving.alerts.muting import MAINTENANCE, Inhibition, active_silences, muted
from serving.alerts.record import (
    Row,
    alert_labels,
    begin_alert,
    begin_incident,
    firing,
    join,
    tell,
)
from serving.alerts.routes import Route
from serving.alerts.telling import notices
from serving.notify.notice import Notice, enqueue
from serving.rules.correlate import CORRELATION
from serving.severity import Severity
from serving.store.tables import alert_notes, alerts, changes, incidents
from serving.verdict import RARE, Verdict

__all__ = ["HUSHED", "QUIET", "REOPEN", "STALE", "Ledger", "Start"]

REOPEN = timedelta(minutes=10)
"""What fires again this soon is the same alert: it flaps."""

BACKLOG = timedelta(days=1)
"""What happened during maintenance is told to nobody when it is heard of so much later."""

QUIET = timedelta(minutes=10)
"""A rare window is over when none came for this long, as false alarms are counted."""

STALE = timedelta(days=1)
"""An alert of which nothing was heard for so long is over, whatever else is heard."""

HUSHED = timedelta(hours=1)
"""The same where silence makes no windows, such as of a network address: it went away."""
HUSHING = {view.name for view in VIEWS.values() if not view.forget_after}

Start = Callable[[sa.Connection, Mapping[str, Any], Mapping[str, Any], datetime], None]
"""Starts the playbook that an alert asks for: connection, incident, alert, now."""

Key = tuple[str, str, datetime]


class Ledger:
    """Alerts and incidents that a step touches, as rows; nothing is written before `write`."""

    def __init__(
        self,
        connection: sa.Connection,
        routes: Sequence[Route],
        inhibitions: Sequence[Inhibition],
        start: Start | None,
        group: Callable[[Verdict], str],
        *,
        now: datetime,
    ) -> None:
        self._connection = connection
        self._routes, self._inhibitions = routes, inhibitions
        self._start, self._group, self._now = start, group, now
        recent = sa.or_(alerts.c.state.in_(OPEN), alerts.c.updated_at > now - REOPEN)
        in_order = sa.select(alerts).order_by(alerts.c.opened_at, alerts.c.id)
        lock = in_order.where(recent).with_for_update()
        self._alerts: dict[str, Row] = {
            row["fingerprint"]: dict(row) for row in connection.execute(lock).mappings()
        }
        opened = sa.select(incidents).where(incidents.c.state == "open").with_for_update()
        self._incidents = {row["id"]: dict(row) for row in connection.execute(opened).mappings()}
        self._open = {row["group"]: row["id"] for row in self._incidents.values()}
        self._silenced = active_silences(connection, now, back=BACKLOG)
        self._touched: dict[str, Row] = {}
        self._joined: dict[str, Row] = {}
        self._notes: list[Row] = []
        self._notices: list[Notice] = []
        self._starts: list[tuple[Row, Row]] = []

    def apply(self, verdicts: Sequence[Verdict], evidence: Mapping[Key, Row]) -> None:
        """Open, feed and worsen alerts; what is newly fired joins an incident and is told."""
        told: list[Row] = []
        for verdict in verdicts:
            event = Event.HINT if verdict.pending else Event.FIRE
            alert = self._alert(verdict, event)
            if alert is None:
                continue
            before = alert["state"]
            seen = evidence.get((verdict.view, verdict.entity, verdict.end), {})
            worse = tell(alert, verdict, seen, self._now)
            alert["state"] = after(before, event)
            if worse and not verdict.pending and before in (State.FIRING, State.ACKNOWLEDGED):
                alert["state"] = after(before, Event.WORSE)
            self._touched[alert["id"]] = alert
            fresh = firing(alert) and (before in (None, State.PENDING, State.RESOLVED) or worse)
            if fresh:
                alert["fired_at"] = alert["fired_at"] or verdict.end
                alert["resolved_at"] = None
                self._into_incident(alert, verdict)
                grew = worse and before in (State.FIRING, State.ACKNOWLEDGED)
                self._note(alert, "got worse" if grew else "fired", {"why": alert["why"]})
                told.append(alert)
        # Only where causes mute symptoms does it matter what else fires.
        others = [row for row in self._alerts.values() if self._inhibitions and firing(row)]
        labels = [alert_labels(row) for row in others]
        for alert in told:
            self._tell(alert, labels)

    def clear(
        self,
        view: FeatureView,
        windows: pl.DataFrame,
        holds: Callable[[str, str, datetime], bool],
    ) -> None:
        """End what the newest windows no longer show.

        An entity without windows says nothing, until its view would have forgotten it.
        """
        if not len(windows) or not self._alerts:
            return
        newest = dict(windows.group_by("entity").agg(pl.col("end").max()).iter_rows())
        latest: datetime = windows["end"].max()  # type: ignore[assignment]
        forgotten = latest - max(view.forget_after, QUIET)
        for alert in list(self._alerts.values()):
            mine = alert["view"] == view.name
            end = newest.get(alert["entity"]) if mine else None
            gone = mine and end is None and alert["last_seen"] <= forgotten
            if gone or alert["view"] == CORRELATION:
                # It has no windows of its own: any window tells the time.
                end = latest
            if end is None or alert["state"] in (None, State.RESOLVED) or end < alert["last_seen"]:
                continue
            if alert["family"] == RARE:
                over = end - alert["last_seen"] >= QUIET
                why = "no window of it was rare for ten minutes"
            else:
                over = gone or not holds(alert["family"], alert["entity"], end)
                why = "no rule holds any more"
            if over:
                why = f"nothing came of {alert['entity']} while others went on" if gone else why
                self.resolve(alert, Event.CLEAR, at=end, who="tocsin", why=why)

    def end_silent(self) -> None:
        """End what nothing was heard of for too long by the clock: its entity is gone."""
        for alert in list(self._alerts.values()):
            silent = self._now - alert["last_seen"]
            # What a stream catches up with is old when it is heard of, and not over.
            recent = min(silent, self._now - alert["updated_at"]) <= HUSHED
            left = alert["view"] in HUSHING and not recent
            if alert["state"] in OPEN and (silent > STALE or left):
                why = f"nothing was heard of it for {'a day' if silent > STALE else 'an hour'}"
                self.resolve(alert, Event.CLEAR, at=self._now, who="tocsin", why=why)

    def reconsider(self) -> None:
        """Tell what fires and was muted when it began, now that a silence or snooze is over."""
        others = [alert_labels(row) for row in self._alerts.values() if firing(row)]
        for alert in self._alerts.values():
            if alert["state"] == State.FIRING and alert["suppressed"] and not alert["notified_at"]:
                before = alert["suppressed"]
                self._tell(alert, others)
                if alert["suppressed"] != before:
                    alert["updated_at"] = self._now
                    self._touched[alert["id"]] = alert
                    self._joined[alert["incident"]] = self._incidents[alert["incident"]]

    def resolve(self, alert: Row, event: Event, *, at: datetime, who: str, why: str = "") -> None:
        """End an alert, and write down who or what did and, where it is known, why."""
        alert["state"] = after(alert["state"], event)
        alert["resolved_at"], alert["updated_at"] = at, self._now
        self._touched[alert["id"]] = alert
        self._note(alert, "resolved", {"by": who} | ({"why": why} if why else {}))

    def end(self, fingerprint: str, *, at: datetime, who: str) -> None:
        """End the alert of a fingerprint, if one is open."""
        alert = self._alerts.get(fingerprint)
        if alert is not None and alert["state"] != State.RESOLVED:
            self.resolve(alert, Event.CLEAR, at=at, who=who)

    def write(self) -> None:
        """Write everything that was touched, in the caller's transaction."""
        write = self._connection
        upsert(write, incidents, list(self._joined.values()))
        upsert(write, alerts, list(self._touched.values()))
        if self._notes:
            write.execute(alert_notes.insert(), self._notes)
        enqueue(write, self._notices, now=self._now)
        shown = [("alert", row) for row in self._touched.values()]
        shown += [("incident", row) for row in self._joined.values()]
        if shown:
            write.execute(changes.insert(), [_change(kind, row, self._now) for kind, row in shown])
        for incident, alert in self._starts:
            assert self._start is not None
            self._start(write, incident, alert, self._now)

    def _alert(self, verdict: Verdict, event: Event) -> Row | None:
        """The alert that a verdict belongs to; None for a mere hint of what has just ended."""
        known = self._alerts.get(verdict.fingerprint)
        if known is not None and known["state"] == State.RESOLVED:
            ended = known["incident"] not in self._incidents
            if ended or verdict.end - known["resolved_at"] > REOPEN:
                known = None
            elif event is Event.HINT:
                return None
        if known is None:
            known = begin_alert(verdict)
            self._alerts[verdict.fingerprint] = known
        return known

    def _into_incident(self, alert: Row, verdict: Verdict) -> None:
        incident = self._incidents.get(alert["incident"] or "")
        if incident is None:
            group = self._group(verdict)
            incident = self._incidents.get(self._open.get(group, ""))
            if incident is None:
                incident = begin_incident(group, alert, verdict.end, self._now)
                self._incidents[incident["id"]] = incident
                self._open[group] = incident["id"]
        join(incident, alert, self._now)
        self._joined[incident["id"]] = incident

    def _begin_playbook(self, incident: Row, alert: Row) -> None:
        if self._start is not None and alert["playbook"]:
            incident["playbook"] = incident["playbook"] or alert["playbook"]
            self._starts.append((incident, alert))

    def _tell(self, alert: Row, others: Sequence[Row]) -> None:
        """Put the messages of a fired alert into the outbox, or write down why there are none.

        Its playbook begins, told or not, but for maintenance: then it waits until that is over.
        """
        incident = self._incidents[alert["incident"]]
        labels = alert_labels(alert)
        silenced = [one for one in self._silenced if one.covers(alert["last_seen"], self._now)]
        announced = [one for one in silenced if one.kind == MAINTENANCE]
        held = any(matches(one.matchers, labels) for one in announced)
        if not held:
            self._begin_playbook(incident, alert)
        reason = muted(
            labels,
            silenced=silenced,
            inhibitions=self._inhibitions,
            firing=others,
        )
        if held and alert["playbook"]:
            reason += f"; the playbook {alert['playbook']} waits"
        if not reason and (until := alert["snoozed_until"]) and until > self._now:
            reason = f"snoozed until {until:%Y-%m-%d %H:%M UTC}"
        if not reason and incident["told"]:
            grade = Severity(incident["told"])
            if Severity(alert["severity"]) <= grade:
                reason = f"incident {incident['id']} was already told as {grade}"
        if reason:
            if reason != alert["suppressed"]:
                alert["suppressed"] = reason
                self._note(alert, "not told", {"why": reason})
            return
        alert["suppressed"] = ""
        found = notices(self._routes, incident, alert, now=self._now)
        if not found:
            alert["suppressed"] = "no route takes it"
            return
        incident["told"], alert["notified_at"] = alert["severity"], self._now
        self._notices += found

    def _note(self, alert: Row, what: str, detail: Row) -> None:
        self._notes.append(
            {
                "alert": alert["id"],
                "incident": alert["incident"],
                "at": self._now,
                "who": "tocsin",
                "what": what,
                "detail": detail,
            }
        )


def _change(kind: str, row: Row, now: datetime) -> Row:
    names = ("id", "state", "severity", "title", "entity", "incident", "why", "family", "view")
    fields = {name: row[name] for name in names if name in row}
    return {"at": now, "kind": kind, "subject": row["id"], "fields": fields}
