"""What the runs never varied is not chosen, and what they varied little is said: shares beyond theirs, inputs that nothing tells."""

from __future__ import annotations

import numpy as np
import pytest

import scalejax as sj
from scalejax.decisions.mixtures.reach import within

LAW = sj.laws.data_mixing_m4
pytestmark = [
    pytest.mark.filterwarnings("ignore::scalejax.core.errors.IdentifiabilityWarning"),
    pytest.mark.filterwarnings("ignore:Column 'D' is:scalejax.core.errors.DataWarning"),
]


def table(last: float = 0.0) -> dict[str, np.ndarray]:
    """30 mixtures of web, code and books, and `last` of maths in each; code helps code, web helps web."""
    rng = np.random.default_rng(0)
    h = rng.dirichlet([1.0, 1.0, 1.0], 30)
    losses = {
        "on_web": LAW(h, c=2.0, t=np.asarray([-1.5, 0.2, 0.1])),
        "on_code": LAW(h, c=1.0, t=np.asarray([0.2, -1.8, 0.1])),
    }
    noisy = {name: np.asarray(loss) * np.exp(0.001 * rng.standard_normal(30)) for name, loss in losses.items()}
    shares = {name: (1 - last) * h[:, i] for i, name in enumerate(("web", "code", "books"))}
    return {**shares, "maths": np.full(30, last), **noisy}


def copies(fit: sj.Fit) -> sj.Draws:
    """Draws of one's own making, of a fit that `bootstrap` refuses."""
    return sj.Draws(fit, np.repeat(fit.theta[:, :, None], 3, axis=2), "copies")


ASK = {"weights": ["web", "code", "books", "maths"], "losses": ["on_web", "on_code"], "draws": 50, "starts": 16}


@pytest.fixture(scope="module")
def without_maths():
    """The optimum of the three domains alone."""
    three = {**ASK, "weights": ["web", "code", "books"]}
    return sj.studies.recommend_mixture({k: v for k, v in table().items() if k != "maths"}, **three).weights


@pytest.mark.parametrize("uncertainty", ["bootstrap", "none"])
def test_a_domain_never_trained_gets_no_weight(without_maths, uncertainty):
    best = sj.studies.recommend_mixture(table(), uncertainty=uncertainty, **ASK)
    assert best.weights == pytest.approx({**without_maths, "maths": 0.0}, abs=1e-6)
    assert "maths is 0 in all runs, and kept" in repr(best)
    assert best.others["uniform"].tolist() == pytest.approx([1 / 3, 1 / 3, 1 / 3, 0.0])
    assert not any("maths" in row[0] for row in best.deviations().rows)


def test_a_domain_of_one_share_keeps_it():
    """A fifth of every mixture: 0.2 of it is known, and nothing else."""
    best = sj.studies.recommend_mixture(table(0.2), uncertainty="none", **ASK)
    assert best.weights["maths"] == pytest.approx(0.2, abs=1e-9)
    assert sum(best.weights.values()) == pytest.approx(1.0, abs=1e-9)
    assert 0.3 < best.weights["web"] < 0.5 and 0.3 < best.weights["code"] < 0.5
    for limit in ({"caps": {"maths": 0.1}}, {"floors": {"maths": 0.3}}):
        with pytest.raises(sj.DecisionError, match=r"maths is 0.2 in all runs"):
            sj.studies.recommend_mixture(table(0.2), uncertainty="none", **ASK, **limit)


def test_domains_in_one_proportion_are_refused_by_name():
    """Code and books always half and half: their sum is known, and not which of them is worth it."""
    rng = np.random.default_rng(1)
    h = rng.dirichlet([1.0, 1.0], 30)
    mixtures = np.column_stack([h[:, 0], h[:, 1] / 2, h[:, 1] / 2])
    fit = sj.fit(LAW, {"h": mixtures, "loss": LAW(mixtures, c=2.0, t=np.asarray([-1.0, 0.5, 0.5]))}, starts=8)
    for source in (copies(fit), (LAW, fit.params)):
        with pytest.raises(sj.DecisionError, match=r"vary in 1 directions.*shares of code, books apart"):
            sj.optimal_mixture(source, domains=["web", "code", "books"], trained=mixtures)


def test_allocate_keeps_a_share_that_no_run_varied():
    """Of a law of mixture, size and tokens, allocate chooses all three; the third domain was never trained on."""
    law, rng = sj.laws.mixture_additive, np.random.default_rng(2)
    h = rng.dirichlet([2.0, 2.0], 80)
    N, D = 10 ** rng.uniform(7, 9, 80), 10 ** rng.uniform(9, 11, 80)
    truth = {"E": 1.5, "C": np.asarray([1.0, 2.0]), "gamma": np.asarray([0.3, 0.5]), "A": 300.0, "alpha": 0.35, "B": 900.0, "beta": 0.33}
    loss = np.asarray(law(h, N, D, **truth)) * np.exp(0.001 * rng.standard_normal(80))
    fit = sj.fit(law, {"h": np.column_stack([h, np.zeros(80)]), "N": N, "D": D, "loss": loss}, starts=16)
    plan = sj.allocate(copies(fit), compute=1e21, over=("N", "D", "h"))
    best = sj.allocate((law, truth), compute=1e21, over=("N", "D"), h=[0.5, 0.5])
    assert plan.inputs["h"][2] == pytest.approx(0.0, abs=1e-8) and plan.inputs["h"].sum() == pytest.approx(1.0)
    assert "h[2] is 0 in all runs, and kept" in plan.table().text()
    assert plan.N == pytest.approx(best.N, rel=0.3)
    held = sj.allocate((law, dict(fit.params)), compute=1e21, over=("N", "D"), h=plan.inputs["h"])
    assert plan.N == pytest.approx(held.N, rel=1e-6) and plan.interval()["N"] == pytest.approx((plan.N, plan.N), rel=1e-6)


def test_an_input_that_no_run_varied_is_not_chosen():
    """All runs on 20 billion tokens: what more tokens do is not known."""
    rng, N = np.random.default_rng(3), np.geomspace(1e7, 1e9, 24)
    chinchilla = sj.laws.chinchilla
    loss = chinchilla(N, 2e10, **chinchilla.published["hoffmann2022"]) * np.exp(0.002 * rng.standard_normal(24))
    fit = sj.fit(chinchilla, {"N": N, "D": np.full(24, 2e10), "loss": loss}, starts=16)
    for source in (fit, copies(fit)):
        with pytest.raises(sj.DecisionError, match=r"D is 2e.10 in all"):
            sj.allocate(source, compute=1e22)
        with pytest.raises(sj.DecisionError, match=r"D is 2e.10 in all"):
            sj.choose({"a": source, "b": (chinchilla, chinchilla.published["hoffmann2022"])}, compute=1e22)


def test_random_mixtures_of_regmix_keep_what_never_varied():
    columns = table()
    h = np.stack([columns[name] for name in ("web", "code", "books", "maths")], axis=1)
    found = sj.studies.regmix(h, {"on_web": columns["on_web"]}, starts=8)
    with pytest.warns(sj.DataWarning, match="domain 0 at 1.00 is 1.49 times the largest share of the runs"):
        best = found.simulate([0.25] * 4, "on_web", samples=5000)
    assert best[3] == 0 and best.sum() == pytest.approx(1.0) and best[0] > 0.8


def test_few_resampled_units_have_no_interval():
    rng = np.random.default_rng(4)
    curves = np.cumsum(rng.random((3, 20)), axis=1)
    three = sj.papers.first_passage(np.arange(1, 21.0), curves, [3.0])
    assert np.isfinite(three.data).all() and np.isinf(three.standard_error).all()
    recipes = rng.random(4)
    few = sj.studies.decision_accuracy({"small": recipes}, recipes, replicates=50)
    assert "no interval: 4 recipes" in repr(few)
    with pytest.raises(sj.DecisionError, match="no interval"):
        few.interval()


def test_only_the_coefficient_of_the_domain_never_trained_is_unknown():
    columns = table()
    h = np.stack([columns[name] for name in ("web", "code", "books", "maths")], axis=1)
    fit = sj.fit(LAW, {"h": h, "loss": columns["on_web"]}, starts=16)
    three = sj.fit(LAW, {"h": h[:, :3], "loss": columns["on_web"]}, starts=16)
    assert fit.curvature[0].flat == ("t[3]",)
    errors, (low, high) = fit.errors("model")["t"], fit.interval(0.9)["t"]
    np.testing.assert_allclose(errors[:3], three.errors("model")["t"], rtol=0.05)
    assert np.isinf(errors[3]) and np.isfinite(low[:3]).all() and np.isfinite(high[:3]).all()
    assert not np.isfinite(high[3] - low[3])


def rare(most: float = 0.05) -> dict[str, np.ndarray]:
    """30 mixtures with no maths but in three, which have `most`: maths helps a little, and ruins where there is much of it."""
    rng, maths = np.random.default_rng(0), np.where(np.arange(30) < 3, most, 0.0)
    web = (1 - maths) * rng.uniform(0.3, 0.7, 30)
    code = 1 - maths - web
    loss = 1.3 + np.exp(-0.3 * web - 0.5 * code - maths) - 2 * maths + 10 * maths**2  # least at a tenth of maths
    return {"web": web, "code": code, "maths": maths, "reasoning": loss * np.exp(0.001 * rng.standard_normal(30))}


def test_a_mixture_beyond_the_runs_says_how_far_and_is_not_certain():
    columns = rare()
    best = sj.studies.recommend_mixture(columns, weights=["web", "code", "maths"], losses=["reasoning"], draws=50, starts=16)
    assert best.weights["maths"] > 0.9 and best.mixture.remarks[0].code == "extrapolation"
    assert "maths at 1.00 is 20 times the largest share of the runs, 0.05" in best.mixture.remarks[0]
    assert "caps={'maths': 0.05}" in repr(best) and "optimum, uniform beyond the shares of the runs" in repr(best)
    (note,) = best.to_dict()["mixture"]["remarks"]
    assert note["code"] == "extrapolation" and note in best.table().to_dict()["notes"]
    low, high = best.interval()["maths"]
    assert low <= 0.05 + 1e-6 and high > 0.9  # the truth, a tenth, lies between
    h = np.stack([columns[name] for name in ("web", "code", "maths")], axis=1)
    fit = sj.fit(LAW, {"h": h, "loss": columns["reasoning"]}, starts=16)
    alone = sj.optimal_mixture(copies(fit), domains=["web", "code", "maths"])
    assert alone.interval()["maths"] == pytest.approx((0.05, 1.0), abs=1e-6)
    own = sj.optimal_mixture(copies(fit), domains=["web", "code", "maths"], trained=False)
    assert own.interval()["maths"] == pytest.approx((1.0, 1.0), abs=1e-6) and "20 times" in repr(own)
    capped = sj.optimal_mixture(copies(fit), domains=["web", "code", "maths"], caps={"maths": 0.05, "code": 0.64})
    assert capped.weights["maths"] == pytest.approx(0.05) and not capped.remarks


def test_limits_that_leave_no_mixture_of_the_runs_are_met_as_near_to_them_as_can_be():
    h = np.asarray([[0.5, 0.3, 0.2], [0.6, 0.3, 0.1]])
    low, high = within(np.zeros((3, 1)), np.asarray([[0.2], [1.0], [1.0]]), [h])
    # Web is capped at 0.2; code and books reach 0.3 and 0.2 and need 0.3 more together, 0.15 each.
    assert high[:, 0] == pytest.approx([0.2, 0.45, 0.35], abs=1e-6) and low[:, 0] == pytest.approx([0.2, 0.15, 0.0], abs=1e-6)


def test_random_mixtures_beyond_the_runs_are_said():
    columns = rare()
    h = np.stack([columns[name] for name in ("web", "code", "maths")], axis=1)
    found = sj.studies.regmix(h, {"reasoning": columns["reasoning"]}, model="linear")
    with pytest.warns(sj.DataWarning, match=r"domain 2 at .* times the largest share of the runs, 0.05; .* caps={'domain 2': 0.05}"):
        found.simulate([1 / 3] * 3, "reasoning", samples=5000)
    best = found.simulate(
        [1 / 3] * 3, "reasoning", samples=5000, keep=16, caps={"domain 2": 0.05}, floors={"domain 0": 0.3, "domain 1": 0.3}
    )
    assert best[2] <= 0.05 and best[:2].min() >= 0.3
    with pytest.raises(sj.DecisionError, match="random mixtures keep to caps"):
        found.simulate([1 / 3] * 3, "reasoning", samples=200, caps={"domain 2": 0.0})


def test_shares_that_allocate_chooses_beyond_the_runs_are_said():
    """All runs have at least 85 % of the first domain; the best for the second is far beyond them."""
    law, rng = sj.laws.mixture_additive, np.random.default_rng(2)
    first = rng.uniform(0.85, 0.97, 80)
    h, N, D = np.column_stack([first, 1 - first]), 10 ** rng.uniform(7, 9, 80), 10 ** rng.uniform(9, 11, 80)
    truth = {"E": 1.5, "C": np.asarray([1.0, 2.0]), "gamma": np.asarray([0.3, 0.5]), "A": 300.0, "alpha": 0.35, "B": 900.0, "beta": 0.33}
    fit = sj.fit(law, {"h": h, "N": N, "D": D, "loss": law(h, N, D, **truth) * np.exp(0.001 * rng.standard_normal(80))}, starts=16)
    plan = sj.allocate(copies(fit), compute=1e21, over=("N", "D", "h"))
    assert plan.inputs["h"][1] > 0.5 and "largest share of the runs, 0.15" in plan.table().text()
    low, high = plan.interval()["h"]
    assert low[1] == pytest.approx(h[:, 1].max()) and high[0] == pytest.approx(h[:, 0].min())


SIZES = {"weights": ["a", "b", "c"], "losses": ["on_web"], "draws": 20, "starts": 16}


def sized(effect: float) -> dict[str, np.ndarray]:
    """30 runs of two sizes whose mixtures differ, and losses that the mixtures do not move."""
    rng = np.random.default_rng(0)
    h = np.concatenate([rng.dirichlet([6, 1, 1], 15), rng.dirichlet([1, 6, 1], 15)])
    N = np.repeat([1e8, 1e9], 15)
    loss = (2.3 - effect * (N > 5e8)) * np.exp(0.003 * rng.standard_normal(30))
    return {"a": h[:, 0], "b": h[:, 1], "c": h[:, 2], "params": N, "tokens": 20 * N, "on_web": loss, "on_code": 0.8 * loss}


def test_a_size_that_losses_go_with_and_nothing_uses_is_said():
    best = sj.studies.recommend_mixture(sized(0.3), **SIZES)
    (note,) = (r for r in best.remarks if r.code == "unused-column")
    assert "params (1.00e+08 to 1.00e+09)" in note and "tokens" in note and "on_code" not in note
    assert "roles={'N': 'params', 'D': 'tokens'}" in note and str(note) in repr(best)
    assert not sj.studies.recommend_mixture(sized(0.0), **SIZES).remarks


def test_scores_are_not_made_small_as_losses():
    columns = sized(0.0) | {"gsm8k_acc": np.linspace(0.3, 0.5, 30), "mmlu": np.linspace(0.7, 0.5, 30)}
    for losses in (["gsm8k_acc"], {"maths": "gsm8k_acc"}, {"mmlu/acc_norm": "mmlu"}):
        with pytest.raises(sj.DecisionError, match="named like a score, of which more is better"):
            sj.studies.recommend_mixture(columns, **SIZES | {"losses": losses})
    named = sj.studies.recommend_mixture(columns, **SIZES | {"losses": {"maths_error": "gsm8k_acc"}, "uncertainty": "none"})
    assert [*named.losses] == ["maths_error"]
    bare = sj.optimal_mixture({"accuracy": (LAW, {"c": 1.0, "t": np.asarray([-1.0, 0.5])})})
    assert bare.remarks[0].code == "rising-target" and "more is better" in repr(bare)
