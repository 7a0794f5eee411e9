"""Losses from losses, decisions between recipes, transport of sources, merged models."""

from __future__ import annotations

import csv
import sys
import types

import numpy as np
import pytest
from scipy.optimize import linprog

import scalejax as sj
from scalejax import papers, statistics, studies

LAWS = sj.laws


# Losses from losses

BASE = LAWS.kaplan_irreducible.published["fineweb_edu"]


def test_kaplans_form_is_the_formula():
    N, D = np.logspace(7, 11, 9), np.logspace(9, 13, 9)
    by_hand = BASE["E"] + ((BASE["A"] / N) ** (BASE["alpha"] / BASE["beta"]) + BASE["B"] / D) ** BASE["beta"]
    np.testing.assert_allclose(LAWS.kaplan_irreducible(N, D, **BASE), by_hand, rtol=1e-13)


@pytest.mark.parametrize("name", ["kaplan_irreducible", "chinchilla", "chinchilla_outer"])
def test_a_translated_law_is_the_shifted_power_of_the_reference(name):
    law = getattr(LAWS, name)
    plain = {"E": 1.9, "A": 400.0, "alpha": 0.34, "B": 600.0, "beta": 0.3}
    params = {"kaplan_irreducible": dict(BASE), "chinchilla": plain, "chinchilla_outer": {**plain, "q": 0.7}}[name]
    link = {"K": 0.63, "kappa": 1.1, "E_0": params["E"], "E_1": 0.85}
    N, D = (v.ravel() for v in np.meshgrid(np.logspace(8, 10, 3), np.logspace(9, 11, 4)))
    loss = LAWS.loss_to_loss(law(N, D, **params), **link)
    found = studies.translate((law, params), sj.read_runs({"N": N, "D": D, "loss": loss}), E_1=0.85, replicates=5)
    assert (found.link.K, found.link.kappa) == pytest.approx((0.63, 1.1), rel=1e-9)
    np.testing.assert_allclose(found.predict(N=N, D=D), loss, rtol=1e-9)
    low, high = found.predict_interval(N=N, D=D)
    np.testing.assert_allclose(low, high, rtol=1e-8)  # no noise
    assert "kappa" in repr(found)


def test_a_translation_keeps_the_exponents_of_the_best_size():
    law, C = LAWS.kaplan_irreducible, np.array([1e19, 1e23])
    N, D = np.logspace(8, 10, 5), np.logspace(10, 11, 5)
    loss = LAWS.loss_to_loss(law(N, D, **BASE), K=0.63, kappa=1.1, E_0=BASE["E"], E_1=0.85)
    found = studies.translate((law, BASE), sj.read_runs({"N": N, "D": D, "loss": loss}), E_1=0.85, replicates=2)
    sizes = [sj.allocate((law, p), compute=C).inputs["N"] for p in (BASE, found.params)]
    a = BASE["beta"] / (BASE["alpha"] + BASE["beta"])
    np.testing.assert_allclose([np.diff(np.log(s))[0] / np.log(1e4) for s in sizes], a, rtol=1e-6)


def test_a_noisy_translation_covers_the_truth_and_finds_an_unknown_floor():
    N, D = (v.ravel() for v in np.meshgrid(np.logspace(7.5, 9.5, 6), np.logspace(9, 11, 6)))
    noise = np.exp(0.003 * np.random.default_rng(3).normal(size=len(N)))
    loss = LAWS.loss_to_loss(LAWS.kaplan_irreducible(N, D, **BASE), K=0.63, kappa=1.1, E_0=BASE["E"], E_1=0.85) * noise
    found = studies.translate((LAWS.kaplan_irreducible, BASE), sj.read_runs({"N": N, "D": D, "loss": loss}), replicates=100)
    truth = LAWS.loss_to_loss(LAWS.kaplan_irreducible(3e10, 1e12, **BASE), K=0.63, kappa=1.1, E_0=BASE["E"], E_1=0.85)
    low, high = found.predict_interval(level=0.99, N=3e10, D=1e12)
    assert low < truth < high
    assert abs(found.predict(N=3e10, D=1e12) - truth) < 0.02


def test_equal_corpora_have_a_link_of_one():
    L = np.linspace(2.3, 4.0, 9)
    found = studies.fit_link(L, L, E_0=1.9, E_1=1.9)
    assert (found.K, found.kappa, found.rmse) == pytest.approx((1.0, 1.0, 0.0), abs=1e-12)
    searched = studies.fit_link(L, 0.6 * (L - 1.9) ** 1.1 + 0.8)
    assert searched.rmse < 1e-3 and LAWS.loss_to_loss(2.1, **searched.params) == pytest.approx(0.6 * 0.2**1.1 + 0.8, abs=0.02)


def test_bad_pairs_are_refused():
    with pytest.raises(sj.DataError, match="three"):
        studies.fit_link([2.0, 3.0], [1.0, 2.0])
    with pytest.raises(sj.DataError, match=r"all 8 are 2\.5: they say nothing of a power"):
        studies.fit_link(np.full(8, 2.5), np.linspace(2, 3, 8))
    with pytest.raises(sj.DataError, match="E_0"):
        studies.fit_link([2.0, 3.0, 4.0], [1.0, 2.0, 3.0], E_0=2.5)
    one, two = (sj.read_runs({"N": [n], "D": [1e9], "loss": [3.0]}) for n in (1e8, 1e9))
    with pytest.raises(sj.DataError, match="agrees"):
        studies.pair_runs(one, two)
    with pytest.raises(sj.DecisionError, match="kaplan_irreducible"):
        studies.translate((LAWS.power_law, {"E": 1.0, "A": 1.0, "alpha": 0.5}), one)


def test_the_smooth_minimum_stays_below_the_error_of_guessing():
    L = np.linspace(2.2, 4.0, 30)
    error = LAWS.loss_to_error(L, K=0.5, kappa=1.2, E=1.9, d=0.1, e=0.75)
    assert (np.diff(error) > 0).all() and (error < 0.75).all()
    at = LAWS.loss_to_error(1.9 + ((0.75 - 0.1) / 0.5) ** (1 / 1.2), K=0.5, kappa=1.2, E=1.9, d=0.1, e=0.75)
    assert at == pytest.approx(0.75 - np.log(2) / 10)


@pytest.mark.slow
def test_the_loss_of_seven_billion_parameters_on_another_corpus(data_folder, monkeypatch):
    """C4's law and the runs below 1e20 FLOPs on RedPajama and RefinedWeb predict the 7B run there within 8 %, inside the interval."""
    monkeypatch.setenv("SCALEJAX_DATA", str(data_folder))
    with open(sj.datasets.path("gadre_overtraining", "gadre_runs.csv"), newline="", encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))

    def runs(corpus, column):
        own = [row for row in rows if row["train_set"] == corpus]
        return sj.read_runs({name: [float(row[c]) for row in own] for name, c in (("N", "N"), ("D", "D"), ("loss", column))})

    base = sj.fit("chinchilla", runs("c4_original", "loss_c4_val"), starts=64)
    for corpus, column in (("rpj", "loss_paloma_redpajama"), ("rw_original", "loss_paloma_falcon_refinedweb")):
        table = runs(corpus, column)
        large = table["N"] > 5e9
        found = studies.translate(base, table.where((6 * table["N"] * table["D"] < 1e20) & ~large))
        at = {"N": float(table["N"][large][0]), "D": float(table["D"][large][0])}
        observed = float(table["loss"][large][0])
        low, high = found.predict_interval(**at)
        assert low < observed < high
        assert found.predict(**at) == pytest.approx(observed, rel=0.08)


# Decisions between recipes


def test_decision_accuracy_counts_pairs():
    observed = np.array([1.0, 2.0, 3.0, 4.0])
    found = studies.decision_accuracy({"same": observed, "swap": [2, 1, 3, 4], "against": -observed}, observed, replicates=50)
    np.testing.assert_allclose(found.accuracy, [1.0, 5 / 6, 0.0])
    assert found.pairs == 6
    with pytest.raises(sj.DecisionError, match="4 recipes are too few to resample"):
        found.interval()
    assert studies.decision_accuracy(-observed, observed, opposite=True, replicates=0).accuracy[0] == 1.0
    with pytest.raises(sj.DataError, match="compute"):
        _ = found.frontier
    with pytest.raises(sj.DataError, match="as many"):
        studies.decision_accuracy([1.0, 2.0], observed)


def test_random_predictions_decide_like_a_coin_and_intervals_cover_it():
    rng = np.random.default_rng(0)
    found = studies.decision_accuracy({str(i): rng.normal(size=25) for i in range(40)}, rng.normal(size=(25, 3)), replicates=200)
    assert found.accuracy.mean() == pytest.approx(0.5, abs=0.03)
    low, high = found.interval(0.9)["accuracy"]
    assert ((low < 0.5) & (high > 0.5)).mean() > 0.75


def test_a_tie_of_the_predictor_counts_one_half_and_one_of_the_target_not_at_all():
    observed = np.random.default_rng(0).normal(size=12)
    flat = studies.decision_accuracy({"at chance": np.full(12, 0.25)}, observed)
    low, high = flat.interval()["accuracy"]
    assert flat.accuracy[0] == low[0] == high[0] == 0.5
    # By hand: of the pairs 12, 13, 14, 23, 24, 34 the target ties 23, the predictor 12; 13, 14 and 24 are right, 34 is wrong.
    found = studies.decision_accuracy([1.0, 1.0, 4.0, 3.0], [[1.0, 1.2, 1.4], [2.0, 2.2, 2.4], [2.4, 2.0, 2.2], [3.0, 3.1, 3.2]])
    assert found.pairs == 5 and found.accuracy[0] == pytest.approx(3.5 / 5)
    tied = [
        studies.decision_accuracy(r.integers(0, 3, 25) / 100, r.normal(size=25), replicates=0)
        for r in map(np.random.default_rng, range(200))
    ]
    assert np.mean([one.accuracy for one in tied]) == pytest.approx(0.5, abs=0.02)
    with pytest.raises(sj.DataError, match="same observation"):
        studies.decision_accuracy(observed, np.ones(12))


def test_small_models_choose_between_mixtures_as_large_ones(data_folder, monkeypatch):
    """26 mixtures of five domains, mean loss over 22 validation sets after 30,000 steps: 70M decides for 410M."""
    monkeypatch.setenv("SCALEJAX_DATA", str(data_folder))
    means = {}
    for size in ("70M", "160M", "410M"):
        losses: dict[str, list[float]] = {}
        with open(sj.datasets.path("mixinglaws", f"5Mix_{size}.csv"), newline="", encoding="utf-8") as lines:
            for row in csv.DictReader(lines):
                if row["step"] == "30000":
                    losses.setdefault(row["run"].split("_", 1)[1], []).append(float(row["loss"]))
        means[size] = np.array([np.mean(losses[name]) for name in sorted(losses)])
    found = studies.decision_accuracy({s: means[s] for s in ("70M", "160M")}, means["410M"], compute=[7e7, 1.6e8], replicates=200)
    assert found.pairs == 325 and found.frontier.all()
    assert 0.9 < found.accuracy[0] < found.accuracy[1] < 1.0
    assert found.interval()["accuracy"][0].min() > 0.8


def test_a_proxy_is_calibrated_by_a_line():
    rng = np.random.default_rng(0)
    proxy = rng.normal(size=30)
    target = 2.0 - 0.7 * proxy + 0.01 * rng.normal(size=30)
    found = studies.proxy_calibration(proxy, target)
    assert found.b == pytest.approx(-0.7, abs=0.01) and found.pearson < -0.99 and found.spearman < -0.98
    np.testing.assert_array_equal(found.order, np.argsort(-proxy))
    with pytest.raises(sj.DataError, match="constant"):
        studies.proxy_calibration(np.ones(5), target[:5])


# Transport


def exact_transport(a, b, M, log=False):
    """A stand-in for POT's emd2: the same linear programme with its dual potentials, by scipy."""
    n, m = M.shape
    margins = np.vstack([np.kron(np.eye(n), np.ones(m)), np.kron(np.ones(n), np.eye(m))])
    found = linprog(M.ravel(), A_eq=margins, b_eq=np.concatenate([a, b]))
    return found.fun, {"u": found.eqlin.marginals[:n], "v": found.eqlin.marginals[n:]}


@pytest.fixture
def transport_library(monkeypatch):
    monkeypatch.setitem(sys.modules, "ot", types.SimpleNamespace(emd2=exact_transport))


def test_transport_needs_its_library(monkeypatch):
    monkeypatch.setitem(sys.modules, "ot", None)
    with pytest.raises(sj.DecisionError, match="pip install pot"):
        papers.transport_distance([np.zeros((2, 1))], np.ones((2, 1)), [1.0])


def test_transport_and_its_slope(transport_library):
    rng = np.random.default_rng(0)
    sources, goal = [rng.normal(loc, 1.0, (6, 2)) for loc in (-1.0, 0.3, 2.0)], rng.normal(0.0, 1.0, (7, 2))
    p, step = np.array([0.3, 0.3, 0.4]), 1e-4
    here = papers.transport_distance(sources, goal, p)
    moved = papers.transport_distance(sources, goal, p + step * np.array([1.0, 0.0, -1.0]))
    assert (moved.distance - here.distance) / step == pytest.approx(here.slope[0] - here.slope[2], rel=1e-3)
    line = papers.transport_distance([[[0.0], [1.0]]], [[3.0], [2.0]], [1.0])
    assert line.distance == pytest.approx(2.0)
    with pytest.raises(sj.DataError, match="share"):
        papers.transport_distance(sources, goal, [0.5, 0.1, 0.1])
    with pytest.raises(sj.DataError, match="tables"):
        papers.transport_distance(sources, goal[:, :1], p)


def test_the_nearest_mixture_finds_the_shares_of_the_validation_data(transport_library):
    parts = [np.array([[0.0], [0.1]]), np.array([[5.0], [5.1]]), np.array([[20.0], [20.1]])]
    goal = np.concatenate([np.repeat(parts[0], 3, axis=0), parts[1]])  # three quarters and one quarter
    p, bound = papers.nearest_mixture(parts, goal, steps=60)
    best = papers.transport_distance(parts, goal, [0.75, 0.25, 0.0]).distance
    found = papers.transport_distance(parts, goal, p).distance
    assert found - best <= bound + 1e-9
    np.testing.assert_allclose(p, [0.75, 0.25, 0.0], atol=0.05)


def test_projection_is_exact_for_lines_in_log_size():
    V = {N: 0.2 + 0.05 * np.log(N) for N in (1e4, 3e4, 1e6)}
    assert papers.project_performance(1e6, 1e4, 3e4, V[1e4], V[3e4]) == pytest.approx(V[1e6], rel=1e-12)
    with pytest.raises(sj.DecisionError, match="different"):
        papers.project_performance(1e6, 1e4, 1e4, 0.1, 0.2)
    d = np.array([0.5, 1.0, 2.0])
    found = papers.fit_projection(1e4, 3e4, d, V[1e4] - 0.1 * d, d, V[3e4] - 0.12 * d)
    np.testing.assert_allclose(found.predict(d, 3e4), V[3e4] - 0.12 * d, rtol=1e-12)
    assert found.rmse.max() < 1e-12
    with pytest.raises(sj.DataError, match="differ"):
        papers.fit_projection(1e4, 3e4, [1.0, 1.0], [0.1, 0.2], d, d)


# RegMix with a regressor of the user's


class Stumps:
    """A small booster in place of a library's: trees of one split, shrunk."""

    def __init__(self, rounds=200, rate=0.2):
        self.rounds, self.rate, self.splits = rounds, rate, []

    def fit(self, X, y):
        assert not self.splits, "fitted twice: every target needs a regressor of its own"
        self.start, rest = y.mean(), y - y.mean()
        for _ in range(self.rounds):
            best = min(((j, cut) for j in range(X.shape[1]) for cut in np.quantile(X[:, j], [0.25, 0.5, 0.75])),
                       key=lambda split: sum(len(part) * part.var() for part in self.parts(X, rest, *split) if len(part)))  # fmt: skip
            left = X[:, best[0]] <= best[1]
            heights = [self.rate * rest[side].mean() if side.any() else 0.0 for side in (left, ~left)]
            self.splits.append((*best, *heights))
            rest = rest - np.where(left, *heights)
        return self

    @staticmethod
    def parts(X, rest, j, cut):
        return rest[X[:, j] <= cut], rest[X[:, j] > cut]

    def predict(self, X):
        return self.start + sum(np.where(X[:, j] <= cut, low, high) for j, cut, low, high in self.splits)


def swarm():
    h = studies.regmix_design([0.5, 0.3, 0.2], 160, seed=1)
    losses = np.stack([2 + np.exp(h @ np.array(t)) for t in ([-1.0, 0.5, 0.0], [0.3, -1.5, 0.2])], axis=1)
    return h, losses


@pytest.mark.parametrize("model", [Stumps(), Stumps, lambda: Stumps(rounds=150)])
def test_a_regressor_a_class_or_a_maker_of_regressors_rank_unseen_mixtures(model):
    h, losses = swarm()
    found = studies.regmix(h[:120], losses[:120], model=model, targets=["web", "code"])
    ranks = found.rank_correlation(h[120:], losses[120:])
    assert min(ranks.values()) > 0.85
    best = found.simulate([0.5, 0.3, 0.2], "web", samples=2000, keep=32)
    assert best[0] > 0.6  # the domain that lowers this loss
    assert not getattr(model, "splits", [])  # the regressor handed in is left as it was


def test_trees_ask_the_library_for_what_the_paper_used(monkeypatch):
    asked = []

    def stand_in(**settings):
        asked.append(settings)
        return Stumps(rounds=5)

    library = types.SimpleNamespace(HistGradientBoostingRegressor=stand_in)
    monkeypatch.setitem(sys.modules, "sklearn", types.SimpleNamespace(ensemble=library))
    monkeypatch.setitem(sys.modules, "sklearn.ensemble", library)
    h, losses = swarm()
    assert studies.regmix(h, losses, model="trees").predict(h[:7]).shape == (7, 2)
    assert len(asked) == 2 and asked[0]["max_iter"] == 1000 and asked[0]["learning_rate"] == 0.01
    with pytest.raises(sj.FitError, match="no fit"):
        studies.regmix(h, losses, model=3)


# Merging


@pytest.mark.parametrize("link", ["identity", "sigmoid", "softplus"])
def test_a_quadratic_surface_is_recovered_from_the_least_number_of_runs_and_more(link):
    rng, T = np.random.default_rng(0), 3
    A = rng.normal(size=(2, T, T))
    truth = papers.QuadraticSurface(rng.normal(size=2), rng.normal(size=(2, T)), (A + A.transpose(0, 2, 1)) / 2, link, np.zeros(2))
    least = (T + 1) * (T + 2) // 2
    for runs in (least, 3 * least):
        c = rng.uniform(size=(runs, T))
        found = papers.quadratic_surface(c, truth.predict(c), link=link)
        np.testing.assert_allclose(found.A, truth.A, atol=1e-6)
        np.testing.assert_allclose(found.predict(rng.uniform(size=(5, T))).shape, (5, 2))
    with pytest.raises(sj.DataError, match=str(least)):
        papers.quadratic_surface(c[: least - 1], truth.predict(c[: least - 1]), link=link)


def test_the_front_of_two_peaks_is_the_segment_between_them():
    """With equal curvature the Pareto set of two concave quadratics is the straight line between their optima."""
    peaks = np.array([[0.2, 0.3], [0.8, 0.6]])
    surface = papers.QuadraticSurface(-(peaks**2).sum(axis=1), 2 * peaks, np.repeat(-np.eye(2)[None], 2, axis=0), "identity", np.zeros(2))
    assert surface.concave.all()
    front = papers.merging_front(surface, points=60, candidates=500)
    assert statistics.undominated(front.metrics).all()
    edge = peaks[1] - peaks[0]
    along = (front.c - peaks[0]) @ edge / (edge @ edge)
    assert ((along > -0.02) & (along < 1.02)).all()
    assert np.abs(front.c - peaks[0] - along[:, None] * edge).max() < 0.1
    np.testing.assert_allclose(front.c[front.choose([1.0, 0.0])], peaks[0], atol=1e-4)
    assert "task 1" in repr(front)
    with pytest.raises(sj.DecisionError, match="weights"):
        front.choose([1.0])
    with pytest.raises(sj.DataError, match="table"):
        statistics.undominated([1.0, 2.0])


def test_mixed_metrics_reach_the_bounds_of_the_box():
    surface = papers.QuadraticSurface(np.zeros(2), np.array([[1.0], [0.5]]), np.zeros((2, 1, 1)), "sigmoid", np.zeros(2))
    front = papers.merging_front(surface, points=5, candidates=20)
    assert front.c.ravel().tolist() == [1.0] * len(front.c)
