# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#   kernelspec:
#     display_name: Python 3
#     name: python3
# ---

# %% [markdown]
# # There are only 30 billion tokens. How often should they be repeated?
#
# Repeated tokens are worth less than fresh ones, and more than nothing. The data-constrained law of Muennighoff et al. says how much
# less. Here it is fitted to a sweep with repetition (simulated with their constants), and asked what limited data cost.

# %%
import matplotlib.pyplot as plt
import numpy as np

import scalejax as sj

law = sj.laws.data_constrained
truth = law.published["muennighoff2023"]
N, U, epochs = (a.ravel() for a in np.meshgrid([1e8, 3e8, 1e9, 3e9], [1e9, 4e9, 1.2e10], [1, 2, 4, 8, 16, 40]))
D = U * epochs
runs = sj.simulate(law, truth, N=N, D=D, U=U, noise=0.004, seed=0)
runs

# %% [markdown]
# ## Fit
#
# In the paper A, alpha, B and beta come from runs of one epoch, and are held; then only the two constants of repetition are fitted.

# %%
once = {name: truth[name] for name in law.parameters if name not in ("R_D_star", "R_N_star")}
fit = sj.fit(law, runs, fix=once, starts=256)
fit

# %%
fig, axes = plt.subplots(1, 2, figsize=(12, 4.5), layout="constrained")
sj.plot.fit_against_observed(fit, ax=axes[0])
sj.plot.residuals(fit, "D", ax=axes[1])
plt.show()

# %% [markdown]
# ## What are repeated tokens worth?
#
# The number of fresh tokens that would reach the same loss, as a share of the tokens seen:

# %%
draws = sj.laplace(fit)
epochs = np.array([1.0, 2, 4, 8, 16, 40])
worth = sj.equivalent(draws, "D", like={"N": 1e9, "D": 3e10 * epochs, "U": 3e10}, N=1e9, U=1e16)
low, high = worth.interval(0.9)["ratio"]
fig, ax = plt.subplots(figsize=(6.4, 4), layout="constrained")
ax.fill_between(epochs, low, high, alpha=0.25, linewidth=0)
ax.plot(epochs, worth.ratio, marker="o")
ax.set(xscale="log", ylim=(0, 1.05), xlabel="epochs over 30 billion tokens", ylabel="worth of a token, fresh ones = 1")
ax.set_xticks(epochs, [f"{e:.0f}" for e in epochs])
plt.show()

# %% [markdown]
# Four epochs are nearly as good as fresh tokens; forty are a waste.
#
# ## The best run for a budget
#
# With plenty of data the best model for a budget is Chinchilla's. With 30 billion tokens it is larger, and sees them several times.

# %%
plan = sj.allocate(draws, compute=np.logspace(20, 23, 7), U=3e10)
plan

# %%
fig, axes = plt.subplots(1, 2, figsize=(12, 4.5), layout="constrained")
sj.plot.optimal_sizes(plan, ax=axes[0])
free = sj.allocate(draws, compute=np.logspace(20, 23, 7), U=1e14)
axes[1].plot(plan.compute, plan.loss, label="30 billion tokens")
axes[1].plot(free.compute, free.loss, label="as many as wanted")
axes[1].set(xscale="log", xlabel="compute (FLOP)", ylabel="loss")
axes[1].legend(frameon=False)
plt.show()

# %% [markdown]
# ## What would more data be worth?
#
# In compute: how much more the budget would have to be for the loss that ten times the data reach.

# %%
gain = sj.compute_multiplier((draws, {"U": 3e11}), (draws, {"U": 3e10}), compute=[1e21, 1e22])
gain
