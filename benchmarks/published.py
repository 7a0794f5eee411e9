"""Do our numbers equal the published ones? Each stated figure beside ours, on public data and published constants.

Needs the public data sets (fetched on demand, or $SCALEJAX_DATA); a set that cannot be had is left out and named.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

import scalejax as sj
from scalejax.core.errors import DataError
from scalejax.demo import choose, holdout, split

from .common import show

Row = tuple[str, str, float]


def main() -> list:
    """Print the tables and return them."""
    rows = []
    for claims in (digitised_chinchilla, isoflop_sweeps, data_constrained, overtraining, allocations):
        try:
            rows += [[what, stated, f"{ours:.10g}"] for what, stated, ours in claims()]
        except DataError as error:
            print(f"left out {claims.__name__}: {error}")
    train, held = split(sj.datasets.load("pylib"))
    own = holdout(choose(train), train, held)
    print(own.text() + "\n")
    return [show("Stated figures and ours", ["what", "stated", "ours"], rows), own]


def digitised_chinchilla() -> Iterator[Row]:
    """Besiroglu et al. 2024 on 240 digitised runs."""
    runs = sj.datasets.load("chinchilla_epoch")
    fit = sj.fit("chinchilla", runs.where(runs["loss"] < np.sort(runs["loss"])[-5]))
    yield "Huber sum at the optimum", "0.00101827402", fit.objective
    for name, value in {"A": "477.826", "B": "2143.42", "E": "1.81722", "alpha": "0.347311", "beta": "0.367172"}.items():
        yield f"optimum {name}", value, fit.params[name]
    errors = sj.bootstrap(fit, 4000, progress=False).standard_errors
    for name, value in {"A": "124.5", "B": "1293", "E": "0.0257", "alpha": "0.0154", "beta": "0.0206"}.items():
        yield f"bootstrap standard error of {name}", value, errors[name]


def isoflop_sweeps() -> Iterator[Row]:
    """Two published fitters on five sweeps: mean Huber loss times 1e6, the smaller of the two."""
    runs = sj.datasets.load("isoflops_openathena")
    stated = {
        "ml_scalefit__massivetext__chinchilla": "13.1", "llama_3__raw_loss": "2.3", "marin_202603__comma__llama_2": "22.9",
        "marin_202603__dclm__llama_2": "22.9", "marin_202603__nemotron__llama_2": "22.6",
    }  # fmt: skip
    for name, value in stated.items():
        fit = sj.fit("chinchilla", runs.where(runs["experiment"] == name), on="linear")
        yield f"1e6 mean Huber, {name}", value, 1e6 * fit.objective / len(fit.runs)


def data_constrained() -> Iterator[Row]:
    """Muennighoff et al. 2023, 182 runs with the printed constants."""
    law = sj.laws.data_constrained
    published = law.published["muennighoff2023"]
    yield "data_constrained(6.34e9, 242e9, 25e9)", "2.2256440889984477", law(6.34e9, 242e9, 25e9, **published)
    roles = {"N": "params", "D": "tokens", "U": "unique_tokens", "loss": "loss"}
    tables = [sj.datasets.load("scalebench", f"data_constrained__{part}.csv", **roles) for part in ("train", "test")]
    runs = sj.Runs({name: np.concatenate([t[name] for t in tables]) for name in roles})
    predicted = law(runs["N"], runs["D"], runs["U"], **published)
    r = np.abs(np.log(predicted / runs["loss"]))
    yield "Huber sum on 182 runs", "0.0158259", float(np.where(r <= 1e-3, r**2 / 2, 1e-3 * (r - 5e-4)).sum())
    yield "R2 on 182 runs", "0.7722", float(1 - ((predicted - runs["loss"]) ** 2).sum() / ((runs["loss"] - runs["loss"].mean()) ** 2).sum())


def overtraining() -> Iterator[Row]:
    """Gadre et al. 2024: five small RedPajama runs predict two large ones."""
    runs = sj.datasets.load("gadre_overtraining")
    runs = runs.where(runs["train_set"] == "rpj")
    smallest = runs["N"] == runs["N"].min()
    used = (runs["N"] < 1e9) & (runs["multiplier"] == 1) | smallest & (runs["multiplier"] == 16)
    fit = sj.fit(None, runs.where(used), recipe="gadre2024")
    for size, multiplier, value in ((1.44e9, 32, "0.007103"), (6.89e9, 1, "0.007320")):
        target = runs.where(np.isclose(runs["N"], size, rtol=0.01) & (runs["multiplier"] == multiplier))
        yield f"relative error at {size:.3g} parameters", value, fit.predict(N=target["N"], D=target["D"])[0] / target["loss"][0] - 1


def allocations() -> Iterator[Row]:
    """Optima from published constants."""
    law = sj.laws.chinchilla
    plan = sj.allocate((law, law.published["hoffmann2022"]), compute=1e21)
    yield "Hoffmann constants, 1e21 FLOPs: N", "2.217e9", plan.N
    yield "Hoffmann constants, 1e21 FLOPs: D", "7.518e10", plan.D
    yield "Hoffmann constants, 1e21 FLOPs: loss", "2.29549", plan.loss
    plan = sj.allocate((law, law.published["besiroglu2024"]), compute=5.76e23)
    yield "Besiroglu constants, 5.76e23 FLOPs: D/N", "18.39", plan.D / plan.N
    repeated = sj.laws.data_constrained
    plan = sj.allocate((repeated, repeated.published["muennighoff2023"]), compute=1e22, U=25e9)
    yield "25e9 unique tokens, 1e22 FLOPs: epochs", "9.489", plan.D / 25e9


if __name__ == "__main__":
    main()
