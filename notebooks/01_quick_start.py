# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#   kernelspec:
#     display_name: Python 3
#     name: python3
# ---

# %% [markdown]
# # From a table of runs to a plan
#
# You have a table of training runs: parameters, tokens, loss. You want to know how loss falls with scale, how sure that is, and what to
# train next. This notebook walks that path on a suite of small language models that ships with the package.

# %%
import matplotlib.pyplot as plt
import numpy as np

import scalejax as sj

runs = sj.datasets.load("pylib")
runs

# %% [markdown]
# Your own table is read with `sj.read_runs("runs.csv", N="params", D="tokens", loss="val_loss")`: say which column is what. A dataframe, a
# mapping or a list of rows works as well, and a role can be computed: `D=lambda t: t["flops"] / (6 * t["params"])`.
#
# ## Fit
#
# The law of the field is Chinchilla's, $L(N, D) = E + A N^{-\alpha} + B D^{-\beta}$; `print(sj.laws)` lists the others. The default loss is
# Huber's with $\delta = 10^{-3}$ on the logarithm of the loss. The fit starts from 2,048 points at once and says how many agree.

# %%
sj.fit(sj.laws.chinchilla, runs)

# %% [markdown]
# Chinchilla's sum leaves more than the noise here: large models with many tokens do better than it allows. One outer exponent more,
# $L = E + (A N^{-\alpha} + B D^{-\beta})^q$, nearly halves the objective.

# %%
law = sj.laws.chinchilla_outer
fit = sj.fit(law, runs)
fit

# %% [markdown]
# The status comes first: a fit that did not converge, a parameter at its boundary or one that the runs do not determine is named there.
#
# ## How sure is it?
#
# The bootstrap repeats the fit on resampled runs, all replicates in one compiled program. `sj.laplace(fit)` is the instant alternative.

# %%
draws = sj.bootstrap(fit, 2000)
draws

# %%
fig, axes = plt.subplots(1, 2, figsize=(12, 4.5), layout="constrained")
sj.plot.fit_against_observed(fit, ax=axes[0])
sj.plot.residuals(fit, ax=axes[1])
plt.show()

# %% [markdown]
# ## Does it extrapolate?
#
# The honest test: leave out the runs with the largest compute, fit the rest, predict what was left out. `kind="run"` gives the interval
# for a new run (law and noise), `kind="mean"` the interval of the law alone.

# %%
compute = 6 * runs["N"] * runs["D"]
largest = compute >= np.sort(compute)[-6]
small = sj.fit(law, runs.where(~largest))
held = runs.where(largest)
low, high = sj.bootstrap(small, 2000).predict_interval(0.9, kind="run", N=held["N"], D=held["D"])
predicted = small.predict(N=held["N"], D=held["D"])
for row in zip(held["loss"], predicted, low, high, strict=True):
    print("observed {:.4f}   predicted {:.4f}   90 % interval {:.4f} to {:.4f}".format(*row))

# %% [markdown]
# ## What to train next?
#
# `allocate` finds the parameters and tokens that make the most of a compute budget, for any law with inputs N and D and any cost.

# %%
plan = sj.allocate(draws, compute=np.logspace(11, 16, 11))
plan

# %%
fig, axes = plt.subplots(1, 2, figsize=(12, 4.5), layout="constrained")
sj.plot.iso_loss(fit, draws=draws, ax=axes[0])
sj.plot.optimal_sizes(plan, ax=axes[1])
plt.show()

# %% [markdown]
# ## A law of your own
#
# A law is a function: positional arguments are inputs, keyword-only arguments are parameters, each with a domain. Everything works on it.


# %%
@sj.law(E=sj.Positive(0.1, 5), A=sj.Positive(1, 1e6), B=sj.Positive(1, 1e6), alpha=sj.Positive(0.05, 1.5))
def one_exponent(N, D, *, E, A, B, alpha):
    """Chinchilla with a single exponent."""
    return E + A * N**-alpha + B * D**-alpha


own = sj.fit(one_exponent, runs)
print(own)
print(sj.allocate(own, compute=1e16))

# %% [markdown]
# ## Report
#
# One self-contained HTML file with everything above, to hand to somebody who decides. (`.md` writes Markdown instead.)

# %%
sj.report(fit, "report.html", draws=draws, allocation=plan)
