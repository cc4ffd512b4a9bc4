"""An incident as a document: everything that is known, nothing that can become markup."""

from __future__ import annotations

from datetime import timedelta
from html.parser import HTMLParser

import pytest
import sqlalchemy as sa

from serving.alerts.acts import act, document
from serving.alerts.engine import AlertEngine
from serving.alerts.lifecycle import AlertError
from serving.export import Block, document_of, to_html, to_markdown
from serving.playbooks.runner import Runner
from serving.playbooks.start import start
from serving.rules.book import RuleBook
from serving.store.tables import alerts, incidents, outbox, run_steps
from tests.serving.alerts.alerting import PACK, Bench, NoCorrelations
from tests.serving.playbooks.running import Switch, playbook

HOSTILE = "<img src=x onerror=alert(1)>|[a](javascript:b)\n# *c*"


def _happened(store: sa.Engine, host: str = "db-1") -> tuple[Bench, str]:
    """An incident with an alert, an acknowledgement, a message, a run and a word on it."""
    bench = Bench(
        store,
        lambda: AlertEngine(
            RuleBook([PACK]),
            NoCorrelations(),
            start=lambda connection, incident, alert, now: (
                start(connection, playbook(), incident, alert, now=now) and None
            ),
        ),
    )
    bench.minute({host: 90})
    bench.minute({host: 90}, rare={host: 0.01})
    (alert,), (incident,) = bench.rows(alerts), bench.rows(incidents)
    with store.begin() as connection:
        act(connection, [alert["id"]], "acknowledge", who="ann", now=bench.now)
        said = {"resolution": "restarted it"}
        document(connection, incident["id"], said, who="ann", now=bench.now)
        sms = outbox.update().where(outbox.c.channel == "sms")
        connection.execute(sms.values(state="sent", sent_at=bench.now + timedelta(seconds=3)))
        paused = run_steps.update().where(run_steps.c.step == "pause")
        late = bench.now + timedelta(minutes=9)
        connection.execute(
            paused.values(state="done", ended_at=late, outcome={"done": "it is off"})
        )
    return bench, incident["id"]


def _document(store: sa.Engine, incident: str) -> list[Block]:
    with store.connect() as connection:
        return document_of(connection, incident)


def test_it_tells_what_happened_why_and_what_was_done(store: sa.Engine) -> None:
    _, incident = _happened(store)
    text = to_markdown(_document(store, incident))
    for said in (
        "# Memory: db-1 (high)",
        "db-1 uses 90 % of its memory",
        "memory\\_max &gt; 85".replace("&gt;", ">"),
        "normal life brings this once in 100 days",
        "alert.acknowledge Memory: db-1",
        "| ann |",
        "trigger sent by sms",
        "restarted it",
        "| pause | done |",
        "it is off",
        "Steps that were late: pause.",
        "Steps that were not done: look, resume.",
        "(to be written)",
    ):
        assert said in text, said


def test_times_of_the_post_mortem_are_those_of_the_incident(store: sa.Engine) -> None:
    _, incident = _happened(store)
    (table,) = [
        b for b in _document(store, incident) if b.columns[:1] == ("from the first window until",)
    ]
    assert dict(table.rows) == {
        "the first alert fired": "0:02:00",
        "the first message was sent": "0:02:03",
        "somebody acknowledged": "0:02:00",
        "the last alert was over": "has not happened",
        "the incident was resolved": "has not happened",
    }


def test_the_timeline_is_in_order(store: sa.Engine) -> None:
    _, incident = _happened(store)
    (table,) = [block for block in _document(store, incident) if "time (UTC)" in block.columns]
    times = [row[0] for row in table.rows]
    assert times == sorted(times)
    assert len(times) >= 5


def test_what_is_of_one_moment_is_told_as_it_came(store: sa.Engine) -> None:
    bench, incident = _happened(store)
    with store.begin() as connection:
        connection.execute(run_steps.update().values(due_at=bench.now, state="waiting"))
    switch = Switch()
    Runner(store, {switch.name: switch}, who="runner").tick(now=bench.now)
    document = _document(store, incident)
    (table,) = [block for block in document if "time (UTC)" in block.columns]
    said = [what for _, _, what in table.rows]
    started = next(n for n, what in enumerate(said) if what.startswith("run.started"))
    assert started < said.index("pause done: db-1 is off")
    assert "test_book of db-1 (live, running)" in [block.text for block in document]


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        assert not any(name.startswith("on") or name in ("src", "href") for name, _ in attrs)


def test_a_hostile_name_becomes_no_markup(store: sa.Engine) -> None:
    _, incident = _happened(store, HOSTILE)
    blocks = _document(store, incident)
    tags = _Tags()
    page = to_html(blocks)
    tags.feed(page)
    assert tags.seen <= {
        *("html", "head", "meta", "title", "style", "body", "h1", "h2", "h3", "p"),
        *("table", "thead", "tbody", "tr", "th", "td"),
    }
    assert "&lt;img src=x" in page
    text = to_markdown(blocks)
    assert "<img" not in text
    assert "](javascript" not in text.replace("\\]", "")
    assert not [line for line in text.splitlines() if line.startswith("# *")]
    for block in blocks:
        table = to_markdown([block]).splitlines() if block.columns else []
        cells = {line.replace("\\|", "").count("|") for line in table if line}
        assert cells <= {len(block.columns) + 1}


def test_an_incident_without_anything_is_told_too(store: sa.Engine) -> None:
    bench, incident = _happened(store)
    with bench.engine.begin() as connection:
        for table in (alerts, run_steps):
            connection.execute(table.delete())
    assert "Steps that were late: none." in to_markdown(_document(store, incident))


def test_an_incident_that_is_not_there_is_named(store: sa.Engine) -> None:
    with pytest.raises(AlertError, match="no incident gone"):
        _document(store, "gone")
