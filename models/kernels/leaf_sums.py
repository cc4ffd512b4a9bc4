"""What a row collects on its way to each leaf of half-space trees, summed before any row comes.

Between two windows the masses do not change, so all rows that end in a leaf collect the same. A
walk is then nothing but steps, and one number at its end. The sums are of whole numbers, so that
the scores are those of `models.kernels.half_space.walk` to the last bit.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from features.jit import kernel

__all__ = ["leaf_sums", "score_by_leaves"]

# Rows walked together through one tree.
BLOCK = 128


@kernel("float64[:, ::1](int32[:, ::1], float64)")
def leaf_sums(mass: NDArray[np.int32], size_limit: float) -> NDArray[np.float64]:
    """What a row collects from the root to each leaf, shape (n_trees, 2**height).

    A node gives its mass times 2 to the power of its level; one with less mass than the limit is
    the last that gives anything.
    """
    n_trees, nodes = mass.shape
    width = nodes // 2
    sums = np.empty((n_trees, width))
    total, weight = np.zeros(nodes), np.zeros(nodes)
    for t in range(n_trees):
        total[1], weight[1] = mass[t, 1], 1.0
        for node in range(2, nodes):
            above = node // 2
            weight[node] = 0.0 if mass[t, above] < size_limit else 2.0 * weight[above]
            total[node] = total[above] + weight[node] * mass[t, node]
        sums[t] = total[width:]
    return sums


@kernel("float64[::1](float64[:, ::1], uint32[:, ::1], float64[:, ::1], float64[:, ::1], float64)")
def score_by_leaves(
    X: NDArray[np.float64],
    feature: NDArray[np.uint32],
    threshold: NDArray[np.float64],
    sums: NDArray[np.float64],
    max_score: float,
) -> NDArray[np.float64]:
    """Score tree by tree, a block of rows abreast."""
    n = len(X)
    n_trees, width = feature.shape
    first_leaf = np.uint32(width)
    scores = np.zeros(n)
    node = np.empty(BLOCK, np.uint32)
    for start in range(0, n, BLOCK):
        rows = min(BLOCK, n - start)
        for t in range(n_trees):
            tree_feature = feature[t]
            tree_threshold = threshold[t]
            tree_sums = sums[t]
            node[:] = 1
            level = 1
            while level < width:
                for i in range(rows):
                    at = node[i]
                    right = X[start + i, tree_feature[at]] >= tree_threshold[at]
                    node[i] = np.uint32(2) * at + np.uint32(right)
                level *= 2
            for i in range(rows):
                scores[start + i] += tree_sums[node[i] - first_leaf]
        for i in range(rows):
            scores[start + i] = 1.0 - scores[start + i] / max_score
    return scores
