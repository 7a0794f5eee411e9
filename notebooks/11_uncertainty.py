# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#   kernelspec:
#     display_name: Python 3
#     name: python3
# ---

# %% [markdown]
# # How sure is it really?
#
# An error bar can be wrong in three ways: rows are not independent, the law is not quite right, and the runs end before the question
# begins. Each makes intervals too narrow, and for each there is something to do. The runs are those of Hoffmann et al. as digitised.

# %%
import matplotlib.pyplot as plt
import numpy as np

import scalejax as sj

runs = sj.datasets.load("chinchilla_epoch")
fit = sj.fit("chinchilla", runs)
fit.verdict

# %% [markdown]
# ## Clusters
#
# Residuals of one size go together: 37 % of their variance lies between sizes. A bootstrap of single runs does not know; one of sizes does.

# %%
by_run, by_size = sj.bootstrap(fit, 1000, kind="cases"), sj.bootstrap(fit, 1000, groups="N")
ax = sj.plot.intervals({"every run alone": by_run, "sizes as units": by_size})

# %% [markdown]
# ## Is it true? Simulate it
#
# Simulated runs with an error common to each size: how often does a 90 % interval of alpha hold the truth? Forty data sets.

# %%
law, truth = sj.laws.chinchilla, sj.laws.chinchilla.published["besiroglu2024"]
N, D = (a.ravel() for a in np.meshgrid(np.geomspace(5e7, 5e9, 14), np.geomspace(2e9, 1e11, 5)))
size = np.unique(N, return_inverse=True)[1]
rng = np.random.default_rng(0)
held = {"every run alone": 0, "sizes as units": 0}
SETS = 40
clean = np.asarray(law(N, D, **truth))
noise = 0.006 * rng.standard_normal((SETS, 14))[:, size] + 0.003 * rng.standard_normal((SETS, len(N)))
table = {
    "N": np.tile(N, SETS),
    "D": np.tile(D, SETS),
    "loss": (clean * np.exp(noise)).ravel(),
    "set": np.repeat(np.arange(SETS), len(N)).astype(str),
}
fits = sj.fit(law, table, by="set", starts=64, loss=sj.squared())
for name, options in (("every run alone", {"kind": "cases"}), ("sizes as units", {"groups": "N"})):
    low, high = sj.bootstrap(fits, 200, **options).interval(0.9)["alpha"]
    held[name] = int(((low < truth["alpha"]) & (truth["alpha"] < high)).sum())
    print(f"{name:16} {held[name]} of {SETS} intervals of 90 % hold the truth")

# %% [markdown]
# ## Hold-out
#
# Fit to the smaller runs, predict the fifth with the largest compute, count. If 90 % intervals hold much less than 90 %, the law bends
# otherwise than the runs, and every extrapolation of it is to be distrusted.

# %%
laws = {name: sj.laws[name] for name in ("chinchilla", "chinchilla_outer", "kaplan_irreducible")}
sj.holdout(laws, runs, largest=0.2)

# %% [markdown]
# ## Misfit
#
# What the formula leaves can be taken up by a smooth function of the inputs, held small by a prior. Its uncertainty then stands in the
# intervals: a little wider among the runs, much wider beyond them. The covariance is that of the model, prior included.

# %%
bent = sj.fit("chinchilla", runs, misfit=True)
for at in ({"N": 1e9, "D": 2e10}, {"N": 7e10, "D": 1.4e12}):
    for name, one in (("law alone", fit), ("with misfit", bent)):
        low, high = sj.laplace(one, covariance="model").predict_interval(0.9, **at)
        print(f"N = {at['N']:.0e}, {name:12} {low:.3f} to {high:.3f}")

# %%
fig, axes = plt.subplots(1, 2, figsize=(12, 4.2), layout="constrained", sharey=True)
sj.plot.residuals(fit, "D", ax=axes[0]).set_title("the law alone")
sj.plot.residuals(bent, "D", ax=axes[1]).set_title("with misfit")
plt.show()

# %% [markdown]
# ## A forecast that has learned how wrong it has been
#
# `forecast` asks several laws to predict the larger runs from the smaller ones, from several origins, weighs them by what they missed,
# and puts that into the interval. Here the runs below a tenth of the largest compute forecast the others.

# %%
compute = runs["C"]
small, large = runs.where(compute < compute.max() / 10), runs.where(compute >= compute.max() / 10)
points = {"N": large["N"], "D": large["D"]}
found = sj.forecast(small, points, laws=list(laws))
low, high = found.interval(0.9)
print(f"{np.mean((low < large['loss']) & (large['loss'] < high)):.0%} of {len(large)} larger runs lie in their 90 % interval")
ax = sj.plot.forecast(found, observed=large["loss"])
