# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#   kernelspec:
#     display_name: Python 3
#     name: python3
# ---

# %% [markdown]
# # Which runs should be trained next?
#
# A first sweep has been trained, and the final model is far beyond it. There is compute for a few more runs. Which make the prediction
# surest, and when is it enough?

# %%
import matplotlib.pyplot as plt
import numpy as np

import scalejax as sj

law = sj.laws.chinchilla
truth = law.published["besiroglu2024"]
N, ratio = (a.ravel() for a in np.meshgrid(np.geomspace(4e7, 5e8, 5), [8.0, 20.0, 50.0]))
runs = sj.simulate(law, truth, N=N, D=ratio * N, noise=0.004, seed=3)
fit = sj.fit(law, runs)
target = {"N": 1e10, "D": 2e11}
draws = sj.laplace(fit)
low, high = draws.predict_interval(0.9, **target)
print(f"loss of the final run {low:.3f} to {high:.3f}; truth {float(law(*target.values(), **truth)):.3f}")
ax = sj.plot.iso_loss(fit, draws=draws)

# %% [markdown]
# ## A plan
#
# Sizes up to two billion, at most 4e20 FLOP in all, four runs. The plan weighs what a run tells of the target against what it costs, and
# does not trust the law to the last digit: runs near the target count more.

# %%
plan = sj.next_runs(fit, space={"N": (1e8, 2e9), "D": (2e9, 6e10)}, target=target, budget=4e20, runs=4)
plan

# %%
ax = sj.plot.design(plan)

# %% [markdown]
# ## Train them, fit again
#
# Here they are simulated. Did the interval shrink as promised?

# %%
new = {name: np.asarray(plan.runs[name]) for name in ("N", "D")}
trained = sj.simulate(law, truth, **new, noise=0.004, seed=4)
both = {name: np.concatenate([runs[name], trained[name]]) for name in ("N", "D", "loss")}
again = sj.fit(law, both)
after = sj.laplace(again).predict_interval(0.9, **target)
print(f"before {low:.3f} to {high:.3f}, after {after[0]:.3f} to {after[1]:.3f}")

# %% [markdown]
# ## Against a plan by hand
#
# The same compute in one large run, or in many small ones at twenty tokens per parameter:

# %%
rows = {}
one = np.sqrt(4e20 / 120)
by_hand = {"one large run": np.array([one]), "sixteen small runs": np.full(16, np.sqrt(4e20 / 16 / 120))}
for name, sizes in by_hand.items():
    more = sj.simulate(law, truth, N=sizes, D=20 * sizes, noise=0.004, seed=5)
    refitted = sj.fit(law, {key: np.concatenate([runs[key], more[key]]) for key in ("N", "D", "loss")})
    rows[name] = sj.laplace(refitted).predict_interval(0.9, **target)
rows = {"before": (low, high), "planned": after, **rows}
fig, ax = plt.subplots(figsize=(6.4, 2.6), layout="constrained")
for i, (a, b) in enumerate(rows.values()):
    ax.plot([a, b], [-i, -i], linewidth=4)
ax.axvline(float(law(*target.values(), **truth)), color="black", linewidth=1)
ax.set_yticks([-i for i in range(len(rows))], list(rows))
ax.set(xlabel="loss of the final run, 90 % interval (line: truth)")
plt.show()
