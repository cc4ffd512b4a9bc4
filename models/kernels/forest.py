"""An isolation forest as perfect trees, and the kernels that walk them.

Every tree is padded to the same depth h and stored level by level: node j has the children 2j
and 2j + 1, the root is node 1, and entry 0 is unused. A walk is then h equal steps without a
branch or a pointer, so that the steps of many rows, or of many trees, overlap.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from features.jit import kernel

if TYPE_CHECKING:
    import sklearn.ensemble

__all__ = ["PerfectForest", "average_path_length"]

# Rows walked together through one tree: their float32 values and the tree stay in the first
# level of cache, and there are enough of them to hide the latency of the loads.
BLOCK = 128

# Below this many rows it is faster to walk many trees together than many rows.
FEW_ROWS = 6


@kernel("float64[::1](float64[:, ::1], uint32[:, ::1], float32[:, ::1], float64[:, ::1], float64)")
def score_few(
    X: NDArray[np.float64],
    feature: NDArray[np.uint32],
    threshold: NDArray[np.float32],
    path_length: NDArray[np.float64],
    normal: float,
) -> NDArray[np.float64]:
    """Score row by row, all trees of a row abreast."""
    n, d = X.shape
    n_trees, width = feature.shape
    first_leaf = np.uint32(width)
    scores = np.empty(n)
    x = np.empty(d, np.float32)
    node = np.empty(n_trees, np.uint32)
    for i in range(n):
        for j in range(d):
            x[j] = np.float32(X[i, j])
        node[:] = 1
        level = 1
        while level < width:
            for t in range(n_trees):
                at = node[t]
                node[t] = np.uint32(2) * at + np.uint32(x[feature[t, at]] > threshold[t, at])
            level *= 2
        total = 0.0
        for t in range(n_trees):
            total += path_length[t, node[t] - first_leaf]
        scores[i] = 2.0 ** (-total / normal)
    return scores


@kernel("float64[::1](float64[:, ::1], uint32[:, ::1], float32[:, ::1], float64[:, ::1], float64)")
def score_many(
    X: NDArray[np.float64],
    feature: NDArray[np.uint32],
    threshold: NDArray[np.float32],
    path_length: NDArray[np.float64],
    normal: float,
) -> NDArray[np.float64]:
    """Score tree by tree, a block of rows abreast; equal to `score_few` to the last bit."""
    n, d = X.shape
    n_trees, width = feature.shape
    first_leaf = np.uint32(width)
    scores = np.zeros(n)
    x = np.empty((BLOCK, d), np.float32)
    node = np.empty(BLOCK, np.uint32)
    for start in range(0, n, BLOCK):
        rows = min(BLOCK, n - start)
        for i in range(rows):
            for j in range(d):
                x[i, j] = np.float32(X[start + i, j])
        for t in range(n_trees):
            tree_feature = feature[t]
            tree_threshold = threshold[t]
            tree_path_length = path_length[t]
            node[:] = 1
            level = 1
            while level < width:
                for i in range(rows):
                    at = node[i]
                    right = x[i, tree_feature[at]] > tree_threshold[at]
                    node[i] = np.uint32(2) * at + np.uint32(right)
                level *= 2
            for i in range(rows):
                scores[start + i] += tree_path_length[node[i] - first_leaf]
        for i in range(rows):
            scores[start + i] = 2.0 ** (-scores[start + i] / normal)
    return scores


@dataclass(frozen=True)
class PerfectForest:
    """A fitted isolation forest, ready to score.

    Attributes
    ----------
    feature : ndarray of shape (n_trees, 2**h), uint32
        The column a node looks at; 0 where a leaf above was padded.
    threshold : ndarray of shape (n_trees, 2**h), float32
        A row goes right where its float32 value is greater; infinite where padded.
    path_length : ndarray of shape (n_trees, 2**h), float64
        Steps to the leaf, and those still expected within it.
    normal : float
        What the path lengths of a row add up to when it is like any other: the number of trees
        times the average path length; 0 for a forest of a single sample.
    """

    feature: NDArray[np.uint32]
    threshold: NDArray[np.float32]
    path_length: NDArray[np.float64]
    normal: float

    def score(self, X: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the anomaly score of each row, 0 to 1, equal to ``-score_samples(X)``.

        Source: Liu, Ting and Zhou, Isolation forest, ICDM 2008, equation 2.
        """
        if not self.normal:
            return np.full(len(X), 0.5)
        score = score_few if len(X) < FEW_ROWS else score_many
        return score(X, self.feature, self.threshold, self.path_length, self.normal)

    @classmethod
    def from_sklearn(cls, forest: sklearn.ensemble.IsolationForest) -> PerfectForest:
        """Read a forest that scikit-learn fitted with ``max_features=1.0``."""
        height = max(1, int(np.ceil(np.log2(max(forest.max_samples_, 2)))))
        trees = [_perfect_tree(estimator.tree_, height) for estimator in forest.estimators_]
        feature, threshold, path_length = (np.stack(part) for part in zip(*trees, strict=True))
        average = average_path_length(np.array([forest.max_samples_]))[0]
        return cls(feature, threshold, path_length, float(len(trees) * average))


def average_path_length(n: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the average number of steps of an unsuccessful search among n samples.

    Source: Liu, Ting and Zhou 2008, equation 1, with scikit-learn's values for n <= 2.

    >>> average_path_length(np.array([1, 2, 256])).round(4)
    array([ 0.    ,  1.    , 10.2448])
    """
    many = np.maximum(n, 3)
    length = 2.0 * (np.log(many - 1.0) + np.euler_gamma) - 2.0 * (many - 1.0) / many
    result: NDArray[np.float64] = np.where(n > 2, length, np.where(n == 2, 1.0, 0.0))
    return result


def _perfect_tree(
    tree: Any, height: int
) -> tuple[NDArray[np.uint32], NDArray[np.float32], NDArray[np.float64]]:
    width = 2**height
    feature = np.zeros(width, np.uint32)
    threshold = np.full(width, np.inf, np.float32)
    path_length = tree.compute_node_depths() + average_path_length(tree.n_node_samples) - 1.0
    # scikit-learn compares a float32 value with a float64 threshold: the next float32 below
    # that threshold parts the float32 numbers in the same place.
    below = tree.threshold.astype(np.float32)
    below = np.where(below > tree.threshold, np.nextafter(below, np.float32(-np.inf)), below)
    nodes = np.zeros(1, np.int64)
    for level in range(height):
        leaf = tree.children_left[nodes] < 0
        here = slice(2**level, 2 ** (level + 1))
        feature[here] = np.where(leaf, 0, tree.feature[nodes])
        threshold[here] = np.where(leaf, np.float32(np.inf), below[nodes])
        left = np.where(leaf, nodes, tree.children_left[nodes])
        right = np.where(leaf, nodes, tree.children_right[nodes])
        nodes = np.column_stack([left, right]).ravel()
    return feature, threshold, path_length[nodes]
