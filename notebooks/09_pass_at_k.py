# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#   kernelspec:
#     display_name: Python 3
#     name: python3
# ---

# %% [markdown]
# # How many samples should I draw, if the verifier errs?
#
# With enough samples most problems are solved by one of them. But someone must pick the right one. This notebook estimates coverage from
# counts, looks beyond the samples that were drawn, and then lets an imperfect verifier choose. Counts are simulated: 164 problems, 50
# samples.

# %%
import matplotlib.pyplot as plt
import numpy as np

import scalejax as sj

rng = np.random.default_rng(0)
problems, samples = 164, 50
right = rng.binomial(samples, rng.beta(0.35, 1.2, problems))
print(f"{(right == 0).sum()} of {problems} problems were never solved")

# %% [markdown]
# ## pass@k within the samples
#
# The unbiased estimator of Chen et al.; 1 - (1 - c/n)^k would be too low.

# %%
k = np.array([1, 2, 5, 10, 20, 50])
seen = sj.papers.pass_at_k(samples, right, k)
seen

# %% [markdown]
# ## Beyond the samples
#
# How many problems a thousand samples would solve depends on how hard the hard ones are. Difficulties that follow a beta distribution
# give the counts a likelihood; its posterior gives coverage at any k with an interval.

# %%
difficulty = sj.sample(
    "success_after", sj.papers.attempts(samples, right), likelihood="binomial", level_prior=False, method="laplace", draws=250
)
difficulty

# %%
many = np.geomspace(1, 1e4, 40)
coverage = sj.derive(difficulty, sj.laws.coverage_beta, k=many)
low, high = coverage.interval(0.9)["value"]
fig, ax = plt.subplots(figsize=(6.4, 4.2), layout="constrained")
ax.fill_between(many, low, high, alpha=0.25, linewidth=0)
ax.plot(many, coverage.value, label="coverage, with 90 % interval")
ax.errorbar(k, seen.coverage, yerr=1.645 * seen.error, fmt="o", color="black", capsize=3, label="from counts")
ax.axvspan(samples, 1e4, color="grey", alpha=0.08, linewidth=0)
ax.set(xscale="log", ylim=(0, 1), xlabel="samples k", ylabel="share of problems solved")
ax.legend(frameon=False, loc="upper left")
plt.show()

# %% [markdown]
# ## With a verifier that errs
#
# Samples are drawn until a verifier accepts one. It accepts every right answer and a share 1 - s of the wrong ones. On easy problems that
# does no harm; on hard ones it accepts a wrong answer before a right one comes. More samples then add wrong answers, and their number has
# a best value as soon as a wrong answer costs something.

# %%
tries = np.array([1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96])
costs = {"wrong answers cost nothing": 0.0, "a wrong answer costs as much as a right one gains": -1.0}
sound = np.linspace(0.5, 0.995, 8)
fig, axes = plt.subplots(1, 2, figsize=(12, 4.2), layout="constrained")
for label, value in costs.items():
    best = [sj.derive(difficulty, sj.formulas.best_attempts_beta, c=1.0, s=s, V_f=value, K=tries) for s in sound]
    axes[0].plot(sound, [b.correct for b in best], marker="o", label=label)
    axes[1].plot(sound, [b.K for b in best], marker="o", label=label)
axes[0].axhline(float(coverage.value[-1]), color="grey", linestyle="--", linewidth=1)
axes[0].set(xlabel="soundness of the verifier", ylabel="share of problems answered rightly", ylim=(0, 1))
axes[1].set(xlabel="soundness of the verifier", ylabel="best number of samples (96 at most)", yscale="log")
axes[0].legend(frameon=False, fontsize="small", loc="upper left")
plt.show()

# %% [markdown]
# The dashed line is what ten thousand samples cover. A verifier that lets one wrong answer in ten pass stays far below it, whatever the
# number of samples: improve the verifier before you draw more.

# %%
sj.derive(difficulty, sj.formulas.best_attempts_beta, c=1.0, s=0.9, V_f=-1.0, K=tries)
