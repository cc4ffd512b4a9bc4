# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Detection: learn, score, explain, and choose a budget
#
# Three days of a made-up exchange: two are learned, the third holds a pump-and-dump and is scored.
# The second has a benign news day in it that nobody marked, as history does.

# %%
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl

from features.silence import batch_windows
from features.trading import SYMBOL_5S
from pipeline.simulate.session import exchange_session

start = datetime(2026, 3, 2, tzinfo=UTC)
session = exchange_session(start, days=3, seed=7)
windows = batch_windows(SYMBOL_5S, session.trades).sort("start", "entity")
history = windows.filter(pl.col("start") < start + timedelta(days=2))
unseen = windows.filter(pl.col("start") >= start + timedelta(days=2))
len(history), len(unseen)

# %% [markdown]
# ## Learn and score
#
# One verb does both: `step` scores windows by what was learned before them and then learns them.
# A score never depends on anything later than its window. `run` is `step` over a whole history.

# %%
from pipeline.scoring.scorer import Scorer

scorer = Scorer(SYMBOL_5S, seed=0)
past = scorer.run(history)

found, explained = [], []
for part in unseen.iter_slices(20_000):
    found.append(scorer.step(part, explain_below=0.1))
    explained += scorer.explained
scores = pl.concat(found)
scores.sort("per_day").select("entity", "start", "per_day", "p", "warm", "reasons").head(3)

# %% [markdown]
# `per_day` is a rate: how often normal life brings a window this rare. It needs no tuning and reads
# the same for every view. `warm` is false until enough is known, and a cold score claims nothing.
#
# ## Explain
#
# Each rare window was explained: which arms and which features made the score, by how much, and
# below what it would not have been rare.

# %%
rarest = min(explained, key=lambda one: one.per_day)
for reason in rarest.features[:3]:
    print(f"{reason.share:4.0%}  {reason.words}")
print(rarest.counterfactual.words if rarest.counterfactual else "rare whatever one changes")

# %% [markdown]
# ## A budget of alerts
#
# Say how many alerts a day you want to read; the threshold follows. Rare windows come in clusters
# and a cluster is one alert, so the threshold on windows is measured on history.

# %%
from models.budget import AlertBudget

warm = past.filter("warm")
code = warm["entity"].rank("dense").cast(pl.Int64).to_numpy()
end = warm["end"].to_physical().to_numpy() / 1e6
days = float(warm["p"].len() * SYMBOL_5S.every / timedelta(days=1) / warm["entity"].n_unique())
budget = AlertBudget.fit(code, end, warm["per_day"].to_numpy(), days=days)
{wanted: round(budget.threshold(wanted), 3) for wanted in (0.5, 1.0, 5.0)}

# %% [markdown]
# At one alert a day, these markets would have rung on the unseen day:

# %%
alerts = scores.filter(pl.col("warm") & (pl.col("per_day") <= budget.threshold(1.0)))
print(alerts.group_by("entity").agg(pl.len(), pl.col("start").min()).sort("start"))
session.truth

# %% [markdown]
# ## Beside a plain forest
#
# An isolation forest on the raw columns is what an afternoon gives. Judge both by the same count:
# the share of pumps seen within three minutes, without a single false alert.

# %%
from models.metrics import event_recall
from pipeline.evaluation.peers import window_forest

pump = session.truth.filter(pl.col("kind") == "pump")
names = unseen["entity"].unique().sort().to_list()
entity = np.array([names.index(name) for name in unseen["entity"]])
seconds = unseen["end"].to_physical().to_numpy() / 1e6
events = [
    (names.index(name), onset.timestamp()) for name, onset in pump.select("entity", "start").rows()
]
for who, score in (
    ("ours", scores["score"].to_numpy()),
    ("plain forest", window_forest(SYMBOL_5S, unseen, seed=0)),
):
    (seen,) = event_recall(entity, seconds, score, events, [0.0])
    print(f"{who}: recall {seen.recall:.0%}, delay {seen.delay} s")

# %% [markdown]
# One pump proves nothing; `tocsin evaluate` on labelled sets gives figures with intervals, and
# docs/detection.md says how far to trust them.
#
# ## Is the model still right?
#
# A model grows old. Drift compares each column by the hour with training, like hours with like
# hours, and all columns together raise at most `budget` false alarms a month. It wants a week to
# compare with, so here is one column of hourly volume, in logarithms, that doubles after 300 hours.
# `pipeline.lifecycle.drift.DriftWatch` does this for every feature and score of a view and says it
# in words.

# %%
from models.drift import DriftMonitor

hours = np.arange(20 * 24)
volume = np.sin(2 * np.pi * hours / 24) + 0.3 * np.random.default_rng(0).normal(size=len(hours))
volume[300:] += np.log(2)
X, known = volume[:, None], np.ones((len(hours), 1), bool)
monitor = DriftMonitor(["volume"], hours[:240], X[:240], known[:240], budget=1.0)
monitor.update(hours[240:], X[240:], known[240:])
for alarm in monitor.alarms:
    print(f"{alarm.column} is {np.exp(alarm.size):.2g} times what it was since hour {alarm.since}")
