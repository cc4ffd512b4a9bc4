"""Several tail probabilities of one window become one, valid however they depend."""

from __future__ import annotations

import numpy as np

from models.detector import Matrix, Vector

__all__ = ["cauchy_combination", "cauchy_terms"]


def cauchy_combination(p: Matrix, weights: Vector) -> Vector:
    """Combine the probabilities of each row.

    Parameters
    ----------
    p : ndarray of shape (n, k)
        Tail probabilities in (0, 1], one column an arm.
    weights : ndarray of shape (k,)
        At least 0, with sum 1: the share of all false alarms that each arm may cause.

    Returns
    -------
    ndarray of shape (n,), in (0, 1]
        For small values the tail of the mean of Cauchy variables is that of one, also where the
        arms depend on each other, so the result keeps its meaning as a rate.

    Source: Liu and Xie, Cauchy combination test, JASA 115(529), 2020.

    >>> p = np.array([[1e-6, 0.5], [0.5, 1e-6], [0.5, 0.5]])
    >>> cauchy_combination(p, np.array([0.8, 0.2]))
    array([1.25e-06, 5.00e-06, 5.00e-01])
    """
    # The upper tail of a Cauchy variable, exact also where it is tiny.
    combined: Vector = np.arctan2(1.0, cauchy_terms(p) @ weights) / np.pi
    return np.maximum(combined, np.finfo(float).tiny)


def cauchy_terms(p: Matrix) -> Matrix:
    """What each probability says on the scale of a Cauchy variable: above 0 where p < 0.5.

    >>> cauchy_terms(np.array([[0.25, 0.5, 1e-6]])).round(2)
    array([[1.0000000e+00, 0.0000000e+00, 3.1830989e+05]])
    """
    # Below 1e-15 the tangent is 1 / (pi p) to the last digit, and 0.5 - p has lost p. A p of 1
    # would alone outweigh every other arm: no arm may say more than that nothing is unusual.
    safe = np.minimum(p, 0.99)
    terms: Matrix = np.where(safe < 1e-15, 1 / (np.pi * safe), np.tan((0.5 - safe) * np.pi))
    return terms
