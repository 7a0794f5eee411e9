# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#   kernelspec:
#     display_name: Python 3
#     name: python3
# ---

# %% [markdown]
# # What will a ten times larger model score?
#
# Sixteen small models were evaluated on four tasks of four options, where guessing scores 25 %. The final model will have ten times the
# compute of the largest. This notebook predicts its accuracy with intervals: from size and tokens to the loss of the task, and from that
# loss to accuracy. The runs are simulated with constants that Bhagia et al. fitted to real ones, and one task is added that no model
# solves.

# %%
import numpy as np

import scalejax as sj

laws = sj.laws
chain = sj.chain(loss=laws.chinchilla, accuracy=(laws.llama3_accuracy, {"nll": "loss"}))
N, D = (v.ravel() for v in np.meshgrid([1.9e8, 3.7e8, 7.6e8, 1.28e9], [1e10, 2e10, 5e10, 1e11]))
target = {"N": 4e9, "D": 3.2e11}
ITEMS = {"hellaswag": 10_042, "mmlu": 14_042, "arc_challenge": 1172}
rng = np.random.default_rng(5)
runs, truth = {"N": N, "D": D}, {}
for task, items in ITEMS.items():
    params = {**laws.chinchilla.published[f"bhagia2024_{task}"], **laws.llama3_accuracy.published[f"bhagia2024_{task}"]}
    runs[f"{task}_loss"] = chain.of("loss")(N, D, **params) * np.exp(0.003 * rng.standard_normal(16))
    runs[task] = rng.binomial(items, chain(N, D, **params)) / items
    truth[task] = float(chain(*target.values(), **params))
runs["hard"] = rng.binomial(1000, 0.25, 16) / 1000  # guesses
print(f"target: {6 * target['N'] * target['D'] / (6 * N * D).max():.0f} times the compute of the largest run")

# %% [markdown]
# ## The ladder
#
# One call. Items tell how noisy an accuracy is, `chance` that there is a floor. A task whose accuracy does not rise above it gets no
# curve: its loss is predicted, its accuracy is not.

# %%
tasks = {task: {"loss": f"{task}_loss", "items": items, "chance": 0.25} for task, items in ITEMS.items()}
tasks["hard"] = {"loss": "mmlu_loss", "items": 1000, "chance": 0.25}
found = sj.studies.ladder(runs, tasks, at=target, laws="chinchilla", draws=1000)
found

# %%
ax = sj.plot.ladder(found)

# %% [markdown]
# ## Was it right?

# %%
low, high = found.interval(0.9)["accuracy"]
for i, task in enumerate(ITEMS):
    inside = "inside" if low[i, 0] <= truth[task] <= high[i, 0] else "outside"
    print(f"{task:14} truth {truth[task]:.3f}, {inside} {low[i, 0]:.3f} to {high[i, 0]:.3f}")

# %% [markdown]
# The intervals are wide where the best run is not far above guessing. That is what such runs allow: a curve near its floor does not show
# where it will end. More items, or checkpoints in `checkpoints=`, narrow the noise of accuracies but not that.
#
# ## Without the loss in between
#
# Accuracy straight from size and tokens, as one law: fewer columns are needed, and the curve must be guessed from less.

# %%
direct = sj.fit("direct_accuracy", {"N": N, "D": D, "accuracy": runs["hellaswag"]}, fix={"Q_rand": 0.25}, unidentified="warn", starts=512)
print(f"direct law: {direct.predict(**target):.3f}; truth {truth['hellaswag']:.3f}")
ax = sj.plot.fit_against_observed(direct)
