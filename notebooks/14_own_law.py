# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#   kernelspec:
#     display_name: Python 3
#     name: python3
# ---

# %% [markdown]
# # My law is not in the list, and my budget is in dollars
#
# A law is a function: inputs are positional, parameters are keywords, each with a domain. A cost is a function of named inputs.
# Everything else (fits, intervals, optima, plots, reports) works on them at once. The question here: a retrieval model has a size, a
# number of training tokens and a datastore, and money must be split between the three.

# %%
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np

import scalejax as sj


@sj.law(
    N=sj.Positive(1e8, 1e11, unit="parameters"),
    D=sj.Positive(1e9, 1e13, unit="tokens"),
    S=sj.Positive(1e9, 1e13, unit="tokens in the datastore"),
    E=sj.Positive(0.5, 3),
    A=sj.Positive(1, 1e5),
    alpha=sj.Positive(0.1, 1),
    B=sj.Positive(1, 1e5),
    beta=sj.Positive(0.1, 1),
    gain=sj.Positive(1e-3, 1),
)
def with_datastore(N, D, S, *, E, A, alpha, B, beta, gain):
    """Chinchilla with a datastore that saves a share of the loss of data, more slowly the larger it is.

    L = E + A N^-alpha + B D^-beta / (1 + gain ln(1 + S / 1e9))
    """
    return E + A * N**-alpha + B * D**-beta / (1 + gain * jnp.log1p(S / 1e9))


# %% [markdown]
# The definition is checked on the spot: every argument needs a domain, and names must agree. Runs are simulated from the law itself.

# %%
truth = dict(E=1.8, A=480.0, alpha=0.35, B=2100.0, beta=0.37, gain=0.15)
N, D, S = (a.ravel() for a in np.meshgrid(np.geomspace(1e8, 2e9, 4), np.geomspace(2e9, 5e10, 4), [1e9, 3e10, 1e12]))
runs = sj.simulate(with_datastore, truth, N=N, D=D, S=S, noise=0.004)
fit = sj.fit(with_datastore, runs, starts=512)
fit

# %%
fig, axes = plt.subplots(1, 2, figsize=(12, 4.5), layout="constrained")
sj.plot.fit_against_observed(fit, ax=axes[0])
sj.plot.residuals(fit, "S", ax=axes[1])
plt.show()

# %% [markdown]
# ## Dollars
#
# Training at a price per FLOP, and a datastore that has to be embedded and stored. The parameters of the cost are arguments, too.

# %%


def dollars(N, D, S, per_flop, per_token):
    """Cost of training and of the datastore."""
    return per_flop * 6 * N * D + per_token * S


prices = {"per_flop": 2.0 / (0.4 * 1e15 * 3600), "per_token": 5e-8}
draws = sj.laplace(fit)
plan = sj.allocate(draws, compute=[1e4, 1e5, 1e6], cost=dollars, **prices)
plan

# %%
budgets = np.geomspace(1e4, 1e7, 7)
many = sj.allocate(draws, compute=budgets, cost=dollars, **prices)
share = prices["per_token"] * many.inputs["S"] / budgets
fig, ax = plt.subplots(figsize=(6.4, 4), layout="constrained")
ax.plot(budgets, 100 * share, marker="o")
ax.set(xscale="log", xlabel="budget (dollars)", ylabel="share spent on the datastore (%)")
plt.show()

# %% [markdown]
# ## A quantity of your own
#
# Anything that follows from the parameters has an interval through `derive`: here, how many training tokens a datastore of a trillion
# tokens replaces, as a factor.

# %%


def tokens_saved(gain, beta):
    """Factor of training tokens that the datastore is worth."""
    return (1 + gain * jnp.log1p(1000.0)) ** (1 / beta)


sj.derive(draws, tokens_saved)

# %% [markdown]
# A saved fit of your own law is read with `sj.load_fit("fit.json", law=with_datastore)`.
