"""An incident as one document, Markdown or HTML: what happened, when, why, what was done.

The post-mortem at its end is a draft: figures are filled in, judgements are left to people.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from operator import itemgetter
from typing import Any

import sqlalchemy as sa

from pipeline.scoring.words import how_rare
from serving.alerts.acts import FIELDS
from serving.alerts.lifecycle import AlertError
from serving.store.tables import alert_notes, alerts, audit, incidents, outbox, run_steps, runs

__all__ = ["Block", "document_of", "to_html", "to_markdown"]

Row = Mapping[str, Any]
LATE = timedelta(minutes=5)
ACTED = ("done", "failed", "skipped")


@dataclass(frozen=True)
class Block:
    """A part of a document: a heading, a text, or a table with the names of its columns."""

    kind: str
    text: str = ""
    level: int = 2
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()


def document_of(connection: sa.Connection, incident: str) -> list[Block]:
    """All that the store knows of an incident, in the order in which one would tell it.

    Raises
    ------
    AlertError
        There is no such incident.
    """
    found = _rows(connection, incidents, incidents.c.id == incident)
    if not found:
        raise AlertError(f"no incident {incident}")
    row = found[0]
    told = sorted(_rows(connection, alerts, alerts.c.incident == incident), key=_opened)
    played = _rows(connection, runs, runs.c.incident == incident)
    steps = _rows(connection, run_steps, run_steps.c.run.in_([run["id"] for run in played]))
    steps.sort(key=lambda step: (step["run"], step["position"]))
    sent = _rows(connection, outbox, outbox.c.incident == incident)
    subjects = [incident, *(alert["id"] for alert in told), *(run["id"] for run in played)]
    acts = _rows(connection, audit, audit.c.subject.in_(subjects))
    notes = _rows(connection, alert_notes, alert_notes.c.incident == incident)
    return [
        Block("heading", f"{row['title']} ({row['severity']})", 1),
        *_summary(row, told),
        Block("heading", "Timeline"),
        _table(("time (UTC)", "who", "what"), _timeline(row, told, notes, acts, sent)),
        Block("heading", "Alerts and their evidence"),
        *(block for alert in told for block in _evidence(alert)),
        Block("heading", "Actions"),
        *_actions(played, steps),
        *_documentation(row),
        *_post_mortem(row, told, steps, sent),
    ]


def to_markdown(document: Iterable[Block]) -> str:
    """The document as Markdown; nothing that it quotes can become markup."""
    lines: list[str] = []
    for block in document:
        if block.kind == "heading":
            lines += [f"{'#' * block.level} {_plain(block.text)}", ""]
        elif block.kind == "text":
            lines += [_plain(block.text), ""]
        else:
            rule = tuple("---" for _ in block.columns)
            rows = (tuple(map(_plain, row)) for row in (block.columns, rule, *block.rows))
            lines += [f"| {' | '.join(row)} |" for row in rows]
            lines.append("")
    return "\n".join(lines)


def to_html(document: Sequence[Block]) -> str:
    """The document as one page that loads nothing and runs nothing."""
    parts: list[str] = []
    for block in document:
        if block.kind == "heading":
            parts.append(f"<h{block.level}>{html.escape(block.text)}</h{block.level}>")
        elif block.kind == "text":
            parts.append(f"<p>{html.escape(block.text)}</p>")
        else:
            head = "".join(f'<th scope="col">{html.escape(name)}</th>' for name in block.columns)
            body = "\n".join(
                f"<tr>{''.join(f'<td>{html.escape(cell)}</td>' for cell in row)}</tr>"
                for row in block.rows
            )
            parts.append(f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>")
            parts.append("</table>")
    title = html.escape(document[0].text if document else "")
    return PAGE.format(title=title, body="\n".join(parts))


PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
body {{ font: 1rem/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto;
  padding: 0 1rem; }}
table {{ border-collapse: collapse; width: 100%; }}
th, td {{ border-bottom: 1px solid #ccc; padding: .3rem .6rem; text-align: left;
  vertical-align: top; }}
td {{ overflow-wrap: anywhere; }}
</style>
</head>
<body>
{body}
</body>
</html>
"""


def _rows(connection: sa.Connection, table: sa.Table, *where: Any) -> list[Row]:
    return [dict(row) for row in connection.execute(sa.select(table).where(*where)).mappings()]


def _opened(row: Row) -> tuple[datetime, str]:
    return row["opened_at"], row["id"]


def _table(columns: tuple[str, ...], rows: Iterable[Sequence[object]]) -> Block:
    return Block(
        "table", columns=columns, rows=tuple(tuple(str(cell) for cell in row) for row in rows)
    )


def _summary(row: Row, told: Sequence[Row]) -> Iterator[Block]:
    entities = row["entities"]
    facts = {
        "incident": row["id"],
        "state": row["state"],
        "opened": _at(row["opened_at"]),
        "resolved": _at(row["resolved_at"]),
        "owner": row["owner"] or "nobody",
        "playbook": row["playbook"] or "none",
        "entities": f"{len(entities)}: {', '.join(entities[:20])}",
        "alerts": str(len(told)),
    }
    yield _table(("fact", "value"), facts.items())


def _timeline(
    row: Row,
    told: Sequence[Row],
    notes: Sequence[Row],
    acts: Sequence[Row],
    sent: Sequence[Row],
) -> list[tuple[str, str, str]]:
    names = {alert["id"]: alert["title"] for alert in told}
    events: list[tuple[datetime, str, str]] = []
    for alert in told:
        events.append((alert["start"], "tocsin", f"first window of {alert['title']}"))
    for note in sorted(notes, key=itemgetter("id")):
        if note["who"] == "tocsin":
            said = f"{names.get(note['alert'], '')} {note['what']}".strip()
            why = note["detail"].get("why")
            events.append((note["at"], "tocsin", f"{said}: {why}" if why else said))
    for entry in sorted(acts, key=itemgetter("number")):
        if entry["what"].startswith("step."):
            said = "{step} {state}: {done}".format_map(entry["detail"])
            events.append((entry["at"], entry["who"], said))
            continue
        given = [f"{name}: {value}" for name, value in entry["detail"].items() if value]
        said = f"{entry['what']} {names.get(entry['subject'], '')}".strip()
        events.append((entry["at"], entry["who"], "; ".join((said, *given))))
    for message in sent:
        if message["sent_at"] is not None:
            said = f"{message['action']} sent by {message['channel']}"
            events.append((message["sent_at"], "tocsin", said))
    if row["resolved_at"] is not None:
        events.append((row["resolved_at"], "tocsin", "the incident is resolved"))
    # What is of one moment stays in the order in which it came.
    return [(_at(at), who, said) for at, who, said in sorted(events, key=itemgetter(0))]


def _evidence(alert: Row) -> Iterator[Block]:
    yield Block("heading", f"{alert['title']} ({alert['severity']}, {alert['state']})", 3)
    yield Block("text", alert["why"])
    rows: list[tuple[str, str]] = [("alert", alert["id"]), ("entity", alert["entity"])]
    rows += [
        (f"rule {breach['rule']}", f"{breach['feature']} {breach['operator']} {breach['limit']:g} "
         f"{breach['unit']}: {breach['value']:g}, since {breach['since']}")
        for breach in alert["breaches"]
    ]  # fmt: skip
    rows += [
        (f"arm {arm}", f"{share:.0%} of the evidence")
        for arm, share in alert["arms"].items()
        if not arm.startswith("rule:")
    ]
    rows += [(f"feature {reason['feature']}", reason["words"]) for reason in alert["reasons"]]
    if alert["per_day"] is not None:
        rows.append(("how rare", f"normal life brings this {how_rare(alert['per_day'])}"))
    more = {
        "model": alert["model_version"],
        "would not be rare": alert["evidence"].get("counterfactual", ""),
        "not told because": alert["suppressed"],
        "judged": alert["verdict"] and f"{alert['verdict']} by {alert['verdict_by']}",
    }
    rows += [(name, value) for name, value in more.items() if value]
    yield _table(("evidence", "value"), rows)


def _actions(played: Sequence[Row], steps: Sequence[Row]) -> Iterator[Block]:
    if not played:
        yield Block("text", "No playbook ran.")
    for run in played:
        given = (run["parameters"].get(name) for name in run["definition"]["parameters"])
        about = ", ".join(str(value) for value in given if value)
        of = f" of {about}" if about else ""
        yield Block("heading", f"{run['playbook']}{of} ({run['mode']}, {run['state']})", 3)
        rows = []
        for step in steps:
            if step["run"] == run["id"]:
                people = ", ".join(str(one.get("who", "")) for one in step["approvals"])
                said = step["outcome"].get("done") or step["why"]
                due, ended = _at(step["due_at"]), _at(step["ended_at"])
                rows.append((step["step"], step["state"], due, ended, people, said))
        yield _table(("step", "state", "due", "ended", "people", "outcome"), rows)


def _documentation(row: Row) -> Iterator[Block]:
    yield Block("heading", "Documentation")
    fields = dict.fromkeys(FIELDS, "") | row["fields"]
    for name, text in fields.items():
        yield Block("heading", name.replace("_", " ").capitalize(), 3)
        yield Block("text", str(text) or "(to be written)")


def _post_mortem(
    row: Row, told: Sequence[Row], steps: Sequence[Row], sent: Sequence[Row]
) -> Iterator[Block]:
    yield Block("heading", "Post-mortem (draft)")
    begun = min((alert["start"] for alert in told), default=row["opened_at"])
    moments = {
        "the first alert fired": min(_times(told, "fired_at"), default=None),
        "the first message was sent": min(_times(sent, "sent_at"), default=None),
        "somebody acknowledged": min(_times(told, "acknowledged_at"), default=None),
        "the last alert was over": max(_times(told, "resolved_at"), default=None),
        "the incident was resolved": row["resolved_at"],
    }
    yield _table(
        ("from the first window until", "time"),
        [(name, str(at - begun) if at else "has not happened") for name, at in moments.items()],
    )
    late = [s["step"] for s in steps if s["ended_at"] and s["ended_at"] - s["due_at"] > LATE]
    left = [step["step"] for step in steps if step["state"] not in ACTED]
    failed = [step["step"] for step in steps if step["state"] == "failed"]
    noise = [alert["title"] for alert in told if alert["verdict"] == "noise"]
    for name, found in (
        ("Steps that were late", late),
        ("Steps that failed", failed),
        ("Steps that were not done", left),
        ("Alerts that people called noise", noise),
    ):
        yield Block("text", f"{name}: {', '.join(found) or 'none'}.")
    for question in (
        "What happened, and whom did it hurt?",
        "Why did it happen?",
        "What went well, what did not?",
        "What will be done so that it does not come again, by whom, until when?",
    ):
        yield Block("heading", question, 3)
        yield Block("text", "(to be written)")


def _times(rows: Sequence[Row], name: str) -> list[datetime]:
    return [row[name] for row in rows if row[name] is not None]


def _at(time: datetime | None) -> str:
    return f"{time:%Y-%m-%d %H:%M:%S}" if time is not None else ""


def _plain(text: str) -> str:
    """A text that Markdown shows as it is, in one line."""
    text = re.sub(r"([\\`*_\[\]|#~])", r"\\\1", " ".join(text.split()))
    return text if set(text) == {"-"} else text.replace("&", "&amp;").replace("<", "&lt;")
