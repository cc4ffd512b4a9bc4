"""JSON lines: one object an event, its fields found by a map; the names of ECS by default."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import orjson
import polars as pl

from features.access import ACCESS
from features.access.stream import KINDS
from pipeline.sources.lines import Parsed
from pipeline.sources.parsers.parsed import present, split, with_parts

__all__ = ["ECS", "JsonLines"]

ECS = {
    "ts": "@timestamp",
    "kind": "event.action",
    "outcome": "event.outcome",
    "ip": "source.ip",
    "asn": "source.as.number",
    "account": "user.name",
    "key": "labels.api_key",
    "key_created_at": "labels.api_key_created",
    "session": "labels.session",
    "device": "device.id",
    "agent": "user_agent.original",
    "method": "http.request.method",
    "path": "url.original",
    "referrer": "http.request.referrer",
    "status": "http.response.status_code",
    "bytes": "http.response.body.bytes",
    "duration": "event.duration",
    "country": "source.geo.country_iso_code",
    "lat": "source.geo.location.lat",
    "lon": "source.geo.location.lon",
}
"""Column of the stream to field of the Elastic Common Schema 8; what ECS has no name for is a
label. Our own API writes its requests like this."""

NANOSECOND = 1e-6


class JsonLines:
    """Parser of JSON lines.

    Parameters
    ----------
    fields : mapping of str to str
        Column of the stream to the field that holds it: ``"user.name"`` is ``name`` within
        ``user``, or one key with a dot in it.
    duration_ms : float
        Milliseconds in one unit of the field of ``duration``; that of ECS is a nanosecond.

    Raises
    ------
    ValueError
        A column is none of the stream's, or ``ts`` is not mapped.
    """

    def __init__(self, fields: Mapping[str, str] = ECS, *, duration_ms: float = NANOSECOND) -> None:
        known = {c.name for c in ACCESS.columns} - {ACCESS.id}
        if unknown := set(fields) - known:
            raise ValueError(f"field map: column {min(unknown)}; expected {', '.join(known)}")
        if ACCESS.time not in fields:
            raise ValueError(f"field map: column {ACCESS.time} is missing; expected its field")
        self.fields = dict(fields)
        self.duration_ms = duration_ms

    def __call__(self, lines: pl.Series, now: datetime) -> Parsed:
        """Events from lines; ``now`` is not used. A value that does not fit is left to the border.

        The kind of an event is its action where that is one of the stream's (a dash counts as an
        underscore), else ``request`` where a method or status is told, else ``other``.
        """
        objects = [_object(line) for line in lines]
        frame = pl.DataFrame({"line": lines}).with_row_index("id").cast({"id": pl.Int64})
        known = pl.Series([found is not None for found in objects], dtype=pl.Boolean)
        events, refused = split(frame, pl.when(~known).then(pl.lit("not a JSON object")))
        rows = [found for found in objects if found is not None]
        values = [
            pl.Series(column, _texts(rows, field), pl.String)
            for column, field in self.fields.items()
        ]
        return with_parts(self._judged(events.with_columns(values))), refused

    def _judged(self, events: pl.DataFrame) -> pl.DataFrame:
        absent = {"kind", "method", "status", "path", "ip"} - set(events.columns)
        events = events.with_columns(pl.lit(None, pl.String).alias(name) for name in absent)
        action = pl.col("kind").str.replace_all("-", "_", literal=True)
        is_request = pl.col("method").is_not_null() | pl.col("status").is_not_null()
        kind = (
            pl.when(action.is_in(KINDS))
            .then(action)
            .otherwise(pl.when(is_request).then(pl.lit("request")).otherwise(pl.lit("other")))
        )
        changed = [kind.alias("kind"), present(pl.col("ip"))]
        if "outcome" in events.columns:
            outcome = pl.col("outcome")
            changed.append(pl.when(outcome != "unknown").then(outcome).alias("outcome"))
        if "duration" in events.columns:
            # What is given and is no number must reach the border, which refuses NaN.
            number = pl.col("duration").cast(pl.Float64, strict=False).fill_null(float("nan"))
            given = pl.col("duration").is_not_null()
            changed.append(pl.when(given).then(number * self.duration_ms).alias("duration"))
        return events.with_columns(changed)


def _object(line: str) -> dict[str, Any] | None:
    try:
        found = orjson.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _texts(rows: list[dict[str, Any]], field: str) -> list[str | None]:
    """A field of each object, by its path or by one key that spells it, as text."""
    *above, last = field.split(".")
    found: list[str | None] = []
    for row in rows:
        at: Any = row
        for part in above:
            at = at.get(part) if isinstance(at, dict) else None
        value = at.get(last) if isinstance(at, dict) else None
        if value is None and above:
            value = row.get(field)
        if value is not None and not isinstance(value, str):
            value = orjson.dumps(value).decode()
        found.append(value)
    return found
