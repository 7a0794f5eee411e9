"""The contract of `sj.formulas`: documented, mapped by `derive` over draws, called directly with numbers, and equal to what they were."""

from __future__ import annotations

import inspect
import re
from statistics import NormalDist
from types import SimpleNamespace

import numpy as np
import pytest

import scalejax as sj
from scalejax import laws


def published(law: str, key: str = "") -> tuple[sj.Law, dict]:
    found = getattr(laws, law)
    return found, dict(found.published[key or next(iter(found.published))])


GADRE = published("overtraining", "gadre2024_redpajama")
PAIR = (laws.modal_competition, {"C_ij": 0.25, "A_ij": 300.0, "alpha_ij": 0.3, "B_ij": 2000.0, "beta_ij": 0.36})
TIED = {"E": 1.836648378, "A": 166.21098366339768, "alpha": 0.2728507026, "B": 287.1680780269467, "beta": 0.2728507026}

QUANTISED = (
    laws.precision_unified,
    {**laws.precision.published["kumar2024"], **laws.precision_ptq.published["kumar2024"], "C_w": 0.5, "C_a": 0.5, "C_kv": 0.5},
)


@sj.law(A=sj.Positive(axis="fraction"), alpha=sj.Positive(axis="fraction"))
def KEPT(P, *, A, alpha):
    """Error of every kept fraction, with a leading axis as the groups of a fit have."""
    return A[:, None] * P ** -alpha[:, None]


# Formula to (source, what it is given, values to compare with: by the classes that were there before, all digits).
CASES = {
    "finetuning_phases": (
        (laws.rectified, {"B": 8.0, "D_l": 4.0, "beta": 0.5, "E": 1.0}),
        {"D": [16.0, 1.44]},
        {"transition": 16.0, "start": 3.0, "slope": [0.5 * 4 / 8 * 1 / 2, 0.5 * 1.2 / 5.2 * (8 / 5.2) / (8 / 5.2 + 1)]},
    ),
    "bon_peak": (
        (laws.reward_bon, {"alpha": 2.0, "beta": 1.0 / np.sqrt(np.log(4.0) - 0.75)}),
        {},
        {"value": np.sqrt(np.log(4.0) - 0.75), "kl": np.log(4.0) - 0.75, "n": 4.0, "reward": np.sqrt(np.log(4.0) - 0.75)},
    ),
    "rl_peak": (
        (laws.reward_rl, {"alpha": 1.0, "beta": 0.5}),
        {"k": [1.0, 3.0]},
        {"value": [np.e, 3 * np.e], "kl": [np.e**2, 9 * np.e**2], "reward": [np.e / 2, 3 * np.e / 2]},
    ),
    "horizon": ((laws.task_success, {"h": 60.0, "beta": np.log(4.0)}), {"p": [0.8, 0.5, 0.2]}, {"value": [30.0, 60.0, 120.0]}),
    "effective_compute": (
        (laws.algorithmic_progress, {"a": 0.9, "alpha_year": 0.01, "alpha_param": 0.1, "b": 0.8, "beta_year": 0.02, "beta_data": 0.05}),
        {},
        {"value": np.log(2) / 0.5, "growth": np.exp(0.5)},
    ),
    "adoption_reach": (
        (laws.adoption, {"m": 10.0, "lam": 2 * np.log(3.0), "mu": 2.0, "sigma": 1.5}),
        {},
        {"value": 80.0, "half": np.exp(2.0 + 1.5 * NormalDist().inv_cdf(np.log(5.0) / np.log(9.0)))},
    ),
    "attack_resistance": ((laws.controlled_tokens, {"kappa": 64.0}), {"d": [1024, 2048], "V": 65536}, {"value": [16.0, 32.0]}),
    "effective_parameters": (
        published("routed_lm", "s_base"),
        {"N": [5e6, 1e8, 1.3e9], "E": [128.0, 8.0, 512.0]},
        {"value": [5.1828431874126025e07, 2.0066234654289940e08, 5.9456948806469870e09], "cutoff": 1e12},
    ),
    "average_parameters": (
        (laws.average_parameter_count, {"E": 1.69, "A": 406.4, "alpha": 0.34, "B": 410.7, "beta": 0.28}),
        {"N": [1e9, 2e9], "S": 0.8, "s0": 0.25, "s1": 0.75},
        {"value": [5e8, 1e9]},
    ),
    "chinchilla_from_joint_moe": (
        published("joint_moe"),
        {"E": [1.0, 8.0]},
        {
            "E": 1.3637,
            "A": [30.399251533857953, 21.84045692962509],
            "alpha": [0.18175488558813255, 0.16757366734458945],
            "B": [53.84335071878175, 119.84030902814503],
            "beta": [0.19638351665993542, 0.23386245058929936],
        },
    ),
    "optimal_granularity": (published("efficiency_leverage"), {}, {"value": 2 ** (0.117 / 0.0334)}),
    "optimal_multiplier": (
        GADRE,
        {"M": [20.0, 640.0]},
        {
            "best": 7.41913121600084,
            "compute": [1.0691643788459106, 3.5936343836033826],
            "size": [0.6297726104766642, 0.20410492489421111],
        },
    ),
    "tied_multiplier": (
        (laws.chinchilla, TIED),
        {"M": [20.0, 640.0]},
        {
            "best": 7.41913121600084,
            "compute": [1.0691643788459106, 3.5936343836033826],
            "size": [0.6297726104766642, 0.20410492489421111],
        },
    ),
    "overtraining_from_chinchilla": ((laws.chinchilla, TIED), {}, GADRE[1]),
    "chinchilla_from_overtraining": (GADRE, {}, TIED),
    "elasticity_of_substitution": (
        published("chinchilla", "besiroglu2024"),
        {"N": [1e8, 7e10], "D": [1e11, 1.4e12]},
        {"value": [0.7341743421390055, 0.736954722370128]},
    ),
    "tokens_per_parameter": (published("batch_from_loss"), {"C": [4.08e21, 1e20]}, {"value": [191.9777472948848, 132.49054145912694]}),
    "encoder_decoder_split": (
        (laws.encoder_decoder, {"alpha": 0.8, "p_e": 0.15, "p_d": 0.3, "L_inf": 1.2}),
        {"budget": [1e8, 1e9], "Nbar_e": 1e8, "Nbar_d": 1e8},
        {
            "N_e": [3.3333333333333336e7, 3.3333333333333337e8],
            "N_d": [6.666666666666667e7, 6.666666666666667e8],
            "loss": [2.2653334240811347, 1.5779945628620373],
            "alpha_star": 4241.1687515700905,
        },
    ),
    "effective_shares": (
        (laws.power_law, {"E": 1.0, "A": 20.0, "alpha": 0.25}),
        {"A": [60.0, 90.0, 120.0], "p": [1.0, 0.5, 0.25]},
        {"value": [1.0, (60 / 90) ** 4, (60 / 120) ** 4]},
    ),
    "prediction_horizon": (
        published("kaplan_data"),
        {"x": [1.0, 10.0, 100.0, 1e3], "low": [1.0, 0.9, 0.8, 0.7], "high": [1.01, 0.99, 1.0, 0.71], "widest": 0.2, "largest": 1.0},
        {"x_max": 10.0, "width": [0.01, 0.1, 0.25, 0.01 / 0.7], "beyond": 1.0},
    ),
    "pruning_frontier": (
        (KEPT, {"A": [3.0, 30.0], "alpha": [0.3, 0.6]}),
        {"P": [1e3, 1e5], "kept": [1.0, 0.3]},
        {"error": [3 * 1e3**-0.3, 30 * 1e5**-0.6], "kept": [1.0, 0.3], "exponent": [0.3, 0.6]},
    ),
    "compute_efficient": (
        published("kaplan_trajectory", "kaplan2020"),
        {"compute": [1e18, 1e21]},
        {
            "N": [2.8972356171641570e07, 3.2033542507269173e09],
            "loss": [3.39573225881781, 2.36360343015744],
            "B_crit": [592618.92681932, 3327386.681123245],
            "S_min": [9707.098049546445, 15636.534482007213],
            "D": [1.1505220057304256e10, 1.0405759314871033e11],
            "C_c": 1.324617826610293e28,
            "exponent_N": 0.6812070510905288,
            "exponent_B": 0.24977591873319388,
            "exponent_S": 0.06901703017627725,
            "exponent_D": 0.3187929489094712,
            "exponent_L": -0.052452942933970716,
            "excess": 1.1013157894736842,
        },
    ),
    "minimal_steps": (published("kaplan_trajectory"), {"S": 2e4, "B": 1e6, "B_crit": 1e6}, {"value": 1e4}),
    "minimal_compute": (published("kaplan_trajectory"), {"C": 1e20, "B": 1e6, "B_crit": 1e6}, {"value": 5e19}),
    "overfitting_tokens": (published("kaplan"), {"N": [1e9, 1e10]}, {"value": [2.4135832758278275e10, 1.3198554362432867e11]}),
    "early_stopping_step": (published("kaplan_steps"), {"loss": 2.5, "loss_infinite": 2.4}, {"value": 43451.89970341054}),
    "contradiction_point": (
        published("kaplan_compute", "kaplan2020"),
        {"D_c": 5.4e13, "alpha_D": 0.095, "N_1": 1.3e9, "p": 0.73},
        {"C": 16676.64330172024, "N": 1570661719980.4067, "D": 305786612724.9439, "L": 1.6347925605756242},
    ),
    "local_exponent": (
        published("chinchilla", "besiroglu2024"),
        {"sizes": [1e6, 1e9, 1e11]},
        {
            "compute": [8.9942343320158630e15, 1.5482007524255406e20, 1.0926150730449790e24],
            "exponent": [0.9628090029397794, 0.5353811769334406, 0.5136823902086776],
        },
    ),
    "pretraining_gain": (  # log(A D_p^alpha) is 1 and 2
        (laws.translation_log_law, {"A": 1.0, "alpha": 0.5, "beta": 2.0}),
        {"D_p": [np.exp(2.0), np.exp(4.0)]},
        {"value": [1.0, 2.0], "doubled": [(1 + np.log(2) / 2) ** 2 - 1, (2 + np.log(2) / 2) ** 2 - 4], "score": [1.0, 4.0]},
    ),
    "two_stage": (
        {
            "first": (laws.llama3_nll, {"s": -0.2, "t": 5.5}),
            "second": (laws.llama3_accuracy, {"L_0": 0.25, "r": 0.8, "k": 10.0, "x_0": 0.7}),
        },
        {"C": 1e24},
        {"nll": 0.7, "accuracy": 0.55},
    ),
    "competition_barrier": (PAIR, {}, {"N": 138486977260.73575, "D": 620998775647.0638, "compute": 5.160014599318781e23}),
    "barrier_tokens": (PAIR, {"N": 4e10}, {"value": 5425926741191.317}),
    "ticket_crossover": (
        (laws.lottery_tickets, {"A": 1000.0, "B": 1.0, "E": 0.0}),
        {"d": [1.0, 2.0, 8.0]},
        {"value": [10.0, 1e3, 1e-6]},
    ),
    "barrier_parameters": (PAIR, {"D": 5425926741191.317}, {"value": 4e10}),
    "optimal_precision": (published("precision"), {}, {"P": 7.00210936833881, "kept": 0.7406686834348071}),
    "critical_tokens": (QUANTISED, {"N": 2.2e8, "P_post": [3.0, 4.0]}, {"value": [10541176593.71352, 56975860147.27068]}),
    "float_layout": (
        published("fp_quantization"),
        {"P": [4.0, 8.0, 16.0]},
        {
            "mantissa": [2.9543 * P / 6.1469 - 0.5 for P in (4, 8, 16)],
            "exponent": [3.1926 * P / 6.1469 - 0.5 for P in (4, 8, 16)],
            "E": [2.0, 4.0, 8.0],
            "M": [1.0, 3.0, 7.0],
        },
    ),
    "float_critical_tokens": (
        published("fp_quantization"),
        {"N": 1e9, "E": [8.0, 4.0, 2.0], "M": [7.0, 3.0, 1.0], "B": 128.0},
        {"value": [1729545319635004.0, 27329044730803.777, 392845235953.7254]},
    ),
    "float_precision": (  # by the interior-point minimiser of the law itself, over N, D and both numbers of bits
        published("fp_quantization"),
        {"C": [1e21, 1e31], "B": 128.0},
        {"P": [4.190252588803, 7.577629107350], "N": [7930459651.037, 3.7858488779623e16], "D": [80247252015.414, 92954862694545.1]},
    ),
    "optimal_vocabulary": (
        published("vocabulary"),
        {"N_nv": [7e9, 70e9], "d": [4096.0, 8192.0], "C": [7e21, 7e23]},
        {"V": [59427.662207270005, 217523.6745102671]},
    ),
    "transfer_multiplier": (
        (laws.data_transferred, {"k": 2.0, "alpha": 0.5, "beta": 0.5}),
        {"D_F": 4.0, "N": 9.0},
        {"value": 4.0, "transferred": 12.0, "even": 36.0, "data_for_size": 10.0},
    ),
    "best_attempts": (  # three tries: 1 + beta + beta^2 are drawn on average
        (laws.resampling, {"p": [0.5, 0.5], "r": [0.8, 0.2], "c": 0.5, "s": 0.75}),
        {"V_f": -0.5, "K": [3.0]},
        {
            "K": 3.0,
            "reward": 0.5 * (0.4 - 0.025) * (1 + 0.55 + 0.3025) + 0.5 * (0.1 - 0.1) * (1 + 0.7 + 0.49),
            "correct": 0.2 * 1.8525 + 0.05 * 2.19,
            "wrong": 0.025 * 1.8525 + 0.1 * 2.19,
            "drawn": 0.5 * (1.8525 + 2.19),
            "limit": 0.2 / 0.45 + 0.05 / 0.3,
            "precision": [0.4 / 0.45, 0.1 / 0.3],
        },
    ),
    "best_attempts_beta": (  # a perfect verifier and uniform chances: 1 + 1/2 + 1/3 are drawn, 3 in 4 problems solved
        (laws.success_after, {"u": 1.0, "v": 1.0}),
        {"c": 1.0, "s": 1.0, "V_f": -1.0, "cost": 0.1, "K": [3.0]},
        {"K": 3.0, "reward": 0.75 - 0.1 * 11 / 6, "correct": 0.75, "wrong": 0.0, "drawn": 11 / 6, "limit": 1.0},
    ),
    "coverage_loss": (
        published("coverage_power"),
        {"p": [0.5, 0.1, 1.0], "N": [2.0, 1.0, 1.0]},
        {"coverage": [0.75, 0.1, 1.0], "loss": [-np.log(0.75), -np.log(0.1), 0.0], "factor": [2 / 3, 1.0, 1.0]},
    ),
    "bottleneck_exponents": (
        (laws.bottlenecks, {"a": 1.5, "b": 2.0, "A_t": 1.0, "A_N": 1.0, "A_P": 1.0}),
        {},
        {"t": 0.25, "N": 0.5, "P": 0.5, "compute": 1 / 6, "size": 1 / 3, "steps": 2 / 3},
    ),
    "plrf_exponents": (
        (laws.hestness, {"alpha": 0.7, "beta_g": 0.1, "gamma": 0.0}),
        {"beta": [0.3, 0.6, 0.9]},
        {"xi": [1 / 2.4, 0.6 / 1.3, 0.5], "eta": [1 / 2.4, 1.6 / 2.6, 1.8 / 2.8]},
    ),
    "resolution_exponent": (published("hestness"), {"d": [4.0, 16.0]}, {"value": [1.0, 0.25]}),
    "optimal_sketch": (
        (laws.sketched_ridgeless, {"alpha2": 4.0, "sigma2": 1.0}),
        {"n": 1000.0, "p": [100.0, 1000.0, 3000.0]},
        {"m": [1000.0, 500.0, 1000.0], "risk": [1 / 9, 3.0, 8 / 3 + 1 / 2]},
    ),
}

# Powers of large exponents, and differences of near numbers, have fewer digits in any arithmetic.
ROUNDED = {
    "ticket_crossover": 2e-14,
    "effective_parameters": 1e-14, "compute_efficient": 4e-15, "prediction_horizon": 4e-15, "critical_tokens": 3e-14, "float_layout": 1e-14,
    "float_critical_tokens": 3e-14, "float_precision": 1e-12, "optimal_vocabulary": 1e-13, "best_attempts": 1e-14,
    "best_attempts_beta": 1e-12, "coverage_loss": 1e-14,
}  # fmt: skip


def around(law: sj.Law, params: dict, count: int = 5) -> sj.Draws:
    """Draws of 1 % around these parameters, without runs to be fitted."""
    rng = np.random.default_rng(0)
    fit = SimpleNamespace(law=law, params=params, groups=[], runs=None)
    draws = sj.Draws(fit, np.zeros((len(params), 1, count)), "around published constants")
    draws.__dict__["params"] = {n: v * np.exp(0.01 * rng.standard_normal((count, *np.shape(v)))) for n, v in params.items()}
    if params is TIED:  # one exponent in every draw, too
        draws.params["beta"] = draws.params["alpha"]
    return draws


def test_every_formula_is_tested():
    assert set(CASES) == set(sj.formulas.__all__) == set(dir(sj.formulas))
    with pytest.raises(AttributeError, match=r"sj.formulas has no 'nothing'"):
        _ = sj.formulas.nothing


@pytest.mark.parametrize("name", CASES)
def test_a_formula_is_documented(name):
    function = getattr(sj.formulas, name)
    doc = inspect.getdoc(function)
    assert re.search(r"^    \S.*(=|<=|>=)", doc, flags=re.MULTILINE), "a formula"
    for heading in ("Args:", "Returns:", "Example:", "References:"):
        assert heading in doc, heading
    described = re.split(r"Returns:", doc)[0]
    for argument in inspect.signature(function).parameters:
        assert re.search(rf"\b{argument}\b", described.split("Args:")[1]), argument
    assert ">>>" in doc and function.__module__.startswith("scalejax.zoo.")


def arguments(name: str) -> set[str]:
    return set(inspect.signature(getattr(sj.formulas, name)).parameters)


@pytest.mark.parametrize("name", CASES)
def test_a_formula_gives_what_it_gave_before(name):
    source, given, expected = CASES[name]
    found = sj.derive(source, getattr(sj.formulas, name), **given)
    for key, value in expected.items():
        np.testing.assert_allclose(found[key], value, rtol=ROUNDED.get(name, 2e-15), err_msg=key)
    assert found.title in repr(found) and "<table" in found._repr_html_()


@pytest.mark.parametrize("name", CASES)
def test_a_formula_is_mapped_over_draws(name):
    source, given, _ = CASES[name]
    law, params = source["first"] if isinstance(source, dict) else source
    function, draws = getattr(sj.formulas, name), around(law, params)
    of = (lambda first: {**source, "first": first}) if isinstance(source, dict) else (lambda first: first)
    found = sj.derive(of(draws), function, **given)
    assert all(len(v) == 5 for v in found.draws.values())
    for i in range(5):
        one = {n: v[i] for n, v in draws.params.items()}
        alone = sj.derive(of((law, one)), function, **given)
        for key, value in alone.values.items():
            np.testing.assert_allclose(found.draws[key][i], value, rtol=1e-13, err_msg=key)
    assert set(found.interval(0.5)) == set(found.values)


@pytest.mark.parametrize("name", [n for n in CASES if not {"law", "first"} & arguments(n)])
def test_a_formula_is_called_with_numbers(name):
    (law, params), given, expected = CASES[name]
    own = {n: v for n, v in {**dict(law.bound), **params, **given}.items() if n in arguments(name)}
    found = getattr(sj.formulas, name)(**own)
    for key, value in expected.items():
        got = found if key == "value" and not isinstance(found, dict) else found[key]
        np.testing.assert_allclose(got, value, rtol=ROUNDED.get(name, 2e-15), err_msg=key)
        assert isinstance(got, float if np.ndim(value) == 0 else np.ndarray)
