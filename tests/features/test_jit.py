"""Kernels take read-only and writable columns of the right type, and nothing else."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from numba import float64
from numpy.typing import NDArray

from features.jit import kernel, read


@kernel(float64(read(float64)))
def total(values: NDArray[np.float64]) -> float:
    """Sum of the values."""
    result = 0.0
    for value in values:
        result += value
    return result


@kernel(float64(read(float64, 2)))
def corner(values: NDArray[np.float64]) -> float:
    """Last value of a matrix."""
    return float(values[-1, -1])


def test_a_kernel_takes_read_only_and_writable_arrays() -> None:
    values = np.array([1.0, 2.0, 4.0])
    assert total(values) == 7.0
    values.flags.writeable = False
    assert total(values) == 7.0
    assert corner(np.ones((2, 2))) == 1.0


def test_a_kernel_takes_a_column_without_a_copy() -> None:
    column = pl.Series([1.0, 2.0, 4.0]).to_numpy()
    assert not column.flags.writeable
    assert total(column) == 7.0


@pytest.mark.parametrize(
    "wrong",
    [
        np.ones(3, np.float32),
        np.ones(3, np.int64),
        np.ones((3, 1)),
        np.ones(6)[::2],
        [1.0, 2.0],
    ],
    ids=["float32", "int64", "two dimensions", "strided", "list"],
)
def test_an_argument_of_another_type_is_a_type_error(wrong: object) -> None:
    with pytest.raises(TypeError, match="No matching definition"):
        total(wrong)  # type: ignore[arg-type]


def test_a_kernel_is_compiled_before_its_first_call() -> None:
    @kernel(float64(read(float64)))
    def first(values: NDArray[np.float64]) -> float:
        return values[0]  # type: ignore[no-any-return]

    assert len(first.signatures) == 1  # type: ignore[attr-defined]
