"""The four pictures of the README: `python docs/pictures.py` draws them anew."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl

mpl.use("agg")
import matplotlib.pyplot as plt
import numpy as np

import scalejax as sj

FOLDER = Path(__file__).with_name("pictures")


def save(axes: plt.Axes, name: str) -> None:
    axes.figure.set_size_inches(6.4, 4.4)
    axes.figure.savefig(FOLDER / f"{name}.png", dpi=140)
    plt.close(axes.figure)


def main() -> None:
    runs = sj.datasets.load("chinchilla_epoch")
    fit = sj.fit("chinchilla", runs)
    save(sj.plot.iso_loss(fit, draws=sj.bootstrap(fit, 1000)), "iso_loss")

    small = runs.where(runs["C"] < runs["C"].max() / 10)
    large = runs.where((runs["C"] >= runs["C"].max() / 10) & ~runs.excluded)
    found = sj.forecast(small, {"N": large["N"], "D": large["D"]})
    save(sj.plot.forecast(found, observed=large["loss"]), "forecast")

    domains = ["web", "code", "maths", "books"]
    law = sj.laws.data_mixing_m4
    truth = {"prose": [-1.2, 0.4, 0.3, -2.0], "coding": [0.1, -3.5, 0.0, 0.3], "reasoning": [-0.3, -1.2, -3.0, 0.2]}
    rng = np.random.default_rng(0)
    shares = rng.dirichlet([2.0, 1.0, 1.0, 1.0], 32)
    losses = {name: np.asarray(law(shares, c=1.5, t=t)) * np.exp(0.005 * rng.standard_normal(32)) for name, t in truth.items()}
    table = dict(zip(domains, shares.T, strict=True)) | losses
    best = sj.studies.recommend_mixture(table, weights=domains, losses=list(truth), caps={"books": 0.15}, draws=200)
    save(sj.plot.mixture(best.mixture, {"uniform": [0.25] * 4}), "mixture")

    curves = (sj.laws.multi_power, sj.laws.multi_power.published["luo2025_25M"])
    save(sj.plot.schedule(sj.optimal_schedule(curves, steps=24_000, peak=3e-4, warmup=2160, shape="wsd")), "schedule")


if __name__ == "__main__":
    main()
