"""Logs of logins: each message that counts, the missing year, and no line lost."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.access import ACCESS
from pipeline.sources.parsers import parse_auth

NOW = datetime(2026, 1, 31, tzinfo=UTC)
STAMP = "Jan  7 13:06:56 web-1 "


def one(text: str) -> dict[str, Any]:
    """The event of one message, behind the border."""
    events, refused = parse_auth(pl.Series([STAMP + text]), NOW)
    assert refused is None
    validated = ACCESS.validate(events, now=NOW)
    validated.refused.raise_first()
    return validated.events.row(0, named=True)


LOGIN = {"kind": "login", "ip": "1.2.3.4"}
SUDO = "sudo:   ann : TTY=pts/0 ; PWD=/home/ann ; USER=root ; COMMAND=/usr/bin/apt-get update"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "sshd[9]: Accepted publickey for ann from 1.2.3.4 port 5 ssh2: RSA SHA256:Kl8",
            {"account": "ann", "outcome": "success", "method": "publickey"}
            | {"device": "RSA SHA256:Kl8", "session": "web-1:9"}
            | LOGIN,
        ),
        (
            "sshd[9]: Failed password for ann from 1.2.3.4 port 5 ssh2",
            {"account": "ann", "outcome": "failure", "device": None, **LOGIN},
        ),
        (
            "sshd[9]: Failed password for invalid user  from 1.2.3.4 port 5 ssh2",
            {"account": None, "outcome": "failure", **LOGIN},
        ),
        (
            # The name is the client's: it may look like the end of the message.
            "sshd[9]: Failed password for a from 9.9.9.9 port 1 ssh2 from 1.2.3.4 port 5 ssh2",
            {"account": "a from 9.9.9.9 port 1 ssh2", "outcome": "failure", **LOGIN},
        ),
        (
            "sshd[9]: message repeated 2 times: [ Failed none for ann from 1.2.3.4 port 5 ssh2]",
            {"account": "ann", "outcome": "failure", "device": None, **LOGIN},
        ),
        (
            "sshd[9]: Invalid user pi from 1.2.3.4",
            {"account": "pi", "outcome": "failure", **LOGIN},
        ),
        (
            "sshd[9]: pam_unix(sshd:session): session opened for user ann by (uid=0)",
            {"kind": "session", "account": "ann", "outcome": None, "ip": None},
        ),
        (
            "CRON[9]: pam_unix(cron:session): session closed for user root",
            {"kind": "logout", "account": "root"},
        ),
        (
            SUDO,
            {"kind": "sudo", "account": "ann", "outcome": "success", "session": None}
            | {"path": "/usr/bin/apt-get update", "endpoint": "/usr/bin/apt-get"},
        ),
        (
            SUDO.replace("TTY", "user NOT in sudoers ; TTY"),
            {"kind": "sudo", "account": "ann", "outcome": "failure"},
        ),
        (
            "su[9]: FAILED su for root by ann",
            {"kind": "sudo", "account": "ann", "outcome": "failure"},
        ),
        (
            "sshd[9]: Connection closed by 1.2.3.4 port 5 [preauth]",
            {"kind": "other", "outcome": None, "account": None},
        ),
        (
            "sshd[9]: Did not receive identification string from 1.2.3.4",
            {"kind": "other", "ip": "1.2.3.4"},
        ),
        (
            "systemd-logind[1]: New session 1 of user ann.",
            {"kind": "other", "account": None},
        ),
    ],
)
def test_messages_are_read(text: str, told: dict[str, Any]) -> None:
    event = one(text)
    assert event["ts"] == datetime(2026, 1, 7, 13, 6, 56, tzinfo=UTC)
    assert {name: event[name] for name in told} == told


@pytest.mark.parametrize(
    ("stamp", "now", "year"),
    [
        ("Jan 31 00:00:00", datetime(2026, 1, 31, tzinfo=UTC), 2026),
        ("Feb  1 00:00:00", datetime(2026, 1, 31, tzinfo=UTC), 2026),
        ("Feb  1 00:00:01", datetime(2026, 1, 31, tzinfo=UTC), 2025),
        ("Dec 31 23:59:59", datetime(2026, 1, 1, tzinfo=UTC), 2025),
        ("Jan  1 00:00:01", datetime(2025, 12, 31, 23, tzinfo=UTC), 2026),
        ("Feb 29 12:00:00", datetime(2026, 1, 31, tzinfo=UTC), 2024),
        ("Feb 29 12:00:00", datetime(2024, 3, 1, tzinfo=UTC), 2024),
        ("Feb 29 12:00:00", datetime(2024, 2, 1, tzinfo=UTC), 2020),
    ],
)
def test_a_time_without_a_year_is_the_latest_that_can_be(
    stamp: str, now: datetime, year: int
) -> None:
    events, _ = parse_auth(pl.Series([f"{stamp} h sshd[1]: x"]), now)
    assert events["ts"][0].year == year
    assert events["ts"][0].strftime("%b %d %H:%M:%S") == stamp.replace("  ", " 0")


@given(st.datetimes(datetime(2001, 1, 1), datetime(2090, 1, 1)), st.integers(0, 363 * 86_400))
@settings(max_examples=100, deadline=None)
def test_a_line_of_the_last_year_gets_its_own_time_back(now: datetime, age: int) -> None:
    aware = now.replace(tzinfo=UTC, microsecond=0)
    at = aware - timedelta(seconds=age)
    events, _ = parse_auth(pl.Series([f"{at:%b} {at.day:2d} {at:%H:%M:%S} h sshd[1]: x"]), aware)
    assert events["ts"][0] == at


def test_times_of_rfc_3339_and_of_a_zone_are_read() -> None:
    lines = pl.Series(["2024-05-01T12:00:00.5+02:00 h sshd[1]: x", f"{STAMP}sshd[1]: x"])
    events, _ = partial(parse_auth, zone="Europe/Ljubljana")(lines, NOW)
    assert events["ts"].to_list() == [
        datetime(2024, 5, 1, 10, 0, 0, 500_000, tzinfo=UTC),
        datetime(2026, 1, 7, 12, 6, 56, tzinfo=UTC),
    ]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("", "not a line of syslog"),
        ("sshd[9]: Accepted password for ann from 1.2.3.4 port 5", "not a line of syslog"),
        ("Jan 32 13:06:56 h sshd[9]: x", "no time"),
        ("2024-13-01T00:00:00Z h sshd[9]: x", "no time"),
    ],
)
def test_what_is_no_line_is_refused_with_its_reason(line: str, reason: str) -> None:
    events, refused = parse_auth(pl.Series([f"{STAMP}sshd[1]: x", line]), NOW)
    assert refused is not None
    assert len(events) == 1
    assert refused["row"].to_list() == [line]
    assert reason in refused["reason"][0]


PIECES = st.sampled_from(
    [
        STAMP,
        "sshd[1]: ",
        "sudo: ",
        "Failed password for ",
        " from ",
        "1.2.3.4",
        " port 5",
        "ssh2",
        "Feb 29 00:00:00 h ",
        "Invalid user ",
        "TTY=",
        " ; PWD=",
        "COMMAND=",
        " : ",
        "[",
        "]",
        "\x00",
    ]
)


@given(st.lists(st.one_of(st.text(max_size=30), st.lists(PIECES).map("".join)), max_size=20))
@settings(max_examples=200, deadline=None)
def test_no_text_is_lost_and_none_crashes(lines: list[str]) -> None:
    events, refused = parse_auth(pl.Series(lines, dtype=pl.String), NOW)
    assert len(events) + (0 if refused is None else len(refused)) == len(lines)
    validated = ACCESS.validate(events, now=NOW)
    assert len(validated.events) + len(validated.refused) == len(events)
