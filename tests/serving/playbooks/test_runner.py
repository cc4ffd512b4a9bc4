"""The runner: the clock, one effect a step, people where people are needed."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from serving.playbooks.people import RunError, approve, sign_off, skip, steer, take_back
from serving.playbooks.start import start
from serving.store.tables import outbox, run_steps
from tests.serving.playbooks.running import ALERT, ANN, BOB, EVE, Drive, playbook

MINUTE = timedelta(minutes=1)


def test_what_is_due_is_done_and_what_is_not_waits(engine: sa.Engine) -> None:
    drive = Drive(engine, playbook())
    drive.tick()
    assert drive.world["0xvault"] == "off"
    assert drive.states() == {"pause": "done", "look": "waiting", "resume": "waiting"}
    drive.tick(4 * MINUTE)
    assert drive.states()["look"] == "waiting"
    drive.tick(MINUTE)
    assert drive.states()["look"] == "manual"


def test_a_whole_run_ends_with_people_letting_go(engine: sa.Engine) -> None:
    drive = Drive(engine, playbook())
    drive.tick(5 * MINUTE)
    with engine.begin() as connection, pytest.raises(RunError, match="seen is empty"):
        sign_off(connection, drive.run, "look", BOB, {}, now=drive.now)
    with engine.begin() as connection:
        sign_off(connection, drive.run, "look", BOB, {"seen": "yes"}, now=drive.now)
    drive.tick()
    assert drive.states()["resume"] == "approval"
    with engine.begin() as connection:
        approve(connection, drive.run, "resume", ANN, now=drive.now)
    with engine.begin() as connection, pytest.raises(RunError, match="already"):
        approve(connection, drive.run, "resume", ANN, now=drive.now)
    drive.tick()
    assert drive.world["0xvault"] == "off"
    with engine.begin() as connection:
        approve(connection, drive.run, "resume", BOB, now=drive.now)
    drive.tick()
    assert drive.world["0xvault"] == "on"
    assert drive.state() == "done"


def test_a_learned_score_alone_contains_nothing(engine: sa.Engine) -> None:
    drive = Drive(engine, playbook(), evidence={"exact": False})
    drive.tick()
    assert drive.world == {}
    assert drive.states()["pause"] == "approval"
    assert "no rule speaks for it" in drive.step("pause")["why"]


def test_a_viewer_approves_nothing(engine: sa.Engine) -> None:
    drive = Drive(engine, playbook(), evidence={"exact": False})
    drive.tick()
    with engine.begin() as connection, pytest.raises(RunError, match="needs responder"):
        approve(connection, drive.run, "pause", EVE, now=drive.now)


def test_a_process_that_dies_after_the_effect_does_not_have_it_again(engine: sa.Engine) -> None:
    drive = Drive(engine, playbook())
    drive.off.dies = True
    with pytest.raises(KeyboardInterrupt):
        drive.tick()
    drive.off.dies = False
    other = drive.another("two")
    other.tick(now=drive.now)
    assert drive.states()["pause"] == "acting"
    other.tick(now=drive.now + 2 * MINUTE)
    assert drive.states()["pause"] == "done"
    assert len(drive.world["calls"]) == 1
    assert drive.step("pause")["outcome"]["facts"] == {"state": "off", "found": True}


def test_what_cannot_be_told_again_is_done_all_the_same(engine: sa.Engine) -> None:
    drive = Drive(engine, playbook())
    drive.off.dies = True
    with pytest.raises(KeyboardInterrupt):
        drive.tick()
    drive.off.dies, drive.off.faults = False, 1
    drive.another("two").tick(now=drive.now + 2 * MINUTE)
    assert drive.step("pause")["outcome"] == {
        "done": "it was done already",
        "facts": {"found": True},
    }


def test_what_is_looked_at_and_is_not_so_fails_at_once(engine: sa.Engine) -> None:
    drive = Drive(engine, playbook(timeout="1h"))
    drive.off.says_no = True
    drive.tick()
    assert drive.states()["pause"] == "failed"
    assert drive.step("pause")["why"] == "0xvault is not so"


def test_a_line_that_is_dead_is_tried_again_until_the_step_is_late(engine: sa.Engine) -> None:
    drive = Drive(engine, playbook(timeout="1m"))
    drive.off.faults = 2
    for _ in range(6):
        drive.tick(timedelta(seconds=10))
    assert drive.states()["pause"] == "done"


def test_what_never_works_fails_and_is_told_to_its_owner(engine: sa.Engine) -> None:
    drive = Drive(engine, playbook(timeout="1m", on_failure="stop"))
    drive.off.faults = 1_000
    for _ in range(5):
        drive.tick(MINUTE)
    assert drive.states()["pause"] == "failed"
    assert drive.state() == "paused"
    with engine.connect() as connection:
        titles = [row.payload["title"] for row in connection.execute(sa.select(outbox))]
    assert any("failed: the line is dead" in title for title in titles)


def test_a_shadow_says_what_it_would_do_and_does_nothing(engine: sa.Engine) -> None:
    drive = Drive(engine, playbook().model_copy(update={"shadow": True}))
    drive.tick()
    assert drive.world == {}
    assert drive.step("pause")["outcome"]["done"] == "would: turn 0xvault off"


def test_what_is_late_is_told_again_ever_more_seldom(engine: sa.Engine) -> None:
    drive = Drive(engine, playbook())
    drive.tick(5 * MINUTE)
    for _ in range(4):
        drive.tick(10 * MINUTE)
    with engine.connect() as connection:
        keys = [row.dedup_key for row in connection.execute(sa.select(outbox))]
    # After 10, 20 and 40 minutes, not after 30; one for each of two channels of an owner.
    assert sum("overdue" in key for key in keys) == 6


def test_a_paused_run_does_nothing_and_a_skipped_step_holds_nobody_up(engine: sa.Engine) -> None:
    drive = Drive(engine, playbook())
    with engine.begin() as connection:
        steer(connection, drive.run, "pause", BOB, now=drive.now)
    drive.tick(5 * MINUTE)
    assert drive.world == {}
    with engine.begin() as connection:
        steer(connection, drive.run, "resume", BOB, now=drive.now)
    drive.tick()
    with engine.begin() as connection:
        skip(connection, drive.run, "look", BOB, "seen before", now=drive.now)
    drive.tick()
    assert drive.states() == {"pause": "done", "look": "skipped", "resume": "approval"}


def test_a_false_pause_is_taken_back_by_people(engine: sa.Engine) -> None:
    drive = Drive(engine, playbook())
    drive.tick()
    with engine.begin() as connection:
        take_back(connection, drive.run, "pause", BOB, now=drive.now)
    with engine.begin() as connection, pytest.raises(RunError, match="already"):
        take_back(connection, drive.run, "pause", BOB, now=drive.now)
    with engine.begin() as connection:
        skip(connection, drive.run, "look", BOB, "false alarm", now=drive.now)
        skip(connection, drive.run, "resume", BOB, "false alarm", now=drive.now)
    drive.tick()
    assert drive.states()["pause_undo"] == "approval"
    with engine.begin() as connection:
        approve(connection, drive.run, "pause_undo", BOB, now=drive.now)
    drive.tick()
    assert drive.world["0xvault"] == "on"


def test_what_was_contained_is_not_contained_again_at_once(engine: sa.Engine) -> None:
    first = Drive(engine, playbook())
    first.tick()
    again = another(first, "another", "0xvault")
    first.tick(MINUTE)
    state, why = pause_of(engine, again)
    assert state == "approval"
    assert "acted on the same by itself less than" in why


def test_automatic_pauses_are_limited_to_so_many_a_day_whatever_they_are_about(
    engine: sa.Engine,
) -> None:
    first = Drive(engine, playbook())
    first.tick()
    others = [another(first, "incident1", f"0x{number}") for number in range(3)]
    first.tick(MINUTE)
    found = [pause_of(engine, run) for run in others]
    assert sorted(state for state, _ in found) == ["approval", "done", "done"]
    assert "test_book has acted by itself 3 times within a day" in {why for _, why in found}


def another(drive: Drive, incident: str, entity: str) -> str:
    """One more run of the small playbook."""
    alert = {**ALERT, "entity": entity, "labels": {}}
    with drive.engine.begin() as connection:
        return start(connection, playbook(), {"id": incident}, alert, now=drive.now)


def pause_of(engine: sa.Engine, run: str) -> tuple[str, str]:
    """How a run's pause stands, and why."""
    mine = sa.select(run_steps.c.state, run_steps.c.why).where(
        run_steps.c.run == run, run_steps.c.step == "pause"
    )
    with engine.connect() as connection:
        row = connection.execute(mine).one()
        return row.state, row.why
