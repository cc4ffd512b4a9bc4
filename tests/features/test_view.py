"""A feature is its name, its parameters and its docstring; a view puts them in order."""

from __future__ import annotations

import sys
from datetime import timedelta
from types import ModuleType

import polars as pl
import pytest

from features.stream import TIME
from features.trading import TRADES
from features.view import (
    SILENCE,
    Derived,
    Feature,
    FeatureView,
    collect,
    derived,
    derived_from_text,
    feature,
)


def view(*declared: Derived) -> FeatureView:
    return FeatureView("trades.test", TRADES, ("symbol",), timedelta(seconds=5), declared)


@derived
def paid(price: pl.Expr, qty: pl.Expr) -> pl.Expr:
    """Value."""
    return price * qty


@derived
def doubled(paid: pl.Expr) -> pl.Expr:
    """Twice the value."""
    return paid * 2


@derived
def doubled_again(doubled: pl.Expr, paid: pl.Expr, first_of_entity: pl.Expr) -> pl.Expr:
    """Four times the value."""
    return doubled * 2


@feature(unit="quote", direction="high", source="a paper", silent=0)
def total(doubled_again: pl.Expr) -> pl.Expr:
    """
    Sum of it.

    And a second paragraph.
    """
    return doubled_again.sum()


def test_name_definition_and_reads_come_from_the_function() -> None:
    assert total.name == "total"
    assert total.definition == "Sum of it.\n\nAnd a second paragraph."
    assert total.reads == ("doubled_again",)
    assert (total.unit, total.direction, total.source, total.silent) == (
        "quote",
        "high",
        "a paper",
        0,
    )


def test_an_expression_reads_the_columns_its_parameters_name() -> None:
    frame = pl.DataFrame({"price": [2.0, 3.0], "qty": [5.0, 7.0]})
    assert frame.select(paid.expression()).to_dict(as_series=False) == {"paid": [10.0, 21.0]}


def test_derived_columns_are_computed_after_what_they_read() -> None:
    stages = view(total, doubled_again, doubled, paid).stages
    assert [[d.name for d in stage] for stage in stages] == [
        ["paid"],
        ["doubled"],
        ["doubled_again"],
    ]


def test_derived_columns_that_need_no_other_share_a_stage() -> None:
    @derived
    def halved(qty: pl.Expr) -> pl.Expr:
        """Half the quantity."""
        return qty / 2

    assert [len(stage) for stage in view(paid, halved, doubled).stages] == [2, 1]


def test_an_unknown_parameter_names_view_column_and_parameter() -> None:
    @feature(unit="x")
    def mystery(volumne: pl.Expr, price: pl.Expr) -> pl.Expr:
        """A slip of the pen."""
        return volumne

    with pytest.raises(TypeError, match=r"view trades.test: mystery reads volumne; expected") as e:
        view(mystery).stages  # noqa: B018
    assert "columns of trades" in str(e.value)


def test_what_reads_texts_comes_before_all_stages_and_is_known_to_them() -> None:
    @derived_from_text
    def is_sale(side: pl.Expr) -> pl.Expr:
        """Whether somebody sells."""
        return side == "sell"

    @derived
    def sold(qty: pl.Expr, is_sale: pl.Expr) -> pl.Expr:
        """The quantity, of sales."""
        return qty * is_sale

    made = view(is_sale, sold)
    assert made.from_text == (is_sale,)
    assert made.stages == ((sold,),)
    assert made.reads == {"qty", "side"}


def test_what_reads_texts_cannot_read_what_is_derived() -> None:
    @derived_from_text
    def late(doubled: pl.Expr) -> pl.Expr:
        """There is no such column yet."""
        return doubled

    with pytest.raises(TypeError, match="late reads doubled"):
        view(paid, doubled, late).stages  # noqa: B018


def test_a_feature_cannot_read_another_feature() -> None:
    @feature(unit="x")
    def more(total: pl.Expr) -> pl.Expr:
        """A feature of a feature."""
        return total

    with pytest.raises(TypeError, match="more reads total"):
        view(paid, doubled, doubled_again, total, more).stages  # noqa: B018


def test_a_circle_names_view_and_column() -> None:
    @derived
    def hen(egg: pl.Expr) -> pl.Expr:
        """Comes from the egg."""
        return egg

    @derived
    def egg(hen: pl.Expr) -> pl.Expr:
        """Comes from the hen."""
        return hen

    with pytest.raises(TypeError, match=r"view trades.test: hen reads egg"):
        view(paid, hen, egg).stages  # noqa: B018


def test_a_feature_without_a_definition_is_refused() -> None:
    def nameless(price: pl.Expr) -> pl.Expr:
        return price

    with pytest.raises(TypeError, match="feature nameless: no docstring; expected its definition"):
        feature(unit="x")(nameless)
    with pytest.raises(TypeError, match="nameless"):
        derived(nameless)


def test_silence_is_the_last_feature_of_every_view() -> None:
    assert view(paid, doubled, doubled_again, total).names == ("total", "silence")
    assert view().features == (SILENCE,)


def test_the_schema_is_the_key_and_a_number_for_each_feature() -> None:
    assert view(paid, doubled, doubled_again, total).schema == {
        "entity": pl.String(),
        "start": TIME,
        "end": TIME,
        "total": pl.Float64(),
        "silence": pl.Float64(),
    }


def test_reads_are_the_columns_of_the_stream_that_are_needed() -> None:
    assert view(paid, doubled, doubled_again, total).reads == {"price", "qty"}


def test_collect_finds_what_a_module_declares_in_the_order_of_its_text(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    module = ModuleType("somewhere")
    vars(module).update(b=total, a=paid, number=1)
    monkeypatch.setitem(sys.modules, "somewhere", module)
    assert collect("somewhere") == (total, paid)
    assert isinstance(total, Feature)
