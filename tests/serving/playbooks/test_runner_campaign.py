"""A campaign against forty accounts: each is contained, and people hear of it once."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa

from serving.notify.notice import TOLD_ALREADY
from serving.notify.outbox import Outbox
from serving.playbooks.actions.catalogue import ACTIONS
from serving.playbooks.definition import Limits, Playbook
from serving.playbooks.people import RunError, approve, approve_all
from serving.playbooks.runner import Runner
from serving.playbooks.start import start
from serving.store.tables import outbox, run_steps
from tests.serving.notify.telling import channel
from tests.serving.playbooks.running import ALERT, ANN, BOB, INCIDENT, NOON, Switch

MANY = 40
MINUTE = timedelta(minutes=1)


def book() -> Playbook:
    """Freeze at once, tell the desk, tell the customer; ask a person for what is left."""
    words = {"subject": "{entity}", "text": "Somebody else got in."}
    steps = [
        {"id": "freeze", "title": "Freeze", "kind": "automatic", "action": "switch.off",
         "with": {"what": "{account}"}},
        {"id": "desk", "title": "Desk", "kind": "automatic", "action": "tell.audience",
         "with": {"audience": "security", **words}},
        {"id": "customer", "title": "Customer", "kind": "automatic", "action": "tell.audience",
         "with": {"audience": "users", **words}},
        {"id": "regulator", "title": "Regulator", "kind": "approval", "action": "tell.audience",
         "with": {"audience": "regulator", **words}},
    ]  # fmt: skip
    return Playbook.model_validate(
        {
            "playbook": "campaign",
            "title": "Campaign",
            "about": "many accounts at once",
            "severity": "high",
            "parameters": {"account": "{entity}"},
            "limits": Limits(automatic_a_day=MANY),
            "phases": [{"title": "Now", "at": "T+0", "steps": steps}],
        }
    )


class Campaign:
    """Runs of one incident, one for each account."""

    def __init__(self, engine: sa.Engine) -> None:
        self.engine, self.freeze, self.book = engine, Switch(), book()
        self.runs: list[str] = []

    def strike(self, first: int, last: int, now: datetime) -> None:
        """Accounts ``first`` to ``last`` are attacked, and what is due is done."""
        with self.engine.begin() as connection:
            for number in range(first, last):
                alert = {**ALERT, "entity": f"user{number}"}
                self.runs.append(start(connection, self.book, INCIDENT, alert, now=now))
        self.tick(now)

    def tick(self, now: datetime) -> None:
        Runner(self.engine, {**ACTIONS, "switch.off": self.freeze}, who="one").tick(now=now)

    def said(self) -> Counter[tuple[str, str]]:
        """How many messages of each step leave for chat, and how many are kept back."""
        with self.engine.connect() as connection:
            found = connection.execute(sa.select(outbox).where(outbox.c.channel == "chat")).all()
        kept = {row.error for row in found if row.state == "cancelled"}
        assert kept <= {TOLD_ALREADY}
        return Counter((row.payload["detail"]["step"], row.state) for row in found)

    def states(self, step: str) -> Counter[str]:
        with self.engine.connect() as connection:
            mine = sa.select(run_steps.c.state).where(run_steps.c.step == step)
            return Counter(connection.execute(mine).scalars())


def test_each_account_is_contained_and_staff_hears_of_it_once(engine: sa.Engine) -> None:
    campaign = Campaign(engine)
    campaign.strike(0, MANY, NOON)
    assert campaign.states("freeze") == {"done": MANY}
    assert len(campaign.freeze.world["calls"]) == MANY
    assert campaign.said() == {
        ("desk", "pending"): 1, ("desk", "cancelled"): MANY - 1,
        ("customer", "pending"): MANY,
        ("regulator", "pending"): 1, ("regulator", "cancelled"): MANY - 1,
    }  # fmt: skip


def test_one_who_comes_later_is_told_with_how_many_wait(engine: sa.Engine) -> None:
    campaign = Campaign(engine)
    campaign.strike(0, 3, NOON)
    campaign.strike(3, 4, NOON + 14 * MINUTE)
    assert campaign.said()["desk", "pending"] == 1
    campaign.strike(4, 5, NOON + 15 * MINUTE)
    assert campaign.said()["desk", "pending"] == 2
    with engine.connect() as connection:
        titles = [row.payload["title"] for row in connection.execute(sa.select(outbox))]
    assert any(title.endswith("(and in 4 more runs of this incident)") for title in titles)


def test_where_a_channel_is_not_there_the_fallback_hears_of_it_once(engine: sa.Engine) -> None:
    campaign = Campaign(engine)
    box = Outbox(engine, [channel("dashboard", engine)], who="box", fallback=["dashboard"])
    for number in range(3):
        now = NOON + number * MINUTE
        campaign.strike(number, number + 1, now)
        for _ in range(9):  # a few messages of a channel at a time
            box.tick(now=now)
    with engine.connect() as connection:
        found = connection.execute(sa.select(outbox).where(outbox.c.channel == "dashboard")).all()
    sent = Counter(row.payload["detail"]["step"] for row in found if row.state == "sent")
    assert sent == {"desk": 1, "regulator": 1, "customer": 3}


def test_what_is_late_in_many_runs_is_told_as_often_as_in_one(engine: sa.Engine) -> None:
    campaign = Campaign(engine)
    campaign.strike(0, 3, NOON)
    before = campaign.said()["regulator", "pending"]
    for _ in range(2):
        campaign.tick(NOON + 6 * MINUTE)
    assert campaign.said()["regulator", "pending"] == before + 1
    campaign.tick(NOON + 22 * MINUTE)  # the same lateness is not told of the others later
    assert campaign.said()["regulator", "pending"] == before + 2


def test_one_word_approves_a_step_of_all_runs_and_what_people_approved_is_sent_for_each(
    engine: sa.Engine,
) -> None:
    campaign = Campaign(engine)
    campaign.strike(0, 5, NOON)
    with engine.begin() as connection:
        approve(connection, campaign.runs[1], "regulator", ANN, now=NOON)
        rows = approve_all(connection, campaign.runs[0], "regulator", BOB, now=NOON)
    assert {row["run"] for row in rows} == {*campaign.runs} - {campaign.runs[1]}
    assert campaign.states("regulator") == {"approved": 5}
    with engine.begin() as connection, pytest.raises(RunError, match="is approved; expected"):
        approve_all(connection, campaign.runs[0], "regulator", BOB, now=NOON)
    before = campaign.said()["regulator", "pending"]
    campaign.tick(NOON + MINUTE)
    assert campaign.states("regulator") == {"done": 5}
    assert campaign.said()["regulator", "pending"] == before + 5


def test_who_approves_all_counts_once_where_two_must(engine: sa.Engine) -> None:
    campaign = Campaign(engine)
    document = campaign.book.model_dump(mode="json", by_alias=True)
    document["phases"][0]["steps"][-1]["people"] = 2
    campaign.book = Playbook.model_validate(document)
    campaign.strike(0, 3, NOON)
    for person in (ANN, BOB):
        assert campaign.states("regulator") == {"approval": 3}
        with engine.begin() as connection:
            assert (
                len(approve_all(connection, campaign.runs[0], "regulator", person, now=NOON)) == 3
            )
        if person is ANN:
            with engine.begin() as connection, pytest.raises(RunError, match="somebody else"):
                approve_all(connection, campaign.runs[0], "regulator", ANN, now=NOON)
    assert campaign.states("regulator") == {"approved": 3}
