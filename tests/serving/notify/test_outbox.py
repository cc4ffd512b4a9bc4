"""The outbox: what is due is sent, by one of many; what failed waits; what is needless is not."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from threading import Event

import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from serving.notify.channel import Delivery
from serving.notify.notice import Notice
from serving.notify.outbox import LEASE, MOST_ATTEMPTS, MOST_OF_ONE, Outbox, Sent, backoff
from tests.serving.alerts.alerting import Bench
from tests.serving.notify.listening import HIGH, SECOND, SENT, Listed, fire, on, put, rows, words
from tests.serving.notify.telling import NOON, notice


def test_a_message_is_sent_once_when_it_is_due_and_not_before(store: sa.Engine) -> None:
    chat = Listed("chat")
    one = Outbox(store, [chat], who="one")
    put(store, words(1, due_at=NOON + SECOND))
    assert one.tick(now=NOON) == Sent()
    assert one.tick(now=NOON + SECOND) == Sent(sent=1)
    assert one.tick(now=NOON + SECOND) == Sent()
    assert [got.dedup_key for got in chat.got] == ["n1"]
    (row,) = rows(store).values()
    assert (row["state"], row["sent_at"], row["attempts"]) == ("sent", NOON + SECOND, 1)


def test_two_processes_at_once_send_each_message_once(store: sa.Engine) -> None:
    put(store, *(words(i) for i in range(40)))
    chat = Listed("chat")

    def work(who: str) -> None:
        box = Outbox(store, [chat], who=who)
        while box.tick(now=NOON):
            pass

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(work, ("one", "two", "three")))
    # Who looked while another held the last rows may have left them: a claim is not lost.
    work("four")
    assert sorted(got.dedup_key for got in chat.got) == sorted(rows(store))
    assert {row["state"] for row in rows(store).values()} == {"sent"}


def test_what_fails_waits_at_least_as_long_as_was_asked_and_is_sent_then(
    store: sa.Engine,
) -> None:
    answers = [Delivery("retry", "busy", 100.0), SENT]
    chat = Listed("chat", lambda notice: answers.pop(0))
    box = Outbox(store, [chat], who="one")
    put(store, words(1))
    assert box.tick(now=NOON) == Sent(retried=1)
    assert rows(store)["n1"]["error"] == "busy"
    assert box.tick(now=NOON + 99 * SECOND) == Sent()
    assert box.tick(now=NOON + 100 * SECOND) == Sent(sent=1)


@given(st.text(max_size=40), st.integers(1, 40), st.none() | st.floats(0, 3_600))
def test_waits_double_up_to_five_minutes_with_a_jitter_that_is_always_the_same(
    key: str, attempt: int, asked: float | None
) -> None:
    wait = backoff(key, attempt, asked).total_seconds()
    longest = min(2.0 * 2.0**attempt, 300.0)
    assert max(longest / 2, asked or 0.0) - 1e-6 <= wait <= max(longest, asked or 0.0) + 1e-6
    assert backoff(key, attempt, asked).total_seconds() == wait


def test_what_is_refused_is_dead_and_the_fallback_is_told_why(bench: Bench) -> None:
    refusing = [Listed(name, lambda notice: Delivery("refused", "401")) for name in HIGH]
    pages = Listed("dashboard")
    box = on(bench, *refusing, pages, fallback=["dashboard"])
    fire(bench)
    assert box.tick(now=bench.now) == Sent(dead=3)
    assert box.tick(now=bench.now) == Sent(sent=3)
    told = {got.detail["instead_of"] for got in pages.got}
    assert told == {"pagerduty: 401", "sms: 401", "chat: 401"}


def test_a_channel_that_is_not_configured_is_dead_and_told_so(bench: Bench) -> None:
    pages = Listed("dashboard")
    box = on(bench, pages, fallback=["dashboard"])
    fire(bench)
    box.tick(now=bench.now)
    box.tick(now=bench.now)
    assert len(pages.got) == 3
    assert pages.got[0].detail["instead_of"].endswith("no such channel is configured")


def test_a_channel_that_is_down_is_tried_on_while_the_fallback_is_told_once(bench: Bench) -> None:
    down = Listed("pagerduty", lambda notice: Delivery("retry", "timeout"))
    pages = Listed("dashboard")
    others = [Listed(name) for name in HIGH[1:]]
    box = on(bench, down, pages, *others, fallback=["dashboard"])
    fire(bench)
    now, told_at = bench.now, None
    while any(r["state"] == "pending" for r in rows(bench.engine).values()):
        box.tick(now=now)
        if pages.got and told_at is None:
            told_at = now - bench.now
        now += 20 * SECOND
    assert len(down.got) == MOST_ATTEMPTS
    assert len(pages.got) == 1
    assert told_at is not None
    assert told_at <= timedelta(minutes=2)
    assert timedelta(minutes=45) < now - bench.now < timedelta(hours=2)


def test_a_claim_that_runs_out_is_sent_again_under_the_same_key(store: sa.Engine) -> None:
    put(store, words(1))
    died = Outbox(store, [Listed("chat")], who="died")
    assert len(died._claim(NOON)[0]) == 1
    chat = Listed("chat")
    box = Outbox(store, [chat], who="one")
    assert box.tick(now=NOON + LEASE - SECOND) == Sent()
    assert box.tick(now=NOON + LEASE) == Sent(sent=1)
    assert [got.dedup_key for got in chat.got] == ["n1"]


def test_who_lost_the_claim_writes_nothing(store: sa.Engine) -> None:
    put(store, words(1))
    slow = Outbox(store, [Listed("chat")], who="slow", fallback=["dashboard"])
    (row,), _ = slow._claim(NOON)
    Outbox(store, [Listed("chat")], who="quick").tick(now=NOON + LEASE)
    slow._settle(row, Delivery("refused", "no"), Sent(), NOON + LEASE)
    (kept,) = rows(store).values()
    assert (kept["state"], kept["error"]) == ("sent", "")


def test_a_channel_that_hangs_leaves_room_for_the_others(store: sa.Engine) -> None:
    many = [words(i, channel="slow") for i in range(100)]
    put(store, *many)
    put(store, words(1_000, due_at=NOON + SECOND))
    box = Outbox(store, [Listed("slow"), Listed("chat")], who="one")
    claimed, _ = box._claim(NOON + SECOND)
    found = [row["channel"] for row in claimed]
    assert found.count("chat") == 1
    assert found.count("slow") == MOST_OF_ONE


def test_a_channel_with_a_fault_stops_nobody(store: sa.Engine) -> None:
    def broken(notice: Notice) -> Delivery:
        raise ZeroDivisionError("secret")

    chat = Listed("chat")
    box = Outbox(store, [Listed("broken", broken), chat], who="one")
    put(store, words(1, channel="broken"), words(2))
    assert box.tick(now=NOON) == Sent(sent=1, retried=1)
    assert rows(store)["n1"]["error"] == "ZeroDivisionError in the channel"


def test_a_message_that_a_channel_does_not_have_is_needless(store: sa.Engine) -> None:
    page = Listed("status_page", actions=frozenset({"trigger"}))
    put(store, notice("acknowledge", dedup_key="k", channel="status_page"))
    put(store, notice("resolve", dedup_key="l", channel="gone"))
    assert Outbox(store, [page], who="one").tick(now=NOON) == Sent(cancelled=2)
    assert not page.got


def test_it_runs_until_told_to_stop_whatever_the_database_does(store: sa.Engine) -> None:
    stop, said = Event(), []
    times = iter([NOON, NOON])

    def clock() -> datetime:
        if (now := next(times, None)) is not None:
            return now
        raise sa.exc.OperationalError("select", {}, Exception("away"))

    def hear(line: str) -> None:
        said.append(line)
        stop.set()

    chat = Listed("chat")
    put(store, replace(words(1), due_at=NOON))
    Outbox(store, [chat], who="one").run(stop, clock, every=0.001, report=hear)
    assert len(chat.got) == 1
    assert said == ["outbox: OperationalError"]
