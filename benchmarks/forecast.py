"""Do forecasts hold what they promise? python -m benchmarks.forecast [cuts] [tasks] [curves] [picture]

cuts    public sweeps cut at the top fifth of their runs and at the top decade of their compute; the prior of the misfit is learned without
        the family that is looked at. Beside it: chinchilla alone with its bootstrap, as a user would do.
tasks   fixed training and test tables of scalebench, all columns, no hint.
curves  learning curves of vision and language models, against M4 and a broken power law alone.
picture the top decade of the Chinchilla runs beside what was forecast, into notebooks/pictures.
Every test part is looked at once; laws and settings were chosen on training parts.
"""

from __future__ import annotations

import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

import scalejax as sj

from .misfit import Case, cases, held_out
from .sweeps import curves, cuts, folder, sweeps

_LEVELS = (0.5, 0.9, 0.95)


def main() -> None:
    asked = sys.argv[1:] or ["cuts", "tasks", "curves"]
    for name in asked:
        {"cuts": of_cuts, "tasks": of_tasks, "curves": of_curves, "picture": picture}[name]()


def of_cuts() -> None:
    several, single = (cases(s for s in sweeps() if (len(s.inputs) > 1) == many) for many in (True, False))
    found, families_out = several + single, {True: held_out(several), False: held_out([*single, *cases(curves())])}
    families = np.asarray([one.family for one in found])

    def by_family(values: np.ndarray) -> float:
        return float(np.mean([values[families == name].mean() for name in np.unique(families)]))

    error = np.asarray([np.mean(np.abs(one.error)) for one in found])
    print(f"\n{len(found)} cuts of {len({one.cut.sweep.name for one in found})} sweeps, {len(np.unique(families))} families")
    print(f"mean error {100 * error.mean():.2f} %, by family {100 * by_family(error):.2f} %, median {100 * np.median(error):.2f} %")
    for level in _LEVELS:
        half = [one.told.scaled(families_out[len(one.cut.sweep.inputs) > 1][one.family]).half(level) for one in found]
        held = np.asarray([np.mean(np.abs(one.error) <= h) for one, h in zip(found, half, strict=True)])
        width = np.asarray([np.median(2 * h) for h in half])
        print(
            f"{100 * level:3.0f} %: held {100 * held.mean():.1f} % over cuts, {100 * by_family(held):.1f} % by family; "
            f"{100 * np.mean(held < 0.8):.0f} % of cuts below 80 %; median width {100 * np.median(width):.1f} %"
        )
    alone = [_chinchilla(one) for one in found if one.cut.sweep.inputs == ("N", "D")]
    wrong, held, width = np.asarray(alone).T
    print(f"chinchilla alone, bootstrap of 200, on {len(alone)} cuts of N and D: error {100 * wrong.mean():.2f} %;", end=" ")
    print(f"90 % intervals of a new run hold {100 * held.mean():.1f} %, median width {100 * np.median(width):.1f} %")
    ours = [np.mean(np.abs(one.error)) for one in found if one.cut.sweep.inputs == ("N", "D")]
    print(f"the forecast on the same cuts: error {100 * np.mean(ours):.2f} %")


def _chinchilla(one: Case) -> tuple[float, float, float]:
    """Error, share held and width of the usual practice."""
    sweep, cut = one.cut.sweep, one.cut
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = sj.fit("chinchilla", sj.Runs({n: v[cut.train] for n, v in sweep.table.items()}), unidentified="warn")
        at = {n: sweep.table[n][cut.test] for n in ("N", "D")}
        low, high = sj.bootstrap(fit, 200).predict_interval(0.9, kind="run", **at)
    y = sweep.table["loss"][cut.test]
    error = np.abs(np.log(fit.predict(**at) / y))
    return float(error.mean()), float(np.mean((low <= y) & (y <= high))), float(np.median(np.log(high / low)))


def of_tasks() -> None:
    print("\ntask                 points     R2  90 % band held  seconds")
    for name in ("data_constrained", "sft", "vocab"):
        train, test = (pd.read_csv(folder() / "scalebench" / f"{name}__{part}.csv") for part in ("train", "test"))
        target, begun = train.columns[-1], time.perf_counter()
        found = sj.forecast(train, test, target=target, by="group")
        y = test[target].to_numpy()
        low, high = found.interval(0.9)
        score = 1 - np.sum((found.prediction - y) ** 2) / np.sum((y - y.mean()) ** 2)
        print(f"{name:20s} {len(y):6d} {score:6.3f} {100 * np.mean((low <= y) & (y <= high)):14.0f} % {time.perf_counter() - begun:8.1f}")


def of_curves() -> None:
    """Against M4 and a broken power law as fitted by themselves, and as averages of the same machinery with that law alone."""
    for file in ("revisiting_lang.csv", "revisiting_vision.csv"):
        train, test = _learning_curves(file)
        y, errors = test["loss"].to_numpy(), {}

        def keep(name: str, predicted: np.ndarray, begun: float, test: pd.DataFrame = test, errors: dict = errors) -> None:
            frame = pd.DataFrame({"curve": test["curve"].to_numpy(), "error": np.abs(np.log(predicted / test["loss"].to_numpy()))})
            errors[name] = each = frame.groupby("curve")["error"].mean()
            print(
                f"  {name:14s} error {100 * each.mean():.2f} %, median {100 * each.median():.2f} %  ({time.perf_counter() - begun:.1f} s)"
            )

        begun = time.perf_counter()
        found = sj.forecast(train, test[["x", "curve"]], target="loss", by="curve")
        low, high = found.interval(0.9)
        frame = pd.DataFrame({"curve": test["curve"].to_numpy(), "held": (low <= y) & (y <= high), "width": np.log(high / low)})
        each = frame.groupby("curve").mean()
        print(f"\n{file}: {len(each)} curves, 90 % band held {100 * each['held'].mean():.1f} %,", end=" ")
        print(f"median width {100 * each['width'].median():.1f} %")
        keep("forecast", found.prediction, begun)
        for law in ("m4", "bnsl"):
            begun = time.perf_counter()
            keep(f"average of {law}", sj.forecast(train, test[["x", "curve"]], target="loss", by="curve", laws=[law]).prediction, begun)
            begun = time.perf_counter()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                fit = sj.fit(law, train, by="curve", sizes={"break": 1} if law == "bnsl" else {}, unidentified="warn")
            keep(f"fit of {law}", fit.predict(x=test["x"].to_numpy(), group=test["curve"].to_numpy()), begun)
        for how in ("fit of", "average of"):
            both = np.logical_and.reduce([errors["forecast"] < errors[f"{how} {law}"] for law in ("m4", "bnsl")])
            print(f"  better than either {how} them on {both.sum()} of {len(both)} curves")


def _learning_curves(file: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Training and test points of the curves that have eight of the former; some rows of the file occur twice."""
    table = pd.read_csv(folder() / "revisiting_alabdulmohsin" / file)
    table["curve"] = table["Domain"] + ", " + table["Task"] + ", " + table["Model"]
    table = table.rename(columns={"Seen Examples": "x", "Loss": "loss"}).drop_duplicates(["curve", "x", "Training"])
    train, test = (table[table["Training"] == flag] for flag in (1, 0))
    enough = train.groupby("curve").size()
    curves = set(enough[enough >= 8].index) & set(test["curve"])
    train, test = (part[part["curve"].isin(curves)][["x", "loss", "curve"]] for part in (train, test))
    return train, test


def picture() -> None:
    """Draw the top decade of the Chinchilla runs beside its forecast."""
    sweep = next(sweep for sweep in sweeps() if sweep.name == "chinchilla")
    cut = next(cut for cut in cuts(sweep) if cut.kind == "top decade")
    runs = {name: values[cut.train] for name, values in sweep.table.items()}
    found = sj.forecast(runs, {name: sweep.table[name][cut.test] for name in ("N", "D")})
    ax = found.plot(observed=sweep.table["loss"][cut.test])
    ax.set_title("runs, 50 and 90 % intervals of what they forecast, and what came (crosses)", fontsize=9)
    ax.figure.savefig(Path("notebooks") / "pictures" / "forecast.png", dpi=144)
    print(found)


if __name__ == "__main__":
    main()
