"""The bias of isoFLOP parabolas, two stages in a row, and the test of equal parameters."""

import jax
import numpy as np
import pytest
from scipy import stats

import scalejax as sj
from scalejax import equality_test, laws
from scalejax.studies import allocation_exponents, isoflop_bias, vertex_shift

LAW = laws.chinchilla
SURFACE = (LAW, LAW.published["hoffmann2022_rounded"])
CHINCHILLA = LAW.published["besiroglu2024"]
BUDGETS = np.logspace(17, 21, 5)

# Bias of parabolas


def test_the_closed_form_is_the_vertex_of_a_fitted_parabola():
    decades = np.linspace(-1.2, 1.2, 15)
    w = np.log(10) * (decades + 0.3)
    p, q, _ = np.polyfit(decades + 0.3, np.exp(-0.34 * w) / 0.34 + np.exp(0.28 * w) / 0.28, 2)
    assert vertex_shift(0.34, 0.28, 2.4, offset=0.3) == pytest.approx(-q / (2 * p), rel=1e-9)


def test_properties_of_the_vertex_shift():
    assert vertex_shift(0.31, 0.31, 2.4) == pytest.approx(0, abs=1e-14)
    widths = vertex_shift(0.34, 0.28, np.asarray([0.3, 0.6, 1.2, 2.4]))
    assert widths.shape == (4,) and (np.diff(widths) > 0).all() and widths[0] > 0
    np.testing.assert_allclose(vertex_shift(0.28, 0.34, [0.6, 2.4]), -vertex_shift(0.34, 0.28, [0.6, 2.4]), rtol=1e-9)
    assert widths[1] / widths[0] == pytest.approx(4, rel=0.01)  # quadratic in the width of a narrow grid


@pytest.mark.parametrize("offset", [0.0, -0.2])
def test_shifts_on_chinchilla_are_the_closed_form_whatever_the_constants(offset):
    shift = vertex_shift(0.34, 0.28, 1.6, offset=offset)
    for change in ({}, {"E": 3.0, "A": 10.0}):
        bias = isoflop_bias((LAW, {**SURFACE[1], **change}), budgets=BUDGETS, compute=1e24, width=1.6, offset=offset)
        np.testing.assert_allclose(bias.shift, shift, rtol=1e-6)
        np.testing.assert_allclose([bias.b, bias.D / bias.true_D], [0.34 / 0.62, 10**-shift], rtol=1e-6)


def test_the_same_lines_as_isoflop_on_simulated_runs():
    best = sj.allocate(SURFACE, compute=BUDGETS)
    N = (best.N[:, None] * 10 ** np.linspace(-0.8, 0.8, 15)).ravel()
    C = np.repeat(BUDGETS, 15)
    frontier = sj.isoflop(sj.simulate(*SURFACE, N=N, D=C / (6 * N)).with_columns(C=C), method="polynomial")
    bias = isoflop_bias(SURFACE, budgets=BUDGETS, compute=[1e23, 1e24], width=1.6, outside="drop")
    assert bias.used.all()
    np.testing.assert_allclose([bias.a, bias.k_N, bias.k_D], [frontier.a, frontier.k_N, frontier.k_D], rtol=1e-9)
    np.testing.assert_allclose(bias.N, frontier.allocate([1e23, 1e24])[0], rtol=1e-9)


def test_dead_weight_is_what_the_wrong_allocation_wastes():
    bias = isoflop_bias(SURFACE, budgets=BUDGETS, compute=1e24, width=0.6, drift=-0.5)
    assert bias.error > 0.1 and isinstance(bias.dead_weight, float)
    least = sj.allocate(SURFACE, loss=LAW(bias.N, bias.D, **SURFACE[1])).compute
    assert bias.dead_weight == pytest.approx(1e24 - least, rel=1e-6)
    assert "dead-weight" in repr(bias)


def test_drifting_centres_can_leave_the_sizes():
    grid = {"budgets": BUDGETS, "compute": 1e24, "width": 0.6, "drift": -0.5}
    kept, dropped = (isoflop_bias(SURFACE, outside=o, **grid) for o in ("keep", "drop"))
    assert kept.used.all() and 2 <= dropped.used.sum() < 5 and "left out" in repr(dropped)
    with pytest.raises(sj.DecisionError, match="Fewer than two parabolas"):
        isoflop_bias(SURFACE, outside="drop", **{**grid, "offset": -2.0})


@pytest.mark.slow
def test_the_bias_of_another_law():
    """No closed form is needed: with an outer exponent the loss is not a sum, and the shift is another one."""
    law, params = laws.chinchilla_outer, {**SURFACE[1], "q": 0.3}
    bias = isoflop_bias((law, params), budgets=BUDGETS, compute=1e24, width=1.6)
    assert abs(bias.a - 0.28 / 0.62) < 1e-6  # q leaves the exponents as they are, and every curve has one shape
    assert not np.isclose(bias.shift[0], vertex_shift(0.34, 0.28, 1.6), rtol=0.02)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"budgets": [1e20]}, "at least two numbers that rise"),
        ({"budgets": [1e20, 1e19]}, "at least two numbers that rise"),
        ({"budgets": [-1.0, 1e19]}, "positive"),
        ({"width": 0.0}, "positive number of decades"),
        ({"points": 3}, "at least 4"),
        ({"outside": "lose"}, "'keep' or 'drop'"),
        ({"compute": 0.0}, "compute=0.0 must be"),
    ],
)
def test_bad_grids_are_told_in_a_sentence(change, sentence):
    with pytest.raises(sj.DecisionError, match=sentence):
        isoflop_bias(SURFACE, **{"budgets": BUDGETS, "compute": 1e24, "width": 0.6, **change})


def test_bad_exponents_are_told_in_a_sentence():
    with pytest.raises(sj.DecisionError, match=r"alpha=-0\.3"):
        vertex_shift(-0.3, 0.3, 1.0)


# Two stages

LOSS = (laws.llama3_nll, {"s": -0.2, "t": 5.5})
ACCURACY = (laws.llama3_accuracy, {"L_0": 0.25, "r": 0.7 / 0.75, "k": 10.0, "x_0": 0.7})


@pytest.fixture(scope="module")
def stages():
    """Bootstraps of both stages, fitted to noisy runs that they do not share."""
    nll = sj.simulate(*LOSS, C=np.logspace(19, 23, 20), noise=0.01, seed=1)
    accuracy = sj.simulate(*ACCURACY, nll=np.linspace(0.4, 1.3, 40), noise=0.01, seed=2)
    first = sj.fit(LOSS[0], nll, loss=sj.squared(), on="linear", starts=64)
    second = sj.fit(ACCURACY[0], accuracy, loss=sj.squared(), on="linear", starts=256)
    return sj.bootstrap(first, 400, progress=False), sj.bootstrap(second, 400, seed=1, progress=False)


def two_stage(first, second, **options):
    return sj.derive({"first": first, "second": second}, sj.formulas.two_stage, **options)


def test_two_stages_are_one_law_through_the_other():
    C = np.logspace(20, 26, 7)
    expected = ACCURACY[0](LOSS[0](C, **LOSS[1]), **ACCURACY[1])
    np.testing.assert_allclose(two_stage(LOSS, ACCURACY, C=C).accuracy, expected, rtol=1e-12)
    chain = two_stage(LOSS, ACCURACY, C=1e24)
    assert isinstance(chain.accuracy, float) and chain.accuracy == pytest.approx(0.6)
    with pytest.raises(sj.DecisionError, match="This derived quantity comes from bare parameters"):
        chain.interval()


def test_the_interval_holds_the_uncertainty_of_both_stages(stages):
    width = {}
    for name, pair in (("both", stages), ("first", (stages[0], ACCURACY)), ("second", (LOSS, stages[1]))):
        low, high = two_stage(*pair, C=1e24).interval(0.9)["accuracy"]
        assert low < 0.6 < high
        width[name] = high - low
    # Independent errors add in squares.
    assert width["both"] == pytest.approx(np.hypot(width["first"], width["second"]), rel=0.15)
    drawn = two_stage(*stages, C=[1e22, 1e24]).draws
    assert drawn["accuracy"].shape == drawn["nll"].shape == (400, 2)


def test_a_new_run_scatters_about_both_laws(stages):
    """Noise 0.004 of the loss goes through the second law's slope there, and noise 0.01 of the accuracy is added."""
    at = {"C": 1e24}
    mean, run = (two_stage(*stages, kind=kind, **at).draws["accuracy"] for kind in ("mean", "run"))
    nll = LOSS[0](1e24, **LOSS[1])
    slope = float(jax.grad(lambda x: ACCURACY[0](x, **ACCURACY[1]))(float(nll)))
    scatter = [np.std(source.fit.residuals) for source in stages]
    assert np.std(run - mean) == pytest.approx(np.hypot(slope * scatter[0], scatter[1]), rel=0.15)
    with pytest.raises(sj.DecisionError, match="bare parameters"):
        two_stage(LOSS, stages[1], kind="run", **at)


def test_stages_may_call_their_inputs_alike():
    """power_law after power_law: x of the second is the loss of the first, and nothing else is asked for."""
    first, second = (laws.power_law, {"E": 1.0, "A": 20.0, "alpha": 0.3}), (laws.power_law, {"E": 0.1, "A": 0.5, "alpha": -1.0})
    chain = two_stage(first, second, x=1e6)
    assert tuple(chain.given) == ("x",) and tuple(chain.values) == ("x", "loss")
    assert chain.loss == pytest.approx(0.1 + 0.5 * (1.0 + 20.0 * 1e6**-0.3), rel=1e-12)
    # both take N: one value for both, or one of its own for the second
    sizes = (laws.chinchilla, CHINCHILLA)
    both = two_stage(sizes, sizes, through="D", N=1e9, D=2e10)
    middle = float(laws.chinchilla(1e9, 2e10, **CHINCHILLA))
    assert both.loss == pytest.approx(float(laws.chinchilla(1e9, middle, **CHINCHILLA)), rel=1e-12)
    own = sj.derive({"a": sizes, "b": sizes}, lambda a, b, N, D: b.law(7e9, a.law(N, D)), N=1e9, D=2e10)
    assert own.value == pytest.approx(float(laws.chinchilla(7e9, middle, **CHINCHILLA)), rel=1e-12)


def test_a_chain_prints_as_a_table(stages):
    chain = two_stage(*stages, C=[1e22, 1e24])
    assert len(repr(chain).splitlines()) < 8 and "llama3_accuracy" in repr(chain)
    table = chain.table(0.9)
    low, high = two_stage(*stages, C=1e24).interval(0.9)["accuracy"]
    assert f"{low:.5f} – {high:.5f}" in table.text() and "intervals from 400 draws" in table.text()


def test_stages_of_more_inputs_and_fits(fitted):
    """N, D -> loss -> error, from a fit with its Laplace draws; the second law's input has another name."""
    error = (laws.power_law, {"E": 0.0, "A": 0.2, "alpha": -1.0})  # error = 0.2 loss
    N, D = np.asarray([1e9, 1e10]), 2e10
    chain = two_stage(fitted, error, N=N, D=D)
    np.testing.assert_allclose(chain.loss, 0.2 * fitted.predict(N=N, D=D), rtol=1e-10)
    low, high = chain.interval(0.9)["loss"]
    assert (low < chain.loss).all() and (chain.loss < high).all()


@pytest.mark.parametrize(
    ("ask", "sentence"),
    [
        (lambda: two_stage(LOSS, SURFACE), "say which with through="),
        (lambda: two_stage(LOSS, ACCURACY, through="x", C=1e24), "has no input 'x'"),
        (lambda: two_stage(LOSS, "accuracy"), "derive.. takes a fit, draws or"),
        (lambda: two_stage(LOSS, ACCURACY, N=1e9), "take the inputs C; got N"),
        (lambda: two_stage(LOSS, ACCURACY), "take the inputs C; got none"),
    ],
)
def test_bad_stages_are_told_in_a_sentence(ask, sentence):
    with pytest.raises(sj.DecisionError, match=sentence):
        ask()


# Equal parameters


@pytest.fixture(scope="module")
def line():
    """A power law's fit by least squares on logs, and its bootstrap."""
    runs = sj.simulate(laws.power_law, {"E": 1.0, "A": 20.0, "alpha": 0.3}, x=np.logspace(3, 9, 80), noise=0.01, seed=3)
    fit = sj.fit(laws.power_law, runs, loss=sj.squared(), starts=64)
    return fit, sj.bootstrap(fit, 600, progress=False)


def test_the_test_is_the_quadratic_form_of_the_draws(line):
    _, draws = line
    other = {"E": 1.01, "A": 19.0, "alpha": 0.29}
    found = equality_test(draws, other, logs=["A"])
    theta = np.stack([draws.params["E"], np.log(draws.params["A"]), draws.params["alpha"]], axis=1)
    d = [draws.center["E"] - 1.01, np.log(draws.center["A"] / 19.0), draws.center["alpha"] - 0.29]
    chi2 = d @ np.linalg.solve(np.cov(theta.T), d)
    assert found.chi2 == pytest.approx(chi2, rel=1e-9) and found.df == 3
    assert found.p == pytest.approx(stats.chi2.sf(chi2, 3), rel=1e-9)
    t = found.difference["alpha"] / found.standard_error["alpha"]
    assert found.p_each["alpha"] == pytest.approx(2 * stats.t.sf(abs(t), 77), rel=1e-9)
    assert "chi2" in repr(found)


def test_small_p_keep_their_digits(line):
    far = equality_test(line[1], {"E": 1.0, "A": 20.0, "alpha": 0.2}, names=["alpha"])
    assert 0 < far.p == pytest.approx(stats.chi2.sf(far.chi2, 1), rel=1e-8) and far.p < 1e-40


def test_draws_and_the_normal_approximation_agree(line):
    fit, draws = line
    other = {"E": 1.01, "A": 19.0, "alpha": 0.29}
    one, two = (equality_test(source, other, names=["E", "alpha"]).chi2 for source in (draws, fit))
    assert one == pytest.approx(two, rel=0.35)


def test_two_laboratories_add_their_covariances(line):
    _, draws = line
    runs = sj.simulate(laws.power_law, {"E": 1.0, "A": 20.0, "alpha": 0.3}, x=np.logspace(3, 9, 80), noise=0.01, seed=4)
    other = sj.bootstrap(sj.fit(laws.power_law, runs, loss=sj.squared(), starts=64), 600, seed=5, progress=False)
    found = equality_test(draws, other, logs=["A"])
    assert found.p > 0.01
    known = equality_test(draws, other.center, logs=["A"])
    for name in found.names:
        total = np.hypot(draws.standard_errors[name], other.standard_errors[name])
        assert found.standard_error[name] == pytest.approx(total, rel=1e-9) and known.standard_error[name] < total


@pytest.mark.slow
def test_the_test_rejects_as_often_as_it_says():
    truth = {"E": 1.0, "A": 20.0, "alpha": 0.3}
    p = []
    for seed in range(60):
        runs = sj.simulate(laws.power_law, truth, x=np.logspace(3, 9, 80), noise=0.01, seed=seed)
        fit = sj.fit(laws.power_law, runs, loss=sj.squared(), starts=16)
        p.append(equality_test(sj.bootstrap(fit, 300, progress=False), truth, logs=["A"]).p)
    assert stats.kstest(p, "uniform").pvalue > 1e-3


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"names": ["gamma"]}, "knows no 'gamma' on both sides"),
        ({"names": []}, "nothing to compare"),
        ({"logs": ["B"]}, "knows no 'B'"),
        ({"second": {"E": -1.0, "A": 20.0, "alpha": 0.3}, "logs": ["E"]}, "E is not always positive"),
        ({"first": (laws.power_law, {"E": 1.0, "A": 20.0, "alpha": 0.3})}, "needs a first source with uncertainty"),
    ],
)
def test_bad_comparisons_are_told_in_a_sentence(line, options, sentence):
    arguments = {"first": line[1], "second": {"E": 1.0, "A": 20.0, "alpha": 0.3}, **options}
    with pytest.raises(sj.DecisionError, match=sentence):
        equality_test(**arguments)


# Substitution


def test_elasticity_of_substitution():
    """The closed form of chinchilla; 1 for a product of powers; an outer exponent changes no line of equal loss."""
    N, D, p = np.asarray([1e8, 1e10]), np.asarray([1e11, 1e10]), LAW.published["besiroglu2024"]
    of_n, of_d = p["alpha"] * p["A"] * N ** -p["alpha"], p["beta"] * p["B"] * D ** -p["beta"]
    expected = 1 / (1 + (p["beta"] * of_n + p["alpha"] * of_d) / (of_n + of_d))
    for source in ((LAW, p), (laws.chinchilla_outer, {**p, "q": 0.4})):
        np.testing.assert_allclose(sj.derive(source, sj.formulas.elasticity_of_substitution, N=N, D=D).value, expected, rtol=1e-9)
    product = (laws.chinchilla_product, {"A": 20.0, "alpha": 0.05, "beta": 0.1})
    assert sj.derive(product, sj.formulas.elasticity_of_substitution, N=1e9, D=1e10).value == pytest.approx(1, rel=1e-9)
    with pytest.raises(sj.DecisionError, match="needs the inputs N, D"):
        sj.derive(product, sj.formulas.elasticity_of_substitution, N=1e9)


# Reported exponents


def test_reported_exponents_are_exponents():
    for name, reported in allocation_exponents.items():
        assert 0 < reported["a"] < 1 and 0 < reported["b"] < 1, name
        assert reported["a"] + reported["b"] == pytest.approx(1, abs=0.13), name
        assert reported.context and reported.source and reported.status in ("verified", "printed", "recalled")


def test_the_llama_sweep_of_xlstm_has_the_reported_exponent(public_data):
    """Budgets by label, for the paper's FLOPs count attention exactly: 6 N D is only nearly constant within one."""
    runs = sj.datasets.load("xlstm_isoflop", on_bad="flag", N="params", D="tokens", loss="val_loss", group="group", finished="finished")
    labels = {"sclaw_llama_iso5": 6e18, "sclaw_llama_iso6": 1e19, "sclaw_llama_iso4": 3e19, "sclaw_llama_iso13": 1e20}
    runs = runs.where(np.isin(runs["group"], list(labels)))
    runs = runs.with_columns(C=np.asarray([labels[g] for g in runs["group"]]))
    with pytest.warns(sj.DataWarning, match="times 6 N D"):
        low, high = sj.isoflop(runs, replicates=200).interval(0.9)["a"]
    assert low < allocation_exponents["xlstm_transformer"]["a"] < high
