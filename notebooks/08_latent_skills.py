# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#   kernelspec:
#     display_name: Python 3
#     name: python3
# ---

# %% [markdown]
# # Nine families, six benchmarks, half the table missing: what will the next model score?
#
# Published models were trained differently and evaluated on different benchmarks. Still their scores hang together: a few skills explain
# most of them, and within a family skills grow with size and data. The table is simulated, with gaps, so that predictions can be checked.

# %%
import matplotlib.pyplot as plt
import numpy as np

import scalejax as sj

rng = np.random.default_rng(6)
families, benchmarks = list("ABCDEFGHI"), ["reading", "commonsense", "maths", "code", "facts", "logic"]
level = dict(zip(families, rng.normal(0.2, 0.5, 9), strict=True))
ease = dict(zip(benchmarks, [0.0, 0.6, -1.2, -0.9, 0.2, -0.5], strict=True))
weight = dict(zip(benchmarks, [1.0, 0.7, 1.6, 1.5, 0.9, 1.2], strict=True))
models = [(f, s, t) for f in families for s in np.geomspace(0.4, 70, 5) for t in [rng.uniform(0.3, 6.0)]]
law, common = sj.laws.sloth, {"beta_s": [0.35], "beta_t": [0.3], "beta_st": [0.02]}


def score_of(f, s, t, b):
    """True score of a model of family f with s billion parameters and t trillion tokens on benchmark b."""
    return float(law(s, t, alpha=[level[f]], loading=[weight[b]], b=ease[b], gamma=0.25, **common))


rows = [(f, s, t, b, score_of(f, s, t, b)) for f, s, t in models for b in benchmarks]
family, size, tokens, benchmark, truth = (np.array(column) for column in zip(*rows, strict=True))
score = np.clip(truth + 0.012 * rng.standard_normal(len(truth)), 0, 1)
largest = size > 60
known = (rng.random(len(score)) < 0.6) & ~largest
print(f"{known.sum()} of {len(score)} scores are known; the largest model of every family is held out")

# %% [markdown]
# ## One fit of everything
#
# One skill; a level of every family, and loading and ease of every benchmark are groups that cross. The first benchmark is the unit of the
# skill, and guesses score 25 %.

# %%
table = {"s": size, "t": tokens, "score": score, "family": family, "benchmark": benchmark}
fit = sj.fit(
    law,
    {name: column[known] for name, column in table.items()},
    by={"alpha": "family", "loading": "benchmark", "b": "benchmark"},
    fix={"loading": {"reading": [1.0]}, "b": {"reading": 0.0}, "gamma": 0.25},
    sizes={"skill": 1},
    on="linear",
    loss=sj.squared(),
    starts=64,
)
fit

# %% [markdown]
# ## The models that were held out

# %%
unseen = [row for row, out in zip(rows, largest, strict=True) if out]
predicted = np.array([fit.predict(s=s, t=t, group={"family": f, "benchmark": b}) for f, s, t, b, _ in unseen])
error = np.abs(predicted - score[largest])
print(f"mean error of {largest.sum()} scores of unseen models: {100 * error.mean():.1f} points")
fig, ax = plt.subplots(figsize=(5, 4.6), layout="constrained")
for name in benchmarks:
    mine = benchmark[largest] == name
    ax.scatter(predicted[mine], score[largest][mine], s=24, label=name)
ax.plot([0.2, 1], [0.2, 1], color="grey", linewidth=1)
ax.set(xlabel="predicted score", ylabel="observed score")
ax.legend(frameon=False, fontsize="small")
plt.show()

# %% [markdown]
# ## Capabilities without a law
#
# Observational scaling asks less: principal components of the scores, gaps filled, and a line of every family against compute. A harder
# task is then predicted from them, with intervals from resampled models.

# %%
wide = np.where(known | (rng.random(len(score)) < 0.5), score, np.nan).reshape(len(models), len(benchmarks))
compute = np.array([6e21 * s * t for _, s, t in models])
skill = np.array([level[f] + 0.35 * np.log(s) + 0.3 * np.log(t) for f, s, t in models])
outcome = 1 / (1 + np.exp(2.5 - 1.8 * skill))
small = np.array([s < 60 for _, s, _ in models])
observed = sj.studies.observational_forecast(
    wide, outcome, train=small, compute=compute, family=[f for f, _, _ in models], components=1, replicates=200
)
print(f"error on the task, over the models held out: {100 * observed.error(outcome):.1f} points")
observed

# %%
held = np.flatnonzero(~small)
low, high = (end[held] for end in observed.interval(0.9)["score"])
at = observed.score[held]
fig, ax = plt.subplots(figsize=(6.4, 4), layout="constrained")
ax.errorbar(range(len(held)), at, yerr=[at - low, high - at], fmt="o", capsize=3, label="forecast, 90 % interval")
ax.scatter(range(len(held)), outcome[held], marker="x", color="black", zorder=3, label="observed")
ax.set_xticks(range(len(held)), [models[i][0] for i in held])
ax.set(xlabel="family (its largest model)", ylabel="score on the harder task", ylim=(0, 1.05))
ax.legend(frameon=False)
plt.show()

# %% [markdown]
# The forecasts miss by more than their intervals say: scores saturate, and a straight component of them does not know where the largest
# models stand. The law above, with its floor, its sigmoid and its levels of families, does not have that fault. What a method leaves out
# shows where it is asked beyond its models.
