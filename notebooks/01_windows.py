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
# # Windows: from the lake to a frame, and a feature of your own
#
# Open this file as a notebook (JupyterLab with jupytext, or VS Code). It needs no network: it
# makes up three days of an exchange in which one pump-and-dump and one benign news day are hidden.
# With a lake of your own, skip the next cell and write `lake = Lake(".tocsin/lake")`.

# %%
from datetime import UTC, datetime
from pathlib import Path
from tempfile import mkdtemp

from features.silence import batch_windows
from features.trading import SYMBOL_5S
from pipeline.lake import Lake
from pipeline.simulate.session import exchange_session

session = exchange_session(datetime(2026, 3, 2, tzinfo=UTC), days=3, seed=7)
lake = Lake(Path(mkdtemp()) / "lake")
lake.append(SYMBOL_5S.name, batch_windows(SYMBOL_5S, session.trades))
session.truth

# %% [markdown]
# ## One line to a frame
#
# A window is half open, in UTC, and there is one for every five seconds, the silent ones included.
# `windows` gives Polars, `.to_pandas()` gives pandas, `scan` gives a lazy frame where the lake is
# larger than the memory.

# %%
frame = lake.windows("trades.symbol_5s", entities=["WRENUSDT"]).to_pandas()
frame.tail(3)

# %% [markdown]
# Every column is declared once, with unit and definition. The same expression computed it over
# history and computes it live.

# %%
{f.name: (f.unit, f.definition) for f in SYMBOL_5S.features[:6]}

# %% [markdown]
# ## A feature of your own
#
# It is a function: its name is the column, its parameters are the columns it reads, its docstring
# is the definition. Here: how much more of the money bought than sold.

# %%
from dataclasses import replace

import polars as pl

from features.view import feature


@feature(unit="share", direction="both")
def buy_pressure(bought: pl.Expr, paid: pl.Expr) -> pl.Expr:
    """Value bought less value sold, over the value of all trades."""
    return (2 * bought.sum() - paid.sum()) / paid.sum()


mine = replace(SYMBOL_5S, declared=(*SYMBOL_5S.declared, buy_pressure))
pumped = batch_windows(mine, session.trades.filter(pl.col("symbol") == "WRENUSDT"))
assert "buy_pressure" in pumped.columns

# %% [markdown]
# To keep it, put the function into `features/trading.py`: that is all. Tests, documentation, models
# and the live stream then know it.
#
# The plot shows the pump's hour. The pressure is noisy while there are few trades, and all on one
# side when the pump begins.

# %%
import matplotlib.pyplot as plt

begin, end = session.truth.filter(pl.col("kind") == "pump").select("start", "end").row(0)
minutes = (
    pumped.filter(pl.col("start").is_between(begin - (end - begin), end))
    .group_by_dynamic("start", every="30s")
    .agg(pl.col("buy_pressure").mean(), pl.col("notional").sum())
)
figure, (above, below) = plt.subplots(2, sharex=True, figsize=(8, 4))
above.plot(minutes["start"], minutes["notional"])
above.set_ylabel("notional, USDT")
below.plot(minutes["start"], minutes["buy_pressure"], color="tab:red")
below.set_ylabel("buy pressure")
for axis in (above, below):
    axis.axvspan(begin, end, alpha=0.15)
plt.show()
