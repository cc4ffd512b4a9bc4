"""The generalised Pareto distribution is recovered from its own samples."""

from __future__ import annotations

import numpy as np
import pytest

from models.calibration import generalised_pareto


def excesses(shape: float, scale: float, count: int, seed: int) -> np.ndarray:
    """A sorted sample by inversion; a shape of 0 is the exponential distribution."""
    u = np.random.default_rng(seed).random(count)
    draw = -np.log(u) if shape == 0 else (u**-shape - 1) / shape
    return np.sort(scale * draw)


@pytest.mark.parametrize("shape", [-0.3, 0.0, 0.2, 0.5, 1.0])
@pytest.mark.parametrize("scale", [1e-6, 2.0, 1e9])
def test_shape_and_scale_are_recovered(shape: float, scale: float) -> None:
    found = [generalised_pareto(excesses(shape, scale, 5_000, seed)) for seed in range(5)]
    # The standard error of an efficient estimate of the shape is (1 + shape) / sqrt(n).
    within = 3.5 * (1 + shape) / np.sqrt(5_000)
    assert [k for k, _ in found] == pytest.approx([shape] * 5, abs=within)
    assert [s for _, s in found] == pytest.approx([scale] * 5, rel=0.1)


def test_the_unit_of_the_numbers_changes_the_scale_alone() -> None:
    excess = excesses(0.3, 1.0, 500, seed=1)
    (shape, scale), (same, thousandfold) = (
        generalised_pareto(x) for x in (excess, 1024.0 * excess)
    )
    assert same == pytest.approx(shape, rel=1e-9)
    assert thousandfold == pytest.approx(1024.0 * scale, rel=1e-9)


@pytest.mark.parametrize("count", [5, 100, 120, 1_000])
def test_equal_numbers_have_an_end_and_a_scale(count: int) -> None:
    shape, scale = generalised_pareto(np.full(count, 2.0))
    assert shape < 0 < scale
    assert -scale / shape == pytest.approx(2.0, rel=0.01)
