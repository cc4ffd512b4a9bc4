"""Why a window is rare, in words: its features against what is typical for the entity."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.baseline import Deviations
from features.view import Feature, FeatureView

__all__ = ["amount", "reasons"]

MOST = 3
LEAST_Z = 1.0


def amount(value: float) -> str:
    """A number as people read it: three digits, thousands separated, no exponent if avoidable.

    >>> amount(1234567.8), amount(0.012345), amount(12.0), amount(0.0)
    ('1,234,568', '0.0123', '12', '0')
    """
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    if value != 0 and abs(value) < 1e-4:
        return f"{value:.2e}"
    digits = 3 - (int(np.floor(np.log10(abs(value)))) + 1 if value else 1)
    text = f"{value:.{max(digits, 0)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def sentence(feature: Feature, actual: float, typical: float) -> str:
    """One feature of a window against what is typical, with its unit."""
    unit = "" if feature.unit in ("", "log", "share") else f" {feature.unit}"
    return f"{feature.name} {amount(actual)}{unit} against {amount(typical)}"


def reasons(
    view: FeatureView, deviations: Deviations, sign: NDArray[np.int64], wanted: NDArray[np.bool_]
) -> pl.Series:
    """The features that set each wanted row apart, the strongest first.

    Parameters
    ----------
    deviations : Deviations
        Of n windows.
    sign : ndarray of shape (d,)
        1 where high is a concern, -1 where low is, 0 where both are.
    wanted : ndarray of shape (n,), bool
        Rows to explain; the others get an empty list.

    Returns
    -------
    polars.Series of list of text, named ``reasons``
        For example ``"buy_orders 41 orders against 0.31"``: actual, then typical.
    """
    rows = np.flatnonzero(wanted)
    texts: list[list[str]] = [[]]
    for row in rows:
        z, recent, typical = (x[row] for x in (deviations.z, deviations.recent, deviations.typical))
        concern = np.where(sign == 0, np.abs(z), z * sign)
        concern[~(np.isfinite(recent) & np.isfinite(typical))] = 0.0
        strongest = [c for c in np.argsort(-concern)[:MOST] if concern[c] >= LEAST_Z]
        texts.append([sentence(view.features[c], recent[c], typical[c]) for c in strongest])
    which = np.zeros(len(wanted), np.int64)
    which[rows] = np.arange(1, len(texts))
    return pl.Series("reasons", texts, dtype=pl.List(pl.String)).gather(which)
