"""Coverage: every line of the seed with what answers it; what does not is shown plainly."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest
import sqlalchemy as sa

from pipeline.lake import Lake
from serving.alerts.engine import AlertEngine
from serving.alerts.routes import DEFAULT_ROUTES
from serving.coverage import answers, coverage, coverage_text, requirements
from serving.playbooks.definition import Playbook, load_library
from serving.playbooks.grade import remember
from serving.rules.book import RuleBook
from serving.rules.load import load_packs
from serving.rules.rule import Pack
from serving.store.tables import outbox
from tests.serving.alerts.alerting import HOST, NOON, PACK, Bench, NoCorrelations
from tests.serving.playbooks.running import Drive, playbook


def _named(pack: Pack, *names: str) -> Pack:
    """The pack with lines that its rungs answer."""
    given = pack.model_dump(mode="json", by_alias=True)
    for rung in given["ladders"][0]["rungs"]:
        rung["requirement"] = list(names)
        rung.pop("operator"), rung.pop("for")
    return Pack.model_validate(given)


def _book(*names: str) -> Playbook:
    return playbook(requirement=list(names))


def test_the_list_has_every_line_once_in_a_few_words() -> None:
    lines = requirements()
    assert len(lines) == 138
    assert all(0 < len(words) <= 60 for words, _ in lines.values())


def test_every_code_that_is_said_to_answer_a_line_is_there() -> None:
    promised = [
        (name, place) for name, (_, code) in requirements().items() for place in code.split()
    ]
    found = [(a.requirement, a.name) for a in answers([], {}, ()) if a.kind == "code"]
    assert found == promised


def test_the_house_names_no_line_that_the_seed_does_not_have() -> None:
    given = coverage(load_packs(), load_library(), DEFAULT_ROUTES)
    assert given["unknown"] == []
    assert given["answered"] + len(given["unanswered"]) == given["total"] == 138


def test_what_nothing_answers_is_shown_plainly() -> None:
    given = coverage([], {}, ())
    assert {"SC-1a", "AR-HN1"} <= set(given["unanswered"])
    (line,) = [line for line in given["requirements"] if line["id"] == "SC-1a"]
    assert (line["answers"], line["exercised"]) == ([], None)
    assert "execute emergency pause function: NOT ANSWERED" in coverage_text(given)
    assert json.loads(json.dumps(given)) == given


def test_a_group_of_lines_is_answered_by_who_names_the_group() -> None:
    given = coverage([_named(PACK, "HM-CPU")], {}, ())
    told = {line["id"]: line["answers"] for line in given["requirements"]}
    for name in ("warning", "critical", "collection", "retention"):
        assert "host.memory.high" in {one["name"] for one in told[f"HM-CPU-{name}"]}
    assert given["unknown"] == []


def test_a_name_that_is_no_line_is_told() -> None:
    assert coverage([_named(PACK, "SC-D9")], {}, ())["unknown"] == ["SC-D9"]


def _exercised(given: dict[str, object], name: str, answer: str) -> object:
    lines = {line["id"]: line for line in given["requirements"]}  # type: ignore[attr-defined]
    (found,) = [one for one in lines[name]["answers"] if one["name"] == answer]
    return found["exercised"]


def test_a_rule_was_put_to_use_when_it_last_fired(store: sa.Engine) -> None:
    packs = [_named(PACK, "PF-D4")]
    bench = Bench(store, lambda: AlertEngine(RuleBook(packs), NoCorrelations()))
    assert coverage(packs, {}, (), store=store)["exercised"] == 0
    for _ in range(2):
        bench.minute({"a": 88})
    given = coverage(packs, {}, (), store=store)
    assert _exercised(given, "PF-D4", "host.memory.high") == bench.now.isoformat()
    assert _exercised(given, "PF-D4", "host.memory.critical") is None


def test_a_step_was_put_to_use_when_it_was_last_done(store: sa.Engine) -> None:
    book = _book("SC-1a")
    library = {book.playbook: book}
    drive = Drive(store, book)
    assert _exercised(coverage([], library, (), store=store), "SC-1a", "test_book.pause") is None
    drive.tick()
    given = coverage([], library, (), store=store)
    assert _exercised(given, "SC-1a", "test_book.pause") == drive.now.isoformat()


def test_a_channel_was_put_to_use_when_it_last_sent(store: sa.Engine) -> None:
    bench = Bench(store, lambda: AlertEngine(RuleBook([PACK]), NoCorrelations()))
    for _ in range(2):
        bench.minute({"a": 88})
    with store.begin() as connection:
        sms = outbox.update().where(outbox.c.channel == "sms")
        connection.execute(sms.values(state="sent", sent_at=NOON))
    given = coverage([], {}, DEFAULT_ROUTES, store=store)
    assert _exercised(given, "AR-HN2", "sms") == NOON.isoformat()
    assert _exercised(given, "AR-HN1", "pagerduty") is None


def test_features_were_put_to_use_until_their_newest_window(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    rows = [
        {"entity": "a", "start": NOON + i * HOST.every, "end": NOON + (i + 1) * HOST.every}
        for i in range(3)
    ]
    lake.append(HOST.name, pl.DataFrame(rows, schema=dict(HOST.schema)))
    given = coverage([], {}, (), lake=lake)
    found = {
        one["exercised"]
        for line in given["requirements"]
        for one in line["answers"]
        if one["name"].startswith(f"{HOST.name}.")
    }
    assert found == {(NOON + timedelta(minutes=3)).isoformat()}


@pytest.mark.parametrize("count", [1, 3])
def test_people_see_two_answers_and_how_many_more(count: int) -> None:
    given = {
        "total": 1,
        "drilled": {},
        "answered": 1,
        "exercised": 0,
        "requirements": [
            {
                "id": "A-1",
                "words": "something",
                "answers": [{"kind": "rule", "name": str(i)} for i in range(count)],
                "exercised": None,
            }
        ],
    }
    text = coverage_text(given)
    assert ("and 1 more" in text) == (count == 3)
    assert "1 of 1 lines are answered, 0 were put to use" in text


def test_a_drill_is_remembered_by_playbook_and_step(engine: sa.Engine) -> None:
    step = {"step": "pause", "state": "done", "outcome": ""}
    grade = {"playbook": "test_book", "passed": True, "steps": [step]}
    with engine.begin() as connection:
        remember(connection, grade, now=NOON)
    book = _book("SC-1a")
    given = coverage([], {"test_book": book, "other": book}, (), store=engine)
    assert given["drilled"] == {
        "other": {"at": None, "passed": False},
        "test_book": {"at": NOON.isoformat(), "passed": True},
    }
    (line,) = [line for line in given["requirements"] if line["id"] == "SC-1a"]
    assert line["exercised"] == NOON.isoformat()
    assert "test_book: drilled 2026-03-01, passed\n" in coverage_text(given) + "\n"
    assert "other: never drilled" in coverage_text(given)
