"""What MLflow calls to score a pandas frame with a registered model.

``mlflow.pyfunc.load_model("models:/trades.symbol_5s@champion").predict(frame)`` needs this project
installed: the artifact is data, the code is the one that is here.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from features.catalogue import VIEWS
from features.view import FeatureView
from models.persistence import read_state
from pipeline.scoring.scorer import Scorer

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["WindowScorer"]


class WindowScorer:
    """A registered model: the same windows give the same scores, however often they are asked.

    Parameters
    ----------
    path : Path
        What `pipeline.scoring.scorer.Scorer.save` wrote.
    """

    def __init__(self, path: Path) -> None:
        name, _, _ = read_state(path)
        self.view: FeatureView = VIEWS[name]
        self.path = path
        Scorer.load(self.view, path)

    def predict(self, frame: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:
        """Scores of windows of the view that come after those learned, in the frame's order.

        Parameters
        ----------
        frame : pandas.DataFrame
            ``entity``, ``start``, ``end`` and the features; times without a zone are UTC.

        Returns
        -------
        pandas.DataFrame
            The columns of `pipeline.scoring.scorer.SCORES` and one ``p_<arm>`` an arm.
        """
        # Of times with a zone pandas gives Polars the values, but with a warning.
        plain = {
            name: frame[name].dt.tz_convert(None)
            for name in ("start", "end")
            if frame[name].dt.tz is not None
        }
        windows = pl.from_pandas(frame.assign(**plain)[list(self.view.schema)])
        windows = windows.cast(pl.Schema(self.view.schema))
        order = windows.with_row_index("row").sort("start", "entity")["row"]
        scores = Scorer.load(self.view, self.path).run(windows[order])
        return scores[order.arg_sort()].to_pandas()


def _load_pyfunc(path: str) -> WindowScorer:
    """The name under which MLflow looks for a loader."""
    return WindowScorer(Path(path))
