"""A scrape becomes samples by a map of fields; what is not told is no sample, never 0."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import httpx
import pytest

from features.catalogue import STREAMS
from pipeline.sources.prometheus import Metric, PrometheusFeed, rows_from
from pipeline.sources.source import SourceError
from pipeline.sources.spool import Spool, SpoolSource
from tests.streams import AFTER

TEXT = """
# HELP node_filesystem_used Share.
# TYPE node_filesystem_used gauge
node_filesystem_used{mountpoint="/",device="a"} 0.5
node_filesystem_used{mountpoint="/data",device="b"} 0.25
# TYPE pool_connections gauge
pool_connections{database="orders",state="active"} 3
pool_connections{database="orders",state="idle"} 4
pool_connections{database="users",state="active"} 9
# TYPE latency_seconds summary
latency_seconds{quantile="0.95"} 0.12
latency_seconds_sum 10
latency_seconds_count 100
unknown_yet NaN
"""


def test_a_field_is_the_sum_of_its_samples() -> None:
    fields = {
        "pool_used": Metric.of('pool_connections{database="orders"}'),
        "query_p95": Metric.of('latency_seconds{quantile="0.95"}', 1000.0),
        "lock_waits": Metric.of("unknown_yet"),
        "pool_size": Metric.of("not_there"),
    }
    rows = list(rows_from(TEXT, fields, by={}, same={"database": "orders"}))
    assert rows == [{"database": "orders", "pool_used": 7.0, "query_p95": 120.0}]


def test_a_label_makes_a_row_for_each_of_its_values() -> None:
    fields = {"used": Metric.of("node_filesystem_used", 100.0)}
    rows = list(rows_from(TEXT, fields, by={"mount": "mountpoint"}, same={"host": "h"}))
    assert rows == [
        {"host": "h", "mount": "/", "used": 50.0},
        {"host": "h", "mount": "/data", "used": 25.0},
    ]


@pytest.mark.parametrize("selector", ["", "a b", "a{b=c}", 'a{b="c"', "{}", 'a{b="c"}x'])
def test_what_is_no_selector_is_refused(selector: str) -> None:
    with pytest.raises(ValueError, match="expected name"):
        Metric.of(selector)


def feed(spool: Spool, answers: list[httpx.Response | Exception]) -> PrometheusFeed:
    def answer(request: httpx.Request) -> httpx.Response:
        found = answers.pop(0)
        if isinstance(found, Exception):
            raise found
        return found

    return PrometheusFeed(
        "db",
        STREAMS["database"],
        "http://user:secret@exporter/secret?key=secret",
        spool,
        every=timedelta(seconds=30),
        fields={"pool_used": Metric.of("pool_connections")},
        by={"database": "database"},
        same={},
        client=httpx.Client(transport=httpx.MockTransport(answer)),
    )


def test_a_scrape_in_each_interval_becomes_valid_events(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    scraper = feed(spool, [httpx.Response(200, text=TEXT), httpx.Response(200, text=TEXT)])
    for seconds in (0, 10, 29, 31):
        scraper.poll(AFTER + timedelta(seconds=seconds))
    batch = SpoolSource("db", STREAMS["database"], spool).read(None)
    assert batch is not None
    valid = STREAMS["database"].validate(batch.events, now=AFTER)
    assert valid.refused.counts == {}
    at = [AFTER, AFTER, AFTER + timedelta(seconds=31), AFTER + timedelta(seconds=31)]
    assert valid.events.select("ts", "database", "pool_used").rows() == [
        (time, name, used)
        for time, (name, used) in zip(at, [("orders", 7.0), ("users", 9.0)] * 2, strict=True)
    ]
    scraper.close()


@pytest.mark.parametrize(
    "answer",
    [
        httpx.ConnectError("refused"),
        httpx.Response(500),
        httpx.Response(200, text='broken{a="'),
        httpx.Response(200, text="other 1\n"),
    ],
)
def test_a_failed_scrape_is_told_and_leaves_no_sample(
    tmp_path: Path, answer: httpx.Response | Exception
) -> None:
    spool = Spool(tmp_path)
    scraper = feed(spool, [answer, httpx.Response(200, text=TEXT)])
    with pytest.raises(SourceError, match=r"^http://exporter: ") as failed:
        scraper.poll(AFTER)
    assert "secret" not in str(failed.value)
    assert spool.size == 0
    later: datetime = AFTER + timedelta(seconds=30)
    scraper.poll(later)
    assert spool.size > 0
    scraper.close()
