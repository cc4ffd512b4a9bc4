"""Logins and privileged commands: what sshd, sudo and su write to ``auth.log``."""

from __future__ import annotations

import calendar
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import polars as pl

from pipeline.sources.lines import Parsed
from pipeline.sources.parsers.parsed import present, split, with_parts

__all__ = ["parse_auth"]

LINE = (
    r"^(?:<\d+>)?(?:(?P<stamp>[A-Z][a-z]{2} [ 0-9]\d \d\d:\d\d:\d\d)"
    r"|(?P<iso>\d{4}-\d\d-\d\dT\S+)) (?P<host>\S+) "
    r"(?P<program>[^\s:\[]+)(?:\[(?P<pid>\d+)\])?: ?(?P<text>.*)$"
)
# The name comes from the client: only what stands behind its last " from " is to be believed.
LOGIN = (
    r"(?P<result>Accepted|Failed) (?P<way>\S+) for (?:invalid user )?(?P<user>.*)"
    r" from (?P<from>\S+) port \d+(?: ssh2)?(?:: (?P<print>.*?))?\]?$"
)
STRANGER = r"^Invalid user (?P<stranger>.*) from (?P<stranger_from>\S+)(?: port \d+)?$"
SESSION = r"session (?P<session_is>opened|closed) for user (?P<session_user>[^\s(]+)"
SUDO = (
    r"^\s*(?P<sudoer>\S+) : (?P<refusal>.*?)(?: ; )?TTY=\S+ ; PWD=.*? ; USER=\S+ ;"
    r"(?: \S+=\S+ ;)* COMMAND=(?P<command>.*)$"
)
SU = r"(?P<su_is>Successful|FAILED) su for \S+ by (?P<su_user>\S+)"
PEER = r"(?:from|rhost=) ?([0-9a-fA-F.:]*[.:][0-9a-fA-F.:]*)"
LEAP = 2000
AHEAD = timedelta(days=1)


def parse_auth(lines: pl.Series, now: datetime, *, zone: str = "UTC") -> Parsed:
    """Logins, sessions and privileged commands from lines of syslog.

    A login that sshd accepts or refuses is a ``login``; so is a name that it does not know, beside
    the refusal of its password. A line that says nothing of them is an event of kind ``other``.
    A refused command has outcome ``failure``. Repeats ("message repeated 5 times") count once.

    Parameters
    ----------
    lines : polars.Series
        Lines with the syslog time (``Mar 27 13:06:56``) or that of RFC 3339.
    now : datetime
        Aware. The syslog time has no year: each line has the latest that is not more than a day
        ahead of this, so that a log is read over New Year.
    zone : str
        Time zone of the syslog time.

    Source: RFC 3164, RFC 5424; OpenSSH auth.c, sudo logging.c.
    """
    frame = pl.DataFrame({"line": lines}).with_columns(
        pl.col("line").str.extract_groups(LINE).alias("parts")
    )
    frame = frame.unnest("parts").with_row_index("id")
    iso = pl.col("iso").str.to_datetime("%+", time_unit="us", time_zone="UTC", strict=False)
    frame = frame.with_columns(pl.coalesce(iso, _with_year(pl.col("stamp"), now, zone)).alias("ts"))
    fault = (
        pl.when(pl.col("program").is_null())
        .then(pl.lit("not a line of syslog"))
        .when(pl.col("ts").is_null())
        .then(pl.lit("no time such as Mar 27 13:06:56"))
    )
    events, refused = split(frame, fault)
    text, program = pl.col("text"), pl.col("program")
    sshd = pl.when(program == "sshd").then(text)
    for source, pattern in (
        (sshd, LOGIN),
        (sshd, STRANGER),
        (text, SESSION),
        (pl.when(program == "sudo").then(text), SUDO),
        (pl.when(program == "su").then(text), SU),
    ):
        events = events.with_columns(source.str.extract_groups(pattern).alias("_")).unnest("_")
    return with_parts(events.select(_event(sshd))), refused


def _event(sshd: pl.Expr) -> list[pl.Expr]:
    """The columns of the stream from the parts that the patterns found."""
    result, stranger, session = pl.col("result"), pl.col("stranger"), pl.col("session_is")
    refusal, command, su = pl.col("refusal"), pl.col("command"), pl.col("su_is")
    kind = (
        pl.when(result.is_not_null() | stranger.is_not_null())
        .then(pl.lit("login"))
        .when(command.is_not_null() | su.is_not_null())
        .then(pl.lit("sudo"))
        .when(session == "opened")
        .then(pl.lit("session"))
        .when(session == "closed")
        .then(pl.lit("logout"))
        .otherwise(pl.lit("other"))
    )
    failed = (result == "Failed") | stranger.is_not_null() | (refusal != "") | (su == "FAILED")
    good = (result == "Accepted") | (refusal == "") | (su == "Successful")
    account = pl.coalesce("user", "stranger", "session_user", "sudoer", "su_user")
    peer = pl.coalesce("from", "stranger_from", sshd.str.extract(PEER))
    return [
        pl.col("id").cast(pl.Int64),
        pl.col("ts"),
        kind.alias("kind"),
        pl.when(failed).then(pl.lit("failure")).when(good).then(pl.lit("success")).alias("outcome"),
        present(peer).alias("ip"),
        present(account.str.strip_chars()).alias("account"),
        (pl.col("host") + ":" + pl.col("pid")).alias("session"),
        pl.col("print").alias("device"),
        pl.col("way").alias("method"),
        present(command).alias("path"),
        present(command.str.extract(r"^(\S+)")).alias("endpoint"),
    ]


def _with_year(stamp: pl.Expr, now: datetime, zone: str) -> pl.Expr:
    """The latest instant, at most a day ahead of ``now``, that a time without a year can be."""
    limit = (now + AHEAD).astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    # Read as of a leap year, and moved: from March on all years are alike, and so before.
    base = (pl.lit(f"{LEAP} ") + stamp.str.replace("  ", " ", literal=True)).str.to_datetime(
        "%Y %b %d %H:%M:%S", time_unit="us", strict=False
    )
    early, leap_day = base.dt.month() <= 2, (base.dt.month() == 2) & (base.dt.day() == 29)

    def moved(year: int, month: int) -> pl.Expr:
        return base + (datetime(year, month, 1) - datetime(LEAP, month, 1))

    def latest(month: int, years: list[int]) -> pl.Expr:
        return pl.coalesce(
            pl.when(moved(year, month) <= limit).then(moved(year, month)) for year in years
        )

    recent = [limit.year, limit.year - 1]
    leaps = [y for y in range(limit.year, limit.year - 9, -1) if calendar.isleap(y)][:2]
    local = (
        pl.when(leap_day).then(latest(1, leaps)).when(early).then(latest(1, recent))
    ).otherwise(latest(3, recent))
    aware = local.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null")
    return aware.dt.convert_time_zone(str(UTC))
