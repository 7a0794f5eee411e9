# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#   kernelspec:
#     display_name: Python 3
#     name: python3
# ---

# %% [markdown]
# # How large, and how long?
#
# Hoffmann et al. trained some 400 language models of up to 16 billion parameters to answer that question. 240 of their runs were read off
# figure 4 of the paper by Besiroglu et al., and ship with this package. This notebook goes from the table to a plan, with error bars.

# %%
import matplotlib.pyplot as plt
import numpy as np

import scalejax as sj

runs = sj.datasets.load("chinchilla_epoch")
runs

# %% [markdown]
# Your own table is read with `sj.read_runs("runs.csv", N="params", D="tokens", loss="val_loss")`: say which column is what.
#
# ## Fit
#
# The law of the field is Chinchilla's, $L(N, D) = E + A N^{-\alpha} + B D^{-\beta}$; `print(sj.laws)` lists the others. The default loss is
# Huber's with $\delta = 10^{-3}$ on the logarithm of the loss. The fit starts from 2,048 points at once and says how many agree.

# %%
fit = sj.fit("chinchilla", runs)
fit

# %% [markdown]
# These are the constants of Besiroglu et al., not those that Hoffmann et al. printed, which do not fit these runs. The first line also says
# what speaks against the fit: residuals go together within sizes, and follow each other along D. The law is close, to 0.3 %, but not exact.

# %%
fig, axes = plt.subplots(1, 2, figsize=(12, 4.5), layout="constrained")
sj.plot.fit_against_observed(fit, ax=axes[0])
sj.plot.residuals(fit, "D", ax=axes[1])
plt.show()

# %% [markdown]
# ## How sure is it?
#
# The bootstrap repeats the fit on resampled runs, all replicates in one compiled program. Because residuals cluster by size, whole sizes
# are resampled. `sj.laplace(fit)` is the instant alternative.

# %%
draws = sj.bootstrap(fit, 1000)
draws

# %% [markdown]
# ## Does it extrapolate?
#
# The honest test: leave out the fifth of the runs with the largest compute, fit the rest, predict what was left out.

# %%
held_out = sj.holdout("chinchilla", runs, largest=0.2)
missed, held = held_out.rmse["chinchilla"], held_out.coverage(0.9)["chinchilla"]
print(f"held-out runs are missed by {100 * missed:.2f} %; 90 % intervals hold {100 * held:.0f} %")
held_out

# %% [markdown]
# ## What to train?
#
# `allocate` finds the parameters and tokens that make the most of a compute budget, for any law and any cost.

# %%
plan = sj.allocate(draws, compute=np.logspace(20, 25, 6))
plan

# %%
fig, axes = plt.subplots(1, 2, figsize=(12, 4.5), layout="constrained")
sj.plot.iso_loss(fit, draws=draws, ax=axes[0])
sj.plot.optimal_sizes(plan, ax=axes[1])
plt.show()

# %% [markdown]
# About twenty tokens per parameter, as is well known. Less well known: at 1e24 FLOP the runs allow anything between seven and
# thirty-four, and the optimum is so flat that it hardly matters:

# %%
ax = sj.plot.valley(sj.allocate(draws, compute=[1e22, 1e24]))

# %% [markdown]
# ## Report
#
# One self-contained HTML file with everything above, to hand to somebody who decides. (`.md` writes Markdown instead.)

# %%
sj.report(fit, "report.html", draws=draws, allocation=plan)
