# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#   kernelspec:
#     display_name: Python 3
#     name: python3
# ---

# %% [markdown]
# # Which data mixture should the large run get?
#
# You trained small models on different mixtures of your domains and measured a few losses. Which mixture should the large run get, how sure
# is that, and what does it cost to take another? This notebook answers from the raw table, in one call.

# %% [markdown]
# ## The table
#
# A row a run: the shares of four domains, and the losses on three validation sets. It is simulated, with noise of half a per cent, so that
# the answer can be compared with the truth below. Code helps code, and reasoning a little; maths helps reasoning; books help prose.

# %%
import numpy as np

import scalejax as sj
from scalejax.studies import recommend_mixture

domains = ["web", "code", "maths", "books"]
law = sj.laws.data_mixing_m4  # the data mixing law of Ye et al. 2024
truth = {
    "prose": {"c": 2.4, "t": [-1.2, 0.4, 0.3, -2.0]},
    "coding": {"c": 0.9, "t": [0.1, -3.5, 0.0, 0.3]},
    "reasoning": {"c": 1.3, "t": [-0.3, -1.2, -3.0, 0.2]},
}
rng = np.random.default_rng(0)
shares = rng.dirichlet([2.0, 1.0, 1.0, 1.0], 32)
losses = {name: np.asarray(law(shares, **values)) * np.exp(0.005 * rng.standard_normal(32)) for name, values in truth.items()}
table = dict(zip(domains, shares.T, strict=True)) | losses
for name, column in table.items():
    print(f"{name:10}", *(f"{value:6.3f}" for value in column[:6]), "...")

# %% [markdown]
# ## The recommendation
#
# One call fits a law to every loss, finds the weights that minimise the weighted sum of the losses, and repeats both on resampled mixtures
# for the intervals. `importance` says what the losses are worth to you. There are too few books for more than 15 % of the run: a cap.

# %%
best = recommend_mixture(
    table,
    weights=domains,
    losses=list(truth),
    importance={"prose": 0.5, "coding": 0.25, "reasoning": 0.25},
    caps={"books": 0.15},
    draws=100,
)
best

# %% [markdown]
# The first table reads: train with these shares; the best ones lie within the intervals in about nine cases of ten. A domain at its cap in
# every resample would get more if there were more of it. "At most ... above the least" is a certificate: no mixture under the caps is
# predicted better by more than that.
#
# The second compares with mixtures you could have taken without a law: the best of those tried under the cap, and equal shares.

# %%
ax = sj.plot.mixture(best.mixture, best.others)

# %% [markdown]
# ## What a deviation costs
#
# Every row moves one domain by five points and scales the others to make room. Where the cost is near zero the shares are a matter of
# taste. A mixture that breaks the cap can cost less than nothing: that is what the cap costs.

# %%
best.deviations(0.05)

# %% [markdown]
# ## Is it right?
#
# Here the truth is known: the optimum of the true laws beside the intervals, and the true loss of what was recommended beside the least.

# %%
targets = {name: (law, values) for name, values in truth.items()}
true = sj.optimal_mixture(targets, weights=[0.5, 0.25, 0.25], caps={"books": 0.15}, domains=domains)
for name, (low, high) in best.interval(0.9).items():
    print(f"{name:6} recommended {best.weights[name]:.3f} ({low:.3f} – {high:.3f}), truth {true.weights[name]:.3f}")
true.against({"recommended": best.weights, "equal shares": [0.25] * 4})

# %% [markdown]
# ## Limits that come from tokens
#
# For a run of a trillion tokens, the caps follow from how many tokens there are of each domain and how often they may be repeated. The
# fits are kept: only the optimum is solved again.

# %%
scarce = sj.optimal_mixture(
    best.draws,
    weights={"prose": 0.5, "coding": 0.25, "reasoning": 0.25},
    available={"code": 1e11, "maths": 3e10, "books": 5e10},
    tokens=1e12,
    epochs=4,
    domains=domains,
)
scarce

# %% [markdown]
# Proxy runs of several sizes and lengths need columns for them, `roles={"N": "params", "D": "tokens"}`, and `at=` for the run in question:
# the law then has terms in N and D. `scalejax.studies.mixtures.pipeline` extrapolates every mixture first, as Ye et al. do, and carries
# the uncertainty through its stages. The same from the shell:
#
# ```sh
# scalejax recommend proxies.csv --weights web code maths books --losses prose coding reasoning --caps books=0.15
# ```
