"""Kernels that follow a row through trees and note which feature moved what was expected of it.

At every node a tree expects something of the rows that come there: the mean over the rows it
was made of. A step to a child changes that expectation, and the change belongs to the feature
that the node looks at. The changes along a path add up to what the row got less what the root
expected, so the attribution is additive by construction and costs one walk.

Source: Palczewska et al., Interpreting random forest models using a feature contribution method,
IEEE IRI 2013; known from the library treeinterpreter (Saabas 2014).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from features.jit import kernel
from models.kernels.forest import PerfectForest, average_path_length

__all__ = ["depth_changes", "expected_depth", "expected_mass", "mass_changes"]


def expected_depth(forest: PerfectForest) -> NDArray[np.float64]:
    """Mean path length of the samples below each node, shape (n_trees, 2**(h + 1)).

    The samples in a leaf are read back from its path length: what exceeds the steps to it is the
    average path length of their number. A padded leaf's samples are spread evenly below it.
    """
    n_trees, width = forest.threshold.shape
    depth = np.zeros((n_trees, 1))
    for level in range(width.bit_length() - 1):
        cut = np.isfinite(forest.threshold[:, 2**level : 2 ** (level + 1)])
        depth = np.repeat(depth + cut, 2, axis=1)
    lengths = average_path_length(np.arange(1, width + 1))
    inside = np.searchsorted((lengths[:-1] + lengths[1:]) / 2, forest.path_length - depth) + 1
    samples = np.ones((n_trees, 2 * width))
    total = np.zeros((n_trees, 2 * width))
    samples[:, width:] = inside * 2.0**depth / width
    total[:, width:] = samples[:, width:] * forest.path_length
    for first in 2 ** np.arange(width.bit_length() - 2, -1, -1):
        for part in (samples, total):
            pairs = part[:, 2 * first : 4 * first].reshape(n_trees, first, 2)
            part[:, first : 2 * first] = pairs.sum(axis=2)
    return total / samples


@kernel("float64[:, ::1](float64[:, ::1], uint32[:, ::1], float32[:, ::1], float64[:, ::1])")
def depth_changes(
    X: NDArray[np.float64],
    feature: NDArray[np.uint32],
    threshold: NDArray[np.float32],
    expected: NDArray[np.float64],
) -> NDArray[np.float64]:
    """By how much each feature shortened the expected path, all trees together, shape (n, d)."""
    n, d = X.shape
    n_trees, width = feature.shape
    changes = np.zeros((n, d))
    x = np.empty(d, np.float32)
    for i in range(n):
        for j in range(d):
            x[j] = np.float32(X[i, j])
        for t in range(n_trees):
            node = np.uint32(1)
            while node < width:
                column = feature[t, node]
                child = np.uint32(2) * node + np.uint32(x[column] > threshold[t, node])
                changes[i, column] += expected[t, node] - expected[t, child]
                node = child
    return changes


@kernel("float64[:, ::1](int32[:, ::1], float64)")
def expected_mass(mass: NDArray[np.int32], size_limit: float) -> NDArray[np.float64]:
    """Mean of what the rows of the last window still collect from each node on.

    Same shape as ``mass``: (n_trees, 2**(h + 1)). A node collects its mass times 2 to the power
    of its level, and ends the walk where its mass is below the limit.
    """
    n_trees, nodes = mass.shape
    expected = np.zeros((n_trees, nodes))
    for t in range(n_trees):
        first = nodes // 2
        while first > 0:
            for node in range(first, 2 * first):
                own = mass[t, node]
                expected[t, node] = float(first) * own
                if own >= size_limit and 2 * node < nodes:
                    below = 0.0
                    for child in range(2 * node, 2 * node + 2):
                        below += mass[t, child] * expected[t, child]
                    expected[t, node] += below / own
            first //= 2
    return expected


@kernel(
    "float64[:, ::1](float64[:, ::1], uint32[:, ::1], float64[:, ::1], int32[:, ::1],"
    " float64[:, ::1], float64)"
)
def mass_changes(
    X: NDArray[np.float64],
    feature: NDArray[np.uint32],
    threshold: NDArray[np.float64],
    mass: NDArray[np.int32],
    expected: NDArray[np.float64],
    size_limit: float,
) -> NDArray[np.float64]:
    """By how much each feature lessened the mass that a row collects, shape (n, d)."""
    n, d = X.shape
    n_trees, width = feature.shape
    changes = np.zeros((n, d))
    for i in range(n):
        for t in range(n_trees):
            node = np.uint32(1)
            weight = 1.0
            while node < width and mass[t, node] >= size_limit:
                column = feature[t, node]
                child = np.uint32(2) * node + np.uint32(X[i, column] >= threshold[t, node])
                collected = weight * mass[t, node] + expected[t, child]
                changes[i, column] += expected[t, node] - collected
                node = child
                weight *= 2.0
    return changes
