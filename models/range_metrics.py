"""Metrics of scores where anomalies are stretches of time and their edges are not sharp."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.detector import Vector

__all__ = ["average_precision", "vus_pr"]

LONGEST_BUFFER, BUFFER_STEP, THRESHOLDS = 100, 10, 250


def average_precision(anomalous: NDArray[np.bool_], score: Vector) -> float:
    """Area under the precision-recall curve, by steps, equal scores at once.

    Parameters
    ----------
    anomalous : ndarray of shape (n,), bool
        At least one is true.
    score : ndarray of shape (n,)
        High is anomalous.

    Source: the step-wise definition that scikit-learn uses; equal to it in the tests.

    >>> average_precision(np.array([True, False, True]), np.array([3.0, 2.0, 1.0]))
    0.8333333333333333
    """
    order = np.argsort(-score, kind="stable")
    hits, ranked = anomalous[order], score[order]
    last = np.append(ranked[1:] != ranked[:-1], True)
    found = np.cumsum(hits)[last]
    precision = found / (np.flatnonzero(last) + 1.0)
    recall = found / found[-1]
    return float((np.diff(recall, prepend=0.0) * precision).sum())


def vus_pr(anomalous: NDArray[np.bool_], score: Vector) -> float:
    """Volume under the surface of range-aware precision and recall.

    Labels fade out over a buffer on both sides of each stretch, recall is discounted by the
    share of stretches seen at all, and the area is averaged over buffers of 0, 10, ..., 100
    samples, so that no single length has to be chosen.

    Parameters
    ----------
    anomalous : ndarray of shape (n,), bool
        In order of time; at least one is true.
    score : ndarray of shape (n,)
        High is anomalous.

    Source: Paparrizos et al., Volume under the surface, PVLDB 15(11), 2022; 250 thresholds at
    even ranks.
    """
    edges = np.flatnonzero(np.diff(np.concatenate([[0], anomalous.astype(int), [0]])))
    stretches = edges.reshape(-1, 2)
    ranks = np.linspace(0, len(score) - 1, THRESHOLDS).astype(int)
    thresholds = np.sort(score)[::-1][ranks]
    buffers = range(0, LONGEST_BUFFER + 1, BUFFER_STEP)
    areas = [_range_area(anomalous, score, stretches, thresholds, buffer) for buffer in buffers]
    return float(np.mean(areas))


def _range_area(
    anomalous: NDArray[np.bool_],
    score: Vector,
    stretches: NDArray[np.int64],
    thresholds: Vector,
    buffer: int,
) -> float:
    half = buffer // 2
    label = anomalous.astype(float)
    highest = np.empty(len(stretches))
    for number, (begin, end) in enumerate(stretches):
        before = np.arange(max(0, begin - half), begin)
        after = np.arange(end, min(len(score), end + half))
        for rows, distance in ((before, begin - before), (after, after - end + 1)):
            label[rows] = np.maximum(label[rows], np.sqrt(1 - distance / max(buffer, 1)))
        highest[number] = score[max(0, begin - half) : min(len(score), end + half)].max()
    order = np.argsort(-score, kind="stable")
    flagged = np.searchsorted(-score[order], -thresholds, side="right")
    found = np.concatenate([[0.0], np.cumsum(label[order])])[flagged]
    possible = (anomalous.sum() + label.sum()) / 2
    seen = (highest[None, :] >= thresholds[:, None]).mean(axis=1)
    recall = np.minimum(found / possible, 1.0) * seen
    return float((np.diff(recall, prepend=0.0) * found / flagged).sum())
