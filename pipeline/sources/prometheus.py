"""Scrapes of a Prometheus text endpoint, so that any exporter is a source of system samples."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import httpx
import orjson
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from features.stream import Stream
from pipeline.sources.source import SourceError
from pipeline.sources.spool import Spool

__all__ = ["Metric", "PrometheusFeed", "rows_from"]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
TIMEOUT = 5.0
LONGEST = 64 * 2**20

_SELECTOR = re.compile(r"([a-zA-Z_:][\w:]*)(?:\{(.*)\})?")
_LABEL = re.compile(r'\s*([a-zA-Z_]\w*)\s*=\s*"([^"]*)"\s*(?:,|$)')


@dataclass(frozen=True)
class Metric:
    """Which samples make a field: those of a name with these labels, added up.

    >>> Metric.of('pool_size{database="orders"}')
    Metric(name='pool_size', labels={'database': 'orders'}, times=1.0)
    """

    name: str
    labels: dict[str, str] = field(default_factory=dict)
    times: float = 1.0

    @classmethod
    def of(cls, selector: str, times: float = 1.0) -> Metric:
        """Read ``name{label="value",...}``.

        Raises
        ------
        ValueError
            It is none.
        """
        found = _SELECTOR.fullmatch(selector.strip())
        labels = (found and found[2]) or ""
        pairs = _LABEL.findall(labels)
        if found is None or _LABEL.sub("", labels).strip():
            raise ValueError(f'{selector!r}: expected name or name{{label="value"}}')
        return cls(found[1], dict(pairs), times)

    def takes(self, sample: Sample) -> bool:
        """Whether a sample is one of those."""
        return sample.name == self.name and self.labels.items() <= sample.labels.items()


def rows_from(
    text: str, fields: Mapping[str, Metric], *, by: Mapping[str, str], same: Mapping[str, str]
) -> Iterator[dict[str, str | float]]:
    """The rows of one scrape.

    Parameters
    ----------
    text : str
        In the text exposition format.
    fields : mapping of column to Metric
        A field without a sample is left out: what is not told is null, never 0.
    by : mapping of column to label
        A row for each combination of these labels.
    same : mapping of column to value
        In every row.

    Raises
    ------
    ValueError
        The text is not in the format.
    """
    rows: dict[tuple[str, ...], dict[str, float]] = defaultdict(dict)
    for sample in _samples(text):
        for column, metric in fields.items():
            if metric.takes(sample) and math.isfinite(sample.value):
                row = rows[tuple(sample.labels.get(label, "") for label in by.values())]
                row[column] = row.get(column, 0.0) + metric.times * sample.value
    for key, values in sorted(rows.items()):
        yield {**same, **dict(zip(by, key, strict=True)), **values}


def _samples(text: str) -> Iterable[Sample]:
    for family in text_string_to_metric_families(text):
        yield from family.samples


class PrometheusFeed:
    """Scrapes an endpoint at a cadence into a spool; a failed scrape leaves no sample.

    Parameters
    ----------
    name : str
        Of the source.
    stream : Stream
        Of which the rows are.
    url : str
        Of the endpoint.
    spool : Spool
        Takes the samples.
    every : timedelta
        Once in each of these intervals, which begin at the epoch.
    fields, by, same
        As in `rows_from`.
    client : httpx.Client, optional

    Raises
    ------
    ValueError
        The URL is not one of http or https.
    """

    def __init__(
        self,
        name: str,
        stream: Stream,
        url: str,
        spool: Spool,
        *,
        every: timedelta,
        fields: Mapping[str, Metric],
        by: Mapping[str, str],
        same: Mapping[str, str],
        client: httpx.Client | None = None,
    ) -> None:
        self.name = name
        self._stream, self._url, self._spool, self._every = stream, _url(url), spool, every
        # The rest of a URL may hold a secret.
        self._place = f"{self._url.scheme}://{self._url.netloc.decode()}"
        self._fields, self._by, self._same = fields, by, same
        self._client = client or httpx.Client(timeout=TIMEOUT)
        self._last: int | None = None

    def poll(self, now: datetime) -> bool:
        """Scrape if it is due; whether it was.

        Raises
        ------
        SourceError
            The endpoint does not answer, or not in the format. Its data is then missing.
        """
        interval = (now - EPOCH) // self._every
        if interval == self._last:
            return False
        self._last = interval
        try:
            answer = self._client.get(self._url)
            answer.raise_for_status()
            rows = list(rows_from(answer.text, self._fields, by=self._by, same=self._same))
        except httpx.HTTPStatusError as error:
            raise SourceError(f"{self._place}: status {error.response.status_code}") from None
        except (httpx.HTTPError, ValueError, KeyError) as error:
            raise SourceError(f"{self._place}: {type(error).__name__}: {error}") from error
        if not rows:
            wanted = ", ".join(metric.name for metric in self._fields.values())
            raise SourceError(f"{self._place}: none of {wanted} among its metrics")
        first = (now - EPOCH) // timedelta(microseconds=1)
        lines = [
            orjson.dumps({self._stream.time: now, self._stream.id: first, **row}) for row in rows
        ]
        self._spool.append(b"\n".join(lines))
        return True

    def close(self) -> None:
        """Give up the connection."""
        self._client.close()


def _url(text: str) -> httpx.URL:
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL:
        url = httpx.URL()
    if url.scheme not in ("http", "https") or not url.host:
        raise ValueError("url: expected one that begins with http:// or https://")
    return url
