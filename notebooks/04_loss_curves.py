# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#   kernelspec:
#     display_name: Python 3
#     name: python3
# ---

# %% [markdown]
# # Where will this run end, and which schedule would have been better?
#
# A run is at 60 % of its steps. Its loss will still fall, most of all while the learning rate decays, and a power law through the curve
# so far misses that. A law of whole curves takes the learning rate of every step. The curves are simulated from published constants, with
# noise.

# %%
import numpy as np

import scalejax as sj

law, rate = sj.laws.multi_power, sj.schedules
truth = law.published["luo2025_25M"]
rates = {
    "cosine, finished": rate.cosine(4000, 3e-4, 3e-5),
    "WSD, finished": rate.wsd(4000, 3e-4, 3e-5),
    "cosine, running": rate.cosine(12_000, 3e-4, 3e-5),
}
rng = np.random.default_rng(0)


def log(eta, until):
    step = np.arange(400, until, 200)
    return {"step": step, "loss": np.asarray(law(eta, step, 0, **truth)) * np.exp(0.002 * rng.standard_normal(len(step)))}


logs = {name: log(eta, 7200 if "running" in name else len(eta)) for name, eta in rates.items()}
curves = sj.read_curves(logs, schedules=rates)
curves

# %% [markdown]
# Three curves do not tell how quickly annealing acts: those constants are taken from a published fit to a model four times as large. The
# levels and the main exponent come from the curves.

# %%
borrowed = {name: law.published["luo2025_100M"][name] for name in ("C", "beta", "gamma")}
fit = sj.fit(law, curves, fix=borrowed, starts=64)
fit

# %%
ax = sj.plot.curves(fit)

# %% [markdown]
# Steps that follow each other on a curve are not independent, so the bootstrap resamples blocks of them.

# %%
end = {"eta": rates["cosine, running"][None], "t": np.array([[11_999]]), "W": np.zeros(1)}
draws = sj.bootstrap(fit, 200)
low, high = draws.predict_interval(0.9, kind="run", **end)
print(f"forecast of the last step {fit.predict(**end).item():.4f}, 90 % interval {low.item():.4f} to {high.item():.4f}")
print(f"what the simulation says  {float(law(rates['cosine, running'], 11_999, 0, **truth)):.4f}")

# %% [markdown]
# The naive way, for comparison: a power law of the step through the running curve alone.

# %%
running = logs["cosine, running"]
naive = sj.fit("power_law", {"x": running["step"].astype(float), "loss": running["loss"]})
print(f"a power law through the curve so far says {naive.predict(x=12_000.0):.4f}")
ax = sj.plot.curve(naive, decades=0.5)

# %% [markdown]
# It happens to be near or far by accident: it does not know what the learning rate is going to do.
#
# ## Which schedule?
#
# Under the fitted law the best decay of the family "constant, then a fall" is found by gradients, beside the usual schedules.

# %%
best = sj.optimal_schedule(fit, steps=12_000, peak=3e-4, end=3e-5, warmup=1000, shape="wsd")
best

# %%
ax = sj.plot.schedule(best)
