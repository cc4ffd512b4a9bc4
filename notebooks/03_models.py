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
# # Models: champion, challenger, and one line in a notebook
#
# Models are versions in MLflow with two aliases: the *champion* scores, a *challenger* wants to.
# This notebook uses a home of its own; yours is `.tocsin`, and `tocsin train`, `tocsin retrain`,
# `tocsin models` and `tocsin rollback` do the same from a shell.

# %%
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import mkdtemp

import polars as pl

from features.silence import batch_windows
from features.trading import SYMBOL_5S
from pipeline.lake import Lake
from pipeline.lifecycle.enlist import open_registry
from pipeline.lifecycle.retrain import Retraining
from pipeline.simulate.session import exchange_session

start = datetime(2026, 3, 2, tzinfo=UTC)
session = exchange_session(start, days=3, seed=7)
thin = session.trades.filter(pl.col("symbol").is_in(["WRENUSDT", "LARKUSDT", "LINKUSDT"]))
windows = batch_windows(SYMBOL_5S, thin).sort("start", "entity")

home = Path(mkdtemp())
lake, registry = Lake(home / "lake"), open_registry(home)
day = [
    windows.filter(pl.col("start").dt.date() == (start + timedelta(days=n)).date())
    for n in range(3)
]

# %% [markdown]
# ## The first model is the champion

# %%
lake.append(SYMBOL_5S.name, day[0])
incidents = session.truth.select("entity", "start", "end")
life = Retraining(lake, home, registry, "ann", incidents=incidents)
scorer, outcome = life.train(SYMBOL_5S, now=start + timedelta(days=1))
outcome

# %% [markdown]
# ## Score a pandas frame
#
# The artifact is arrays and JSON: loading it runs no code but this project's. The signature names
# the columns; a frame that lacks one is refused by name.

# %%
import mlflow

mlflow.set_tracking_uri(registry.uri)
model = mlflow.pyfunc.load_model("models:/trades.symbol_5s@champion")
frame = day[1].filter(pl.col("start") < start + timedelta(hours=30)).to_pandas()
scores = model.predict(frame)
scores.nsmallest(3, "per_day")[["entity", "start", "per_day", "warm"]]

# %% [markdown]
# ## A challenger
#
# Two days later there is more to learn from. A challenger learns the history without the known
# incidents; then both score the newest fifth, which neither has learned. It is promoted only if it
# is worse in nothing: events found, delay, alerts a day, latency, calibration.

# %%
for more in day[1:]:
    lake.append(SYMBOL_5S.name, more)
outcome = life.run(SYMBOL_5S, now=start + timedelta(days=3), due_only=True)
print(outcome.what)
outcome.why.split("; ")

# %% [markdown]
# Run again, it has nothing to do: the same lake, code and parameters make the same model.

# %%
life.run(SYMBOL_5S, now=start + timedelta(days=3), due_only=True)

# %% [markdown]
# What was judged is kept with the version: events found, delay, alerts a day. `calibration` is how
# often `p` said "the rarest hundredth" over how often it should have; far from 1, a version's `p`
# is not to be taken at its word. Who changed which alias, when and why is kept too.

# %%
run = mlflow.MlflowClient().get_run(registry.versions(SYMBOL_5S.name)[-1].run)
{name: round(value, 3) for name, value in sorted(run.data.metrics.items())}

# %%
registry.changes(SYMBOL_5S.name)

# %% [markdown]
# ## A report
#
# On labelled data one call judges everything: quality with intervals beside a plain forest, the
# alert budget kept or not, the best and the worst calls explained. `tocsin report` writes the same.

# %%
import json

from pipeline.report.build import build_report, installed, write_report

folder = home / "session"
folder.mkdir()
thin.write_parquet(folder / "events.parquet")
session.truth.filter(pl.col("kind") == "pump").write_csv(folder / "labels.csv")
(folder / "meta.json").write_text(
    json.dumps({"stream": "trades", "layout": "events", "entity": "symbol"})
)
report = build_report([folder], start + timedelta(days=4), 0, installed())
write_report(report, home / "report")
print(report.verdict.headline)
report.verdict.next
