"""When something was known to be wrong with an entity: what normal must not be learned from."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from features.stream import TIME
from pipeline.files import InputError

__all__ = ["INCIDENT", "no_incidents", "read_incidents", "without"]

INCIDENT = {"entity": pl.String(), "start": TIME, "end": TIME}
"""Columns of a table of incidents; an interval is half open."""


def no_incidents() -> pl.DataFrame:
    """An empty table of incidents."""
    return pl.DataFrame(schema=INCIDENT)


def read_incidents(path: Path) -> pl.DataFrame:
    """Incidents from a CSV file with ``entity``, ``start`` and ``end`` (ISO 8601 with zone).

    Raises
    ------
    InputError
        The file is not one.
    """
    try:
        table = pl.read_csv(path, infer_schema=False)
        time = pl.col("start", "end").str.to_datetime("%+", time_unit="us", time_zone="UTC")
        return table.select("entity", time.cast(TIME))
    except (OSError, pl.exceptions.PolarsError) as error:
        raise InputError(f"{path}: expected incidents with entity, start and end") from error


def without(windows: pl.DataFrame, incidents: pl.DataFrame) -> pl.DataFrame:
    """The windows that overlap no incident of their entity, in their order."""
    numbered = windows.with_row_index("row")
    hit = (
        numbered.select("row", "entity", "start", "end")
        .join(incidents, on="entity", suffix="_incident")
        .filter(pl.col("start") < pl.col("end_incident"), pl.col("end") > pl.col("start_incident"))
    )
    return numbered.join(hit, on="row", how="anti", maintain_order="left").drop("row")
