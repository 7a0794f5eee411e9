# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#   kernelspec:
#     display_name: Python 3
#     name: python3
# ---

# %% [markdown]
# # Ten thousand fits: what changes on a GPU?
#
# Every start, bootstrap replicate and data set is a member of one batch, and one compiled program fits them all. This notebook runs the
# same jobs on the device that is here, whichever it is, shows it, and checks what must not depend on it.

# %%
import time

import jax
import matplotlib.pyplot as plt
import numpy as np

import scalejax as sj

device = jax.devices()[0]
print(f"{device.platform}: {device.device_kind}, {jax.device_count()} device(s)")

# %% [markdown]
# ## Bootstrap replicates
#
# The first call compiles, the second one computes. Times are those of this machine while this notebook ran; yours will differ.

# %%
runs = sj.datasets.load("chinchilla_epoch")
fit = sj.fit("chinchilla", runs)
sizes, seconds = [250, 1000, 4000], []
for replicates in sizes:
    for _ in range(2):
        began = time.perf_counter()
        draws = sj.bootstrap(fit, replicates)
        took = time.perf_counter() - began
    seconds.append(took)
    print(f"{replicates:6,} refits of 240 runs: {took:6.2f} s, {1000 * took / replicates:.2f} ms each")

# %%
fig, ax = plt.subplots(figsize=(6.4, 4), layout="constrained")
ax.plot(sizes, seconds, marker="o")
ax.set(xscale="log", yscale="log", xlabel="refits in a batch", ylabel="seconds", title=f"{device.platform}: {device.device_kind}")
plt.show()

# %% [markdown]
# On a CPU the time grows with the batch, because chunks of members that fit the cache share the cores. On a GPU it hardly does until the
# device is full: a batch of a few hundred fits is too small to pay for it, one of many thousands is where it wins.
#
# ## Many data sets
#
# A thousand simulated sweeps, each with constants of its own, in one call:

# %%
law, truth = sj.laws.power_law, {"E": 1.7, "A": 20.0, "alpha": 0.3}
x = np.geomspace(1e4, 1e9, 16)
rng = np.random.default_rng(0)
exponents = rng.normal(0.3, 0.02, 1000)
loss = (truth["E"] + truth["A"] * x ** -exponents[:, None]) * np.exp(0.002 * rng.standard_normal((1000, 16)))
table = {"x": np.tile(x, 1000), "loss": loss.ravel(), "set": np.repeat(np.arange(1000), 16).astype(str)}
began = time.perf_counter()
many = sj.fit(law, table, by="set", starts=64)
print(f"1,000 fits in {time.perf_counter() - began:.1f} s, compilation included")
order = [int(name) for name in many.groups]
error = many.params["alpha"] - exponents[order]
print(f"exponents are off by {error.mean():+.4f} on average, {error.std():.4f} each")

# %%
fig, ax = plt.subplots(figsize=(6.4, 4), layout="constrained")
ax.scatter(exponents[order], many.params["alpha"], s=4)
ax.plot([0.22, 0.38], [0.22, 0.38], color="grey", linewidth=1)
ax.set(xlabel="simulated exponent", ylabel="fitted exponent")
plt.show()

# %% [markdown]
# ## What must not change
#
# Double precision is used on every device, without touching your global setting. The optimum agrees with that of another start, and with
# any other device, to far more digits than its standard error:

# %%
again = sj.fit("chinchilla", runs, seed=1)
for name, value in fit.params.items():
    print(f"{name:6} {value:.8g}   another seed {again.params[name]:.8g}")

# %% [markdown]
# Several devices of one machine are used without being asked. To choose one, wrap the calls in `jax.default_device(...)`; on several
# hosts call `jax.distributed.initialize()` first and run the same script everywhere.
