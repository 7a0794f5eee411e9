# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#   kernelspec:
#     display_name: Python 3
#     name: python3
# ---

# %% [markdown]
# # I have a CSV. What does it say?
#
# Real tables are messy: sizes are written as "125M", tokens have to be computed, a run crashed, another was logged twice. This notebook
# writes such a file, reads it, and shows what is caught on the way. Replace the file by yours.

# %%
import csv
import warnings

import numpy as np

import scalejax as sj

law = sj.laws.chinchilla
rng = np.random.default_rng(0)
rows = []
for label, size in (("62M", 62e6), ("125M", 125e6), ("250M", 250e6), ("500M", 500e6), ("1.0B", 1e9)):
    for ratio in (5, 10, 20, 40):
        loss = law(size, ratio * size, **law.published["besiroglu2024"]) * np.exp(0.004 * rng.standard_normal())
        rows.append(
            {"run": f"{label}-x{ratio}", "params": label, "flops": 6 * size * ratio * size, "val_loss": round(float(loss), 4), "lr": 3e-4}
        )
rows[3]["val_loss"] = 7.31  # crashed
rows[11]["val_loss"] = "nan"  # never evaluated
rows.append(rows[7])  # logged twice
with open("runs.csv", "w", newline="") as file:
    writer = csv.DictWriter(file, rows[0])
    writer.writeheader()
    writer.writerows(rows)

# %% [markdown]
# ## Read it
#
# Say which column is what. A role may be computed from others. By default, a gap in a column that matters is an error that names the row:

# %%
roles = {"N": "params", "D": "flops / (6 * params)", "loss": "val_loss"}
try:
    sj.read_runs("runs.csv", **roles)
except sj.DataError as error:
    print(error)

# %% [markdown]
# With `on_bad="flag"` such rows stay in the table, marked, and are left out of fits. The copy and the crash are warned of, too.

# %%
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    runs = sj.read_runs("runs.csv", **roles, run="run", on_bad="flag")
print(*(warning.message for warning in caught), sep="\n")
runs = runs.take(np.arange(len(runs) - 1))  # without the copy
runs

# %% [markdown]
# ## Fit it
#
# The crashed run is far from all others. The default loss is robust, so that it hardly moves the constants, but the fit is not called good.

# %%
fit = sj.fit(law, runs, starts=512)
fit

# %%
ax = sj.plot.residuals(fit)

# %% [markdown]
# The picture and the flags name the row. Leaving it out is your decision, with a reason that you can state:

# %%
clean = sj.fit(law, runs.where(lambda r: r["loss"] < 6), starts=512)
clean

# %%
ax = sj.plot.fit_against_observed(clean)

# %% [markdown]
# ## Use it
#
# What would a model of 3 billion parameters on 60 billion tokens reach, and what is the best use of the compute of that run?

# %%
draws = sj.laplace(clean)
low, high = draws.predict_interval(0.9, kind="run", N=3e9, D=6e10)
print(f"loss {clean.predict(N=3e9, D=6e10):.3f}, 90 % interval for a new run {low:.3f} to {high:.3f}")
plan = sj.allocate(draws, compute=np.geomspace(1e20, 6 * 3e9 * 6e10, 4))
plan

# %%
ax = sj.plot.optimal_sizes(plan)

# %% [markdown]
# Twenty runs of at most a billion parameters leave intervals that are wide beyond them. The notebook on the next runs says how to narrow
# them at the least cost.
