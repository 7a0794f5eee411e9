# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#   kernelspec:
#     display_name: Python 3
#     name: python3
# ---

# %% [markdown]
# # Which of three architectures should be scaled?
#
# A dense model, a mixture of experts and a state-space model were swept on the same grid. Which is best at the budget of the final run,
# and how sure is that? The sweeps are simulated, so that the answer can be compared with the truth: the experts save data and size alike,
# the state-space model is worse when small and has a slightly better exponent of size.

# %%
import matplotlib.pyplot as plt
import numpy as np

import scalejax as sj

law = sj.laws.chinchilla
dense = dict(law.published["besiroglu2024"])
worlds = {
    "dense": dense,
    "moe": {**dense, "A": 0.9 * dense["A"], "B": 0.93 * dense["B"]},
    "ssm": {**dense, "A": 1.25 * dense["A"], "alpha": 0.358},
}
N, D = (a.ravel() for a in np.meshgrid(np.geomspace(5e7, 2e9, 6), np.geomspace(2e9, 4e10, 5)))
tables = {name: sj.simulate(law, world, N=N, D=D, noise=0.003, seed=i) for i, (name, world) in enumerate(worlds.items())}

# %% [markdown]
# ## Three fits, or one?
#
# Fitted apart, every architecture has five constants of its own, and the comparison at a large budget compares three extrapolations.

# %%
apart = {name: sj.fit(law, table) for name, table in tables.items()}
budgets = np.logspace(20, 24, 9)
pick = sj.choose(apart, compute=budgets)
pick

# %%
ax = sj.plot.choice(pick)

# %% [markdown]
# The same text was predicted by all, so they share the entropy $E$, and there is little reason for another exponent of data. One joint
# fit that says so needs fewer constants:

# %%
table = {
    "N": np.tile(N, 3),
    "D": np.tile(D, 3),
    "loss": np.concatenate([t["loss"] for t in tables.values()]),
    "arch": np.repeat(list(tables), len(N)),
}
joint = sj.fit(law, table, by="arch", share=["E", "beta"])
joint

# %%
together = sj.choose({name: (joint, {"group": name}) for name in tables}, compute=budgets)
together

# %%
fig, axes = plt.subplots(1, 2, figsize=(12, 4.5), layout="constrained")
sj.plot.choice(together, ax=axes[0])
gain = sj.compute_multiplier((joint, {"group": "moe"}), (joint, {"group": "dense"}), compute=budgets)
sj.plot.multiplier(gain, ax=axes[1])
plt.show()

# %% [markdown]
# ## Do the exponents differ?
#
# The test of the question behind the question: does the state-space model scale better than the dense one?

# %%
sj.equality_test(sj.bootstrap(apart["ssm"], 500), sj.bootstrap(apart["dense"], 500), names=["alpha", "beta"])

# %% [markdown]
# ## What the truth was
#
# Effective compute of the experts over the dense model at 1e22 FLOP:

# %%
true_gain = sj.compute_multiplier((law, worlds["moe"]), (law, worlds["dense"]), compute=1e22)
low, high = sj.compute_multiplier((joint, {"group": "moe"}), (joint, {"group": "dense"}), compute=1e22).interval(0.9)["multiplier"]
print(f"true {true_gain.multiplier:.2f}; 90 % interval {low:.2f} to {high:.2f}")
