# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#   kernelspec:
#     display_name: Python 3
#     name: python3
# ---

# %% [markdown]
# # From a fit to decisions
#
# A fit is worth what it decides. This notebook takes the embedded runs through every question: sizes for a budget or a target, what a wrong
# choice costs, which of two recipes to use, data mixtures, and which runs to train next. All answers carry their uncertainty.

# %%
import jax.numpy as jnp
import numpy as np

import scalejax as sj

runs = sj.datasets.load("pylib")
fit = sj.fit("chinchilla_outer", runs)
draws = sj.bootstrap(fit, 500)

# %% [markdown]
# ## Sizes for a budget, and how much they matter

# %%
plan = sj.allocate(draws, compute=[1e15, 1e16, 1e17])
plan

# %% [markdown]
# The optimum is flat: within one per cent of the best loss the size may vary by large factors.

# %%
plan.within(0.01)["N"]

# %%
ax = sj.plot.valley(plan)

# %% [markdown]
# What moves it: elasticities by the implicit function theorem, in per cent for one per cent.

# %%
plan.sensitivity(index=2)

# %% [markdown]
# ## The cheapest way to a loss, over a lifetime
#
# With a trillion tokens of inference to serve, a smaller model trained longer is cheaper.

# %%
target = float(plan.loss[2])
for served in (0.0, 1e12):
    print(sj.allocate(fit, loss=target, cost=sj.costs.six_nd_inference, D_inf=served), "\n")

# %% [markdown]
# ## What a given run wastes

# %%
sj.regret(draws, N=2e6, D=2e9)

# %% [markdown]
# ## Which recipe?
#
# A second recipe, simulated here from other constants: worse when small, better when large.

# %%
other = sj.fit(
    "chinchilla_outer",
    sj.simulate(fit.law, {**fit.params, "E": 0.3 * fit.params["E"], "A": 2.5 * fit.params["A"]}, N=runs["N"], D=runs["D"], noise=0.01),
)
pick = sj.choose({"ours": draws, "other": sj.bootstrap(other, 500)}, compute=np.logspace(12, 18, 13))
pick

# %%
ax = sj.plot.choice(pick)

# %% [markdown]
# In terms of compute: how much more the first recipe needs for what the second one reaches.

# %%
sj.compute_multiplier(other, fit, compute=[1e14, 1e15, 1e16])

# %% [markdown]
# ## A data mixture
#
# Losses on three targets were measured on 40 mixtures of three domains (simulated), and one law was fitted to each.


# %%
@sj.law(h=sj.Simplex(), c=sj.Positive(0.1, 5), t=sj.Real(-5, 5, axis="domain"))
def mixing(h, *, c, t):
    """The data mixing law of Ye et al. 2024, arXiv:2403.16952."""
    return c + jnp.exp(jnp.sum(t * h, axis=-1))


tried = np.random.default_rng(0).dirichlet(np.ones(3), 40)
truths = {"prose": [-3.0, 0.3, 0.2], "code": [0.4, -5.0, 0.1], "mathematics": [0.1, -1.0, -5.0]}
fits = {
    name: sj.fit(mixing, sj.simulate(mixing, {"c": 1.5, "t": t}, h=tried, noise=0.01, seed=i), starts=128)
    for i, (name, t) in enumerate(truths.items())
}
best = sj.optimal_mixture(
    fits, weights={"prose": 0.5, "code": 0.3, "mathematics": 0.2}, caps=[1, 0.25, 1], domains=["web", "code", "books"]
)
best

# %%
best.against({"uniform": [1 / 3] * 3})

# %%
ax = sj.plot.mixture(best, {"uniform": [1 / 3] * 3})

# %% [markdown]
# ## The next runs
#
# Which small runs make the loss of a larger one surest?

# %%
more = sj.next_runs(fit, space={"N": (2e4, 6e5), "D": (1e6, 2e7)}, target={"N": 1e7, "D": 1e9}, budget=2e14, runs=6)
more

# %%
ax = sj.plot.design(more)
