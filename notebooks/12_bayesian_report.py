# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#   kernelspec:
#     display_name: Python 3
#     name: python3
# ---

# %% [markdown]
# # Which laws do the runs allow, and how likely is each?
#
# A posterior says which laws the runs allow, and how likely each is. This notebook samples one, checks it, lets groups borrow from each
# other, compares laws, decides with it, and writes a report. Whether the method keeps its promises for a law of your own is tested by
# `sj.calibrate`, on simulated runs whose truth is known.

# %%
# %matplotlib inline
import matplotlib.pyplot as plt
import numpy as np
import numpyro.distributions as dist

import scalejax as sj

runs = sj.datasets.load("pylib")
law = sj.laws.chinchilla_outer

# %% [markdown]
# ## Before the runs count
#
# Priors come from the law's domains: a parameter's plausible range holds the central 95 % of its prior. Beside them stands the level of the
# observed losses, as if it were known to a factor of about three: without it (`level_prior=False`) the ranges together allow losses of
# thousands. Do losses drawn from the priors look like losses? If the observed ones lay outside, the priors would be wrong before anything
# is fitted.

# %%
before = sj.prior_predictive(law, runs)
before

# %%
ax = sj.plot.prior_predictive(before, runs)

# %% [markdown]
# The observed losses lie in the lower half: the ranges of A and B were made for models a thousand times larger than these. Such priors are
# wide rather than wrong, but whether they move the answer is to be looked at below.

# %% [markdown]
# ## The posterior
#
# Four chains of the No-U-Turn sampler, which go on until these numbers are good enough. Below the estimates stand the noise and the
# diagnostics: R-hat compares the chains (1.01 at most), ESS is how many independent draws they are worth.

# %%
posterior = sj.sample(law, runs, draws=500)
posterior

# %% [markdown]
# Orange lines are priors. A thin slanted streak means that the runs determine only a combination of two parameters: quote these together.

# %%
axes = sj.plot.pairs(posterior, ["E", "A", "alpha", "B", "beta"])

# %% [markdown]
# ## The law, and a new run
#
# Where the law lies (`kind="mean"`) is one question, where the next run will land (`kind="run"`) another: runs scatter around the law.
# Between the runs this scatter is most of what is unknown, far beyond them the law itself is.

# %%
for N, D in ((3e5, 1e7), (1e8, 1e10)):
    for kind in ("mean", "run"):
        low, high = posterior.predict_interval(0.9, kind=kind, N=N, D=D)
        print(f"N = {N:.0e}, D = {D:.0e}, {kind:4} {low:.3f} to {high:.3f}")

# %%
ax = sj.plot.fan(posterior.fit, posterior)

# %% [markdown]
# ## Is it the prior that speaks?
#
# Raise the prior, or the likelihood, to a power near one: whose change moves a parameter decided it.

# %%
posterior.prior_sensitivity()

# %% [markdown]
# Both pull, as the first picture let expect. Another prior of q gives another q. Predictions far beyond the runs move with it by 0.08,
# those between the runs by 0.01.

# %%
other = sj.sample(law, runs, method="laplace", priors={"q": dist.LogNormal(0.0, 0.15)})
for name, drawn in (("default", posterior), ("q near 1", other)):
    inside, beyond = (drawn.predict_interval(0.9, N=N, D=D) for N, D in ((3e5, 1e7), (1e8, 1e10)))
    print(
        "{:10} q {:.2f} to {:.2f}   inside {:.3f} to {:.3f}   beyond {:.3f} to {:.3f}".format(
            name, *drawn.interval()["q"], *inside, *beyond
        )
    )

# %% [markdown]
# ## Do simulated runs look like the real ones?
#
# Simulate all runs anew from every draw, and compare spread, trends and neighbours of the residuals. A tail probability near 0 or 1 is
# something that the law or the likelihood misses. Here runs of similar N err in the same direction more often than chance allows:
# the law is not quite right in N.

# %%
check = posterior.predictive_check()
check

# %%
axes = sj.plot.predictive_check(check)

# %% [markdown]
# ## Which law?
#
# `compare` leaves out one run at a time, whose neighbours stay. `holdout` leaves out the largest: there a law must extrapolate, as in
# use.

# %%
comparison = sj.compare({"sum": sj.sample("chinchilla", runs), "outer exponent": posterior})
comparison

# %%
sj.holdout({"sum": sj.laws.chinchilla, "outer exponent": law}, runs, largest=0.15)

# %% [markdown]
# ## Groups that borrow from each other
#
# Six corpora, simulated with exponents of their own; the last has only six small runs. `by=` gives every corpus its own parameters, and
# the posterior learns how much corpora differ. Compare the last one's prediction with what it alone would say.

# %%
rng = np.random.default_rng(0)
exponents = 0.3 * np.exp(0.1 * rng.standard_normal(6))
tables = []
for i, alpha in enumerate(exponents):
    x = np.logspace(4, 6, 6) if i == 5 else np.logspace(4, 9, 16)
    drawn = sj.simulate(sj.laws.power_law, {"E": 1.5, "A": 20.0, "alpha": alpha}, x=x, noise=0.005, seed=i)
    tables.append({"x": x, "loss": drawn["loss"], "corpus": [f"corpus {i}"] * len(x)})
together = {name: np.concatenate([table[name] for table in tables]) for name in tables[0]}

pooled = sj.sample("power_law", together, by="corpus", share="E", likelihood="normal")
alone = sj.sample("power_law", {name: tables[5][name] for name in ("x", "loss")}, likelihood="normal", method="laplace")
truth = 1.5 + 20.0 * 1e9 ** -exponents[5]
print(f"truth {truth:.3f}")
print("alone {:.3f} to {:.3f}".format(*alone.predict_interval(0.9, x=1e9)))
print("pooled {:.3f} to {:.3f}".format(*pooled.predict_interval(0.9, x=1e9, group="corpus 5")))

# %%
fig, axes = plt.subplots(1, 2, figsize=(12, 4.5), layout="constrained", sharey=True)
sj.plot.fan(alone.fit, alone, decades=3, ax=axes[0]).set_title("six runs alone")
sj.plot.fan(pooled.fit, pooled, decades=3, group="corpus 5", ax=axes[1]).set_title("the same, with five other corpora")
plt.show()

# %% [markdown]
# ## Decide with it
#
# Whatever takes a fit takes a posterior, and answers with an interval.

# %%
plan = sj.allocate(posterior, compute=[1e15, 1e16, 1e17])
plan

# %% [markdown]
# ## Report
#
# One self-contained HTML file: verdict, estimates, priors beside posteriors, what the runs cannot tell apart, and whether to trust the
# draws.

# %%
sj.report(posterior, "posterior.html", allocation=plan, comparison=comparison)
