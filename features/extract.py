"""From events to windows: one pass over the events in their total order.

The events are put in order once, by a counting sort over entities. Then every window is a slice,
and every feature an aggregation over slices, which needs no hashing and no copying.
"""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import polars as pl
from numba import boolean, int64, uint32
from numpy.typing import NDArray

from features.jit import kernel, read
from features.novelty import latest_values
from features.stream import Stream
from features.view import FeatureView

__all__ = ["entity_name", "extract", "last_events", "of_entities"]

US = timedelta(microseconds=1)


def entity_name(view: FeatureView) -> pl.Expr:
    """The entity of each event as one text: the entity columns joined by ``|``.

    A ``|`` within one of several columns gets a backslash, as does a backslash, so that no two
    entities share a name.
    """
    parts = [pl.col(column).cast(pl.String) for column in view.entity]
    if len(parts) == 1:
        return parts[0].alias("entity")
    for mark in ("\\", "|"):
        parts = [part.str.replace_all(mark, f"\\{mark}", literal=True) for part in parts]
    return pl.concat_str(parts, separator="|").alias("entity")


def of_entities(view: FeatureView, events: pl.DataFrame) -> pl.DataFrame:
    """The events that name an entity of the view."""
    missing = any(events[column].null_count() for column in view.entity)
    return events.drop_nulls(view.entity) if missing else events


def last_events(view: FeatureView, events: pl.DataFrame) -> pl.DataFrame:
    """The last event of each entity in the stream's total order, and those of what it remembers."""
    events = events.sort(*view.entity, view.stream.time, view.stream.id)
    if not view.remember:
        return events.unique(view.entity, keep="last", maintain_order=True)
    kept = [latest_values(events, view.entity, column) for column in view.remember]
    last = events.select(pl.struct(view.entity).is_last_distinct()).to_series()
    return events.filter(pl.any_horizontal(last, *kept))


def extract(
    view: FeatureView, events: pl.DataFrame, *, previous: pl.DataFrame | None = None
) -> pl.DataFrame:
    """Compute the view's windows from events.

    Parameters
    ----------
    view : FeatureView
        What to measure.
    events : polars.DataFrame
        Valid events of the view's stream (`Stream.validate`), in any order.
    previous : polars.DataFrame, optional
        Earlier events, those that `last_events` keeps. They belong to no window; the last of an
        entity gives the first event of a window its predecessor (last price, time since the last
        trade), the others say what the entity has shown before.

    Returns
    -------
    polars.DataFrame
        ``entity, start, end`` and one Float64 column a feature, a row for each window that
        holds an event, sorted by (start, entity). Null where a feature is undefined.
    """
    events = of_entities(view, events)
    if events.is_empty():
        return pl.DataFrame(schema=dict(view.schema))
    frame, names = _arrange(view, events, previous)
    for stage in view.stages:
        frame = frame.with_columns(d.expression() for d in stage)
    if previous is not None:
        frame = frame.filter(~pl.col("_previous"))
    frame = frame.with_columns(pl.col("window").set_sorted())
    windows = frame.group_by("window", maintain_order=True).agg(
        pl.col("_entity").first().alias("entity"),
        pl.col("_start").first().alias("start"),
        *(f.expression().cast(pl.Float64) for f in view.features),
    )
    start = pl.col("start").cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    return (
        windows.drop("window")
        .with_columns(names.gather(windows["entity"]).alias("entity"), start)
        .with_columns((pl.col("start") + view.every).alias("end"))
        .select(*view.schema)
        .sort("start", "entity")
    )


def _arrange(
    view: FeatureView, events: pl.DataFrame, previous: pl.DataFrame | None
) -> tuple[pl.DataFrame, pl.Series]:
    """The columns that the view reads, in total order, with the built-in columns; and the
    names of the entities that ``_entity`` numbers."""
    stream = view.stream
    needed = list(dict.fromkeys([*view.entity, stream.time, stream.id, *sorted(view.reads)]))
    frame = events.select(needed).with_columns(pl.lit(False).alias("_previous"))
    if previous is not None:
        earlier = previous.select(needed).with_columns(pl.lit(True).alias("_previous"))
        frame = pl.concat([earlier, frame])
    frame = frame.with_columns(d.expression() for d in view.from_text)
    # One set of categories for the call: equal texts in different columns get equal numbers.
    words = pl.Categorical(pl.Categories.random())
    entities = frame.select(entity_name(view).cast(words)).to_series()
    texts = [n for n in needed if frame.schema[n] == pl.String and n in view.reads]
    frame = frame.with_columns(pl.col(texts).cast(words).to_physical()).with_columns(
        entities.to_physical().alias("_entity")
    )
    frame = _in_order(frame.drop(set(view.entity) - view.reads), stream)
    every = view.every // US
    at = pl.col(stream.time).to_physical()
    start = at - at % every
    # An entity silent for longer than `forget_after` begins anew, as it does in the Windower.
    opens = (pl.col("_entity") != pl.col("_entity").shift(1)) | (
        start - start.shift(1) > view.forget_after // US
    )
    frame = frame.with_columns(
        start.alias("_start"),
        opens.fill_null(True).alias("first_of_entity"),
        ((start + every - at) / 1e6).alias("_silence"),
    ).with_columns(
        (pl.col("first_of_entity") | (pl.col("_start") != pl.col("_start").shift(1)))
        .cum_sum()
        .alias("window")
    )
    return frame, _names(entities)


def _names(entities: pl.Series) -> pl.Series:
    """The text behind each number of a categorical column."""
    distinct = entities.unique()
    numbers = distinct.to_physical().to_numpy()
    names = np.empty(int(numbers.max()) + 1, object)
    names[numbers] = distinct.cast(pl.String).to_numpy()
    return pl.Series(names, dtype=pl.String)


def _in_order(frame: pl.DataFrame, stream: Stream) -> pl.DataFrame:
    """The rows by (entity, time, id), without a comparison sort where the source is in order."""
    entity = frame["_entity"].to_numpy()
    order = counting_order(entity, int(entity.max()) + 1)
    if (order[1:] < order[:-1]).any():
        frame = frame.select(pl.all().gather(pl.Series(order)))
    keys = [frame[name].to_physical() for name in ("_entity", stream.time, stream.id)]
    if keys[2].dtype.is_integer() and in_order(*(k.cast(pl.Int64).to_numpy() for k in keys)):
        return frame
    return frame.sort("_entity", stream.time, stream.id)


@kernel(uint32[::1](read(uint32), int64))
def counting_order(keys: NDArray[np.uint32], count: int) -> NDArray[np.uint32]:
    """Row numbers of shape (n,) that sort keys in [0, count) and keep equal keys in order."""
    starts = np.zeros(count + 1, np.int64)
    for i in range(keys.size):
        starts[keys[i] + 1] += 1
    for k in range(count):
        starts[k + 1] += starts[k]
    order = np.empty(keys.size, np.uint32)
    for i in range(keys.size):
        order[starts[keys[i]]] = i
        starts[keys[i]] += 1
    return order


@kernel(boolean(read(int64), read(int64), read(int64)))
def in_order(entity: NDArray[np.int64], at: NDArray[np.int64], ids: NDArray[np.int64]) -> bool:
    """Whether rows rise by (entity, time, id)."""
    for i in range(1, entity.size):
        if (entity[i], at[i], ids[i]) < (entity[i - 1], at[i - 1], ids[i - 1]):
            return False
    return True
