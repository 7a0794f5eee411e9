# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#   kernelspec:
#     display_name: Python 3
#     name: python3
# ---

# %% [markdown]
# # A larger model, more samples, or longer answers?
#
# Compute at test time can go into the size of the model, the length of its answers, or the number of them. What is best depends on what
# each buys, and on what each costs: attention over a long answer and reading its keys and values are not free. The constants below are
# made up to show the mechanism; fit `sj.power_product` to your own evaluations.

# %%
import matplotlib.pyplot as plt
import numpy as np

import scalejax as sj

law = sj.power_product("P", "L_o", "n", output="missed")
exponents = {"p_P": -0.35, "p_L_o": -0.5, "p_n": -0.3}
rng = np.random.default_rng(1)
grid = np.meshgrid([1.7e9, 4e9, 8e9, 14e9, 32e9], [1e3, 4e3, 1.6e4], [1, 4, 16], indexing="ij")
P, L_o, n = (v.ravel().astype(float) for v in grid)
evaluations = {
    "P": P,
    "L_o": L_o,
    "n": n,
    "missed": np.asarray(law(P, L_o, n, c=1e5, **exponents)) * np.exp(0.03 * rng.standard_normal(len(P))),
}
fit = sj.fit(law, evaluations, starts=256)
fit

# %% [markdown]
# `missed` is -ln coverage: 0.1 means that nine in ten problems are solved.
#
# ## The best split of a budget
#
# The cost of an answer counts parameters, attention, and memory traffic, all in equivalent FLOPs (Sadhukhan et al. 2025). `intensity` is
# how many FLOPs the hardware does while it moves a byte; 0 ignores memory. The sizes are those of the family that was evaluated.

# %%


def cost(P, L_o, n, intensity):
    """Equivalent FLOPs of a question: heads grow with the model."""
    width = 0.03 * P ** (2 / 3)
    return sj.papers.answer_flops(P, 200.0, L_o, n, d_attn=width, d_kv=width / 4, intensity=intensity)


family = [1.7e9, 4e9, 8e9, 14e9, 32e9]
limits = {"choices": {"P": family}, "bounds": {"L_o": (2e2, 1e5), "n": (1.0, 1e3)}}
budgets = np.geomspace(5e12, 1e16, 8)
draws = sj.laplace(fit, 200)
plans = {
    name: sj.allocate(draws, compute=budgets, cost=cost, intensity=intensity, **limits)
    for name, intensity in (("compute alone", 0.0), ("with memory", 562.5))
}
plans["with memory"]

# %%
fig, axes = plt.subplots(1, 3, figsize=(13, 3.8), layout="constrained")
for ax, (name, label) in zip(axes, {"P": "parameters", "L_o": "tokens of an answer", "n": "answers"}.items(), strict=True):
    for plan_name, plan in plans.items():
        low, high = plan.interval(0.9)[name]
        (line,) = ax.plot(budgets, plan.inputs[name], label=plan_name)
        ax.fill_between(budgets, low, high, color=line.get_color(), alpha=0.2, linewidth=0)
    ax.set(xscale="log", yscale="log", xlabel="equivalent FLOPs a question", ylabel=label)
axes[0].legend(frameon=False)
plt.show()

# %% [markdown]
# Counting memory moves the optimum to larger models and shorter answers: keys and values of long answers must be read for every token.
# Once the largest model is reached, answers get longer, and at last there are more of them.
#
# ## Against training a larger model
#
# A model fourteen times smaller may use this many times the tokens at inference for the same lifetime compute, by the share of inference:

# %%
for ratio in (0.1, 1.0, 10.0):
    print(f"{ratio:5.1f} tokens served per token of training: {sj.papers.matched_inference(14, ratio):6.1f} times the tokens")

# %% [markdown]
# ## By difficulty
#
# Revising an answer helps on easy questions, fresh samples help on hard ones. Choosing the strategy by difficulty, on other questions
# than it is scored on, beats any single one. Simulated: chances of two strategies at five budgets on 500 questions.

# %%
ease = rng.uniform(0.02, 0.9, 500)
samples = 2 ** np.arange(1, 6)
parallel = 1 - (1 - ease) ** (samples[:, None] * 0.5)
sequential = np.clip(ease * (1 + 0.9 * np.log2(samples)[:, None] * ease), 0, 1)
correct = rng.random((2, 5, 500)) < np.stack([sequential, parallel])
found = sj.papers.best_strategies(correct, ease, bins=4)
fig, ax = plt.subplots(figsize=(6.4, 4), layout="constrained")
ax.plot(samples, found.accuracy, marker="o", label="chosen by difficulty")
ax.plot(samples, found.fixed, marker="o", label="one strategy for all")
ax.set(xscale="log", xlabel="samples", ylabel="accuracy")
ax.set_xticks(samples, samples)
ax.legend(frameon=False)
plt.show()
