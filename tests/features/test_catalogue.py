"""What the catalogue lists is complete: each column and feature says what it is."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import get_args

import numpy as np
import polars as pl
import pytest

from features.catalogue import STREAMS, VIEWS, view
from features.extract import US, extract
from features.silence import batch_windows
from features.stream import TIME, Stream
from features.view import Direction, Feature, FeatureView, Scale
from features.windows import Windower

EVERY_VIEW = pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS.keys())
EVERY_STREAM = pytest.mark.parametrize("stream", STREAMS.values(), ids=STREAMS.keys())
EVERY_FEATURE = pytest.mark.parametrize(
    "feature",
    [pytest.param(f, id=f"{v.name}:{f.name}") for v in VIEWS.values() for f in v.features],
)

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
UNITS = {
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
}


@EVERY_FEATURE
def test_every_feature_has_unit_direction_definition_and_source(feature: Feature) -> None:
    assert feature.unit
    assert feature.direction in get_args(Direction)
    assert feature.scale in get_args(Scale)
    assert feature.definition.rstrip().endswith(".")
    assert feature.source
    assert feature.name.isidentifier()
    assert feature.name == feature.name.lower()


@EVERY_VIEW
def test_every_view_resolves_and_its_names_are_unique(view: FeatureView) -> None:
    computed = [d.name for stage in view.stages for d in stage]
    assert len(view.names) > 1
    assert len({*view.names, "entity", "start", "end"}) == len(view.names) + 3
    assert len(set(computed)) == len(computed)
    assert not set(computed) & {c.name for c in view.stream.columns}


@EVERY_VIEW
def test_every_derived_column_is_read(view: FeatureView) -> None:
    read = {name for d in view.declared for name in d.reads}
    assert {d.name for stage in view.stages for d in stage} <= read


@EVERY_VIEW
def test_every_view_says_its_length_in_its_name(view: FeatureView) -> None:
    named = re.fullmatch(r"\w+\.\w+_(\d+)([smhd])", view.name)
    assert named
    count, unit = named.groups()
    assert int(count) * UNITS[unit] == view.every


@EVERY_VIEW
def test_every_entity_and_memory_is_made_of_texts_of_the_stream(view: FeatureView) -> None:
    texts = {c.name for c in view.stream.columns if c.type == pl.String}
    assert view.entity
    assert set(view.entity) | set(view.remember) <= texts


@EVERY_VIEW
def test_the_main_amounts_of_every_view_are_features_of_it(view: FeatureView) -> None:
    assert set(view.main) <= set(view.names)


@EVERY_VIEW
def test_every_view_measures_nothing_in_no_events(view: FeatureView) -> None:
    none = pl.DataFrame(schema={c.name: c.type for c in view.stream.columns})
    assert extract(view, none).schema == dict(view.schema)
    assert batch_windows(view, none).is_empty()
    assert Windower(view).push(none, datetime(2026, 1, 1, tzinfo=UTC)).windows.is_empty()


def some_events(stream: Stream, every: timedelta, rng: np.random.Generator) -> pl.DataFrame:
    """Valid events in order of time: ties, edges and gaps; few different values; many nulls."""
    n = 200
    steps = rng.choice([0, 1, 400, 1_000, *(every // US * np.array([0.1, 0.5, 1, 3]))], n)
    at = NOON + pl.Series(np.cumsum(steps).astype(np.int64)) * US
    columns = {}
    for column in stream.columns:
        low = next((x for x in (column.above, column.at_least) if x is not None), -3)
        high = low + 5 if column.at_most is None else column.at_most
        numbers = np.linspace(low, high, 6)[1:]
        if column.name == stream.time:
            values = at
        elif column.name == stream.id:
            values = pl.Series(rng.permutation(n))
        elif column.type == TIME:
            values = at - pl.Series(rng.integers(0, 3, n)) * every
        elif isinstance(column.type, pl.Enum):
            values = pl.Series(rng.choice(column.type.categories.to_list(), n))
        elif column.type == pl.String:
            values = pl.Series(rng.choice(["a", "b", "c"], n))
        elif column.type == pl.Boolean:
            values = pl.Series(rng.choice([True, False], n))
        else:
            values = pl.Series(rng.choice(numbers if column.type.is_float() else numbers // 1, n))
        if not column.required:
            values = values.zip_with(pl.Series(rng.random(n) < 0.6), values.clear(n))
        columns[column.name] = values.cast(column.type)
    validated = stream.validate(pl.DataFrame(columns), now=NOON + timedelta(days=999))
    validated.refused.raise_first()
    return validated.events


@EVERY_VIEW
def test_every_view_has_the_same_windows_whatever_batches_and_order_within_lateness(
    view: FeatureView, assert_same_windows: Callable[[pl.DataFrame, pl.DataFrame], None]
) -> None:
    rng = np.random.default_rng(7)
    view = replace(view, lateness=view.every // 2, forget_after=view.every * 7 // 2)
    events = some_events(view.stream, view.every, rng)
    delay = pl.Series(rng.integers(0, view.lateness // US, len(events))) * US
    arrived = events.select(pl.all().sort_by(events[view.stream.time] + delay, maintain_order=True))
    cuts = [0, *sorted(rng.integers(0, len(events), 12).tolist()), len(events)]
    windower = Windower(view)

    steps = [windower.push(arrived[a:b], NOON + timedelta(days=999)) for a, b in pairwise(cuts)]
    steps.append(windower.flush())

    assert all(step.late.is_empty() for step in steps)
    assert_same_windows(pl.concat(s.windows for s in steps), batch_windows(view, events))


@EVERY_STREAM
def test_every_stream_has_a_time_an_id_and_words_for_each_column(stream: Stream) -> None:
    columns = {c.name: c for c in stream.columns}
    assert len(columns) == len(stream.columns)
    assert columns[stream.time].type == TIME
    assert columns[stream.id].type == pl.Int64
    assert set(stream.key) <= set(columns)
    assert all(columns[name].required for name in (*stream.key, stream.time))
    assert all(c.doc.rstrip().endswith(".") for c in stream.columns)
    # The columns that `Refusals` puts beside the refused rows.
    assert not {"row", "reason", "column"} & set(columns)


def test_a_view_is_found_by_its_name() -> None:
    assert all(view(name) is VIEWS[name] and name == VIEWS[name].name for name in VIEWS)


def test_an_unknown_view_is_answered_with_the_names_there_are() -> None:
    with pytest.raises(
        KeyError, match=r"no view 'trades.symbol'; expected one of .*trades.symbol_5s"
    ):
        view("trades.symbol")


def test_views_that_share_a_stream_name_share_the_stream() -> None:
    assert all(STREAMS[v.stream.name] is v.stream for v in VIEWS.values())
