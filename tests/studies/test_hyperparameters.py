"""Laws of learning rate, batch and weight decay, critical batches, and what grids of runs say of them."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import scalejax as sj
from scalejax import laws, papers, studies
from scalejax.core.errors import DataError, DecisionError, LawError

POWERS = {"p_N": -0.7, "p_D": 0.3}
BOWL = dict(lr_0=1e-3, **POWERS, batch_0=4e5, q_N=0.0, q_D=0.6, w_lr=0.1, w_batch=0.1, w_cross=-0.05)
BASE = dict(laws.chinchilla.published["besiroglu2024"])


def grid(noise: float = 0.0, seed: int = 0, sizes: tuple[float, ...] = (2e8, 5e8, 1e9)) -> sj.Runs:
    """Four grids of learning rate and batch for every size, about the bottom of their bowls."""
    columns = np.meshgrid(sizes, [5e9, 1e10, 2e10, 4e10], np.geomspace(2e-4, 1e-2, 11), np.geomspace(6e4, 2e6, 9))
    N, D, lr, batch = (v.ravel() for v in columns)
    loss = laws.lr_batch_surface(N, D, lr, batch, **BASE, **BOWL)
    factor = np.exp(noise * np.random.default_rng(seed).standard_normal(len(loss)))
    return sj.read_runs({"N": N, "D": D, "lr": lr, "batch": batch, "loss": loss * factor})


# Power laws


def test_power_product_is_one_law_for_equal_arguments():
    one = sj.power_product("C", "B", output="lr")
    assert one is sj.power_product("C", "B", output="lr")
    assert one != sj.power_product("C", "B", output="batch")
    assert one.inputs == ("C", "B") and one.parameters == ("c", "p_C", "p_B") and one.output == "lr"
    assert "lr = c C^p_C B^p_B" in one.formula


def test_power_product_has_the_thin_laws_as_cases():
    law = sj.power_product("N", "D")
    p = laws.lr_params_tokens.published["step_law"]
    expected = laws.lr_params_tokens(1e9, 1e11, **p)
    assert law(1e9, 1e11, c=p["c"], p_N=p["a"], p_D=p["b"]) == pytest.approx(expected, rel=1e-14)
    offset = sj.power_product("D", offset=True, output="batch")
    assert offset(1e10, c=2.0, p_D=0.5, y_0=3.0) == pytest.approx(3 + 2e5)


def test_power_product_with_an_offset_is_recovered():
    law = sj.power_product("L", offset=True, output="batch", L=sj.Positive(1.5, 6.0))
    true = {"c": 3e8, "p_L": -1.2, "y_0": 2e6}
    runs = sj.simulate(law, true, L=np.linspace(1.5, 6.0, 24))
    found = sj.fit(law, runs, starts=256).params
    assert {k: pytest.approx(v, rel=1e-4) for k, v in true.items()} == found


@pytest.mark.parametrize("names", [(), ("N", "N"), ("c",), ("not a name",)])
def test_power_product_refuses_bad_names(names):
    with pytest.raises(LawError, match="power_product"):
        sj.power_product(*names)


def test_arguments_of_hyperparameter_laws_can_be_compared():
    """The rate of these runs depends on N and D; a law of D alone cannot follow."""
    bottoms = studies.sweep_bottoms(grid(), within=0.01).runs
    both, one = (sj.fit(sj.power_product(*x), bottoms, loss=sj.squared(), starts=16).objective for x in (("N", "D"), ("D",)))
    assert both < 1e-4 * one


def test_rescaled_moves_along_the_law():
    p = laws.lr_params_tokens.published["step_law"]
    here, there = (laws.lr_params_tokens(*x, **p) for x in ((1e8, 1e10), (4e9, 3e11)))
    assert studies.rescaled(here, {"N": p["a"], "D": p["b"]}, N=40, D=30) == pytest.approx(there, rel=1e-13)
    with pytest.raises(DecisionError, match="no power of 'B'"):
        studies.rescaled(1.0, {"D": 0.5}, B=2)
    with pytest.raises(DecisionError, match="positive"):
        studies.rescaled(1.0, {"D": 0.5}, D=-2)


def test_the_best_weight_decay_gives_the_best_timescale():
    p = laws.timescale.published["power_lines"]
    N, D, B, lr = 3e8, np.array([6e9, 6e10]), 5e5, 3e-3
    decay = laws.weight_decay(N, D, B, lr, **p)
    tau = studies.adamw_timescale(batch=B, lr=lr, weight_decay=decay, D=D)
    np.testing.assert_allclose(tau, laws.timescale(D / N, **p), rtol=1e-13)


# Batches


def test_surge_is_symmetric_and_has_the_square_root_for_small_batches():
    law, p = laws.surge_lr, {"eta_max": 2e-3, "B_noise": 3e4}
    ratio = np.array([1.5, 7.0, 300.0])
    np.testing.assert_allclose(law(3e4 * ratio, **p), law(3e4 / ratio, **p), rtol=1e-13)
    assert law(3.0, **p) == pytest.approx(2 * 2e-3 * np.sqrt(1e-4), rel=2e-4)
    assert law(3e4, **p) == 2e-3


def test_noise_laws_at_their_limits():
    assert laws.noise_lr(1e12, eta_max=0.1, B_noise=1e3, a=0.5) == pytest.approx(0.1)
    small = laws.noise_lr(np.array([1e-3, 2e-3]), eta_max=0.1, B_noise=1e3, a=0.5)
    assert small[1] / small[0] == pytest.approx(np.sqrt(2), rel=1e-5)
    assert laws.noise_progress(1e3, dL_max=0.2, B_noise=1e3) == pytest.approx(0.1)


def test_steps_to_target_is_steps_to_loss_for_alpha_1():
    B = np.geomspace(10, 1e5, 5)
    np.testing.assert_allclose(laws.steps_to_target(B, a=1e3, b=1e6, alpha=1.0), laws.steps_to_loss(B, S_min=1e3, E_min=1e6), rtol=1e-13)


@pytest.mark.parametrize("alpha", [0.6, 0.9, 1.0, 1.3])
def test_critical_batches_solve_their_equations(alpha):
    a, b, B_0 = 2e3, 4e6, 64.0

    def steps(B):
        return laws.steps_to_target(B, a=a, b=b, alpha=alpha)

    B = studies.critical_batch_overhead(a, b, alpha, B_0=B_0, overhead=0.3)
    assert B > B_0 and B * steps(B) == pytest.approx(1.3 * B_0 * steps(B_0), rel=1e-12)
    assert steps(studies.critical_batch_balance(a, b, alpha)) == pytest.approx(2 * a, rel=1e-12)


def test_critical_batches_take_arrays_and_have_derivatives():
    a, b = np.array([1e3, 2e3]), np.array([1e6, 4e6])
    np.testing.assert_allclose(studies.critical_batch_overhead(a, b), 1.2 * 256 + b / (5 * a), rtol=1e-12)
    with jax.enable_x64(True):
        slope = jax.grad(lambda b: studies.critical_batch_overhead(jnp.asarray(1e3), b))(jnp.asarray(1e6))
    assert slope == pytest.approx(1 / 5e3, rel=1e-9)
    with pytest.raises(DecisionError, match="overhead"):
        studies.critical_batch_overhead(1e3, 1e6, overhead=0.0)


def test_chinchilla_at_a_finite_batch_satisfies_its_equation():
    c_c, m_c, D = 96.5, 0.462, np.array([1e9, 2e10, 1e12])
    batch = np.array([1e8, 1e6, 1e4])
    loss = laws.chinchilla_batch(1e9, D, batch, **BASE, c_c=c_c, m_c=m_c)
    floor = BASE["E"] + BASE["A"] * 1e9 ** -BASE["alpha"]
    D_min = ((loss - floor) / BASE["B"]) ** (-1 / BASE["beta"])
    np.testing.assert_allclose(D_min * (1 + batch / (c_c * D_min**m_c)), D, rtol=1e-9)


def test_a_larger_batch_wastes_tokens():
    params = dict(BASE, c_c=96.5, m_c=0.462)
    losses = laws.chinchilla_batch(1e9, 2e10, np.geomspace(1e3, 1e8, 12), **params)
    assert (np.diff(losses) > 0).all()
    assert losses[0] == pytest.approx(laws.chinchilla(1e9, 2e10, **BASE), abs=1e-4)


@pytest.mark.slow
def test_time_and_compute_have_a_front():
    """With compute held, less time costs loss: larger batches, and smaller models on more tokens, which the batch wastes."""

    def time(N, D, batch):
        return N * D / batch

    source = (laws.chinchilla_batch, dict(BASE, c_c=96.5, m_c=0.462))
    front = sj.pareto(source, against=time, compute=1e21, points=3, between=(3e12, 3e14), bounds={"batch": (1e4, 1e9)})
    assert (np.diff(front.first) < 0).all() and (np.diff(front.inputs["batch"]) < 0).all() and (np.diff(front.inputs["N"]) > 0).all()
    np.testing.assert_allclose(front.second, time(**front.inputs), rtol=1e-6)


def test_max_stable_lr_is_continuous_where_the_outlier_vanishes():
    p = {"lam": 10.0, "sigma": 1.0}
    edge = 1e4 / 100.0  # P sigma^2 / lam^2
    below, above = laws.max_stable_lr(edge * np.array([1 - 1e-9, 1 + 1e-9]), 1e4, 1e15, **p)
    assert below == pytest.approx(0.1, rel=1e-6) and above == pytest.approx(0.1, rel=1e-6)
    assert laws.max_stable_lr(5e3, 1e4, 5e3, **p) == pytest.approx(0.2)  # the full batch has no noise


def test_max_stable_lr_agrees_with_random_matrices():
    for spike in (60.0, 30.0, 10.0):  # two outliers, and one within the bulk
        found = np.mean([papers.spiked_eigenvalue(300, spike, 1.0, seed=s) for s in range(6)])
        assert 2 / found == pytest.approx(laws.max_stable_lr(1.0, 300.0, 1e15, lam=spike, sigma=1.0), rel=0.04)


# Near-optimal runs, bottoms, surfaces, regret


def test_near_optimal_keeps_the_best_of_every_cell():
    runs = grid()
    best = studies.near_optimal(runs, within=0.0)
    assert len(best) == 12 and (best["excess"] == 0).all() and len(set(best["cell"].tolist())) == 12
    assert len(studies.near_optimal(runs)) > 12
    with pytest.raises(DataError, match="within"):
        studies.near_optimal(runs, within=-1)


def test_near_optimal_leaves_out_excluded_runs():
    runs = sj.Runs(
        {"N": np.ones(3), "lr": np.array([1.0, 2.0, 3.0]), "loss": np.array([1.0, 2.0, 3.0])}, excluded=np.array([1, 0, 0], bool)
    )
    assert studies.near_optimal(runs, cells="N")["lr"].tolist() == [2.0]


def test_bottoms_of_exact_bowls_are_exact():
    found = studies.sweep_bottoms(grid())
    N, D = found.runs["N"], found.runs["D"]
    np.testing.assert_allclose(found.runs["lr"], 1e-3 * (N / 1e9) ** -0.7 * (D / 2e10) ** 0.3, rtol=1e-9)
    np.testing.assert_allclose(found.runs["batch"], 4e5 * (D / 2e10) ** 0.6, rtol=1e-9)
    np.testing.assert_allclose(found.runs["loss"], laws.chinchilla(N, D, **BASE), rtol=1e-12)
    assert found.runs["inside"].all() and not found.skipped


def test_errors_of_bottoms_cover_the_truth():
    """Distances from the truth in standard errors have a mean square near 1."""
    squares = []
    for seed in range(8):
        found = studies.sweep_bottoms(grid(5e-4, seed))
        truth = 1e-3 * (found.runs["N"] / 1e9) ** -0.7 * (found.runs["D"] / 2e10) ** 0.3
        squares.append((np.log(found.runs["lr"] / truth) / found.standard_errors["lr"]) ** 2)
    assert 0.6 < np.mean(squares) < 1.6


def test_sweeps_without_a_lowest_point_are_named():
    lr = np.tile(np.geomspace(1e-4, 1e-2, 6), 2)
    loss = np.where(np.arange(12) < 6, 3 + 0.002 * np.log(lr / 1e-3) ** 2, 3 - 0.002 * np.log(lr / 1e-3) ** 2)
    runs = sj.read_runs({"N": np.repeat([1e8, 1e9], 6), "lr": lr, "loss": loss})
    found = studies.sweep_bottoms(runs, over="lr", cells="N", within=0.5)
    assert list(found.skipped) == ["N=1e+09"] and "no lowest point" in str(found)
    with pytest.raises(DataError, match="No cell"):
        studies.sweep_bottoms(runs.where(runs["N"] > 5e8), over="lr", cells="N", within=0.5)


def test_the_published_recipe_recovers_the_powers():
    found = studies.near_optimal_laws(grid(), replicates=50)
    assert found.fits["lr"].params["p_N"] == pytest.approx(-0.7, abs=0.1)
    assert found.fits["batch"].params["p_D"] == pytest.approx(0.6, abs=0.1)
    assert "lr: p_N" in str(found)


def test_whole_cells_can_be_resampled():
    """Runs of one cell share its bottom, so that single runs are no independent draws."""
    runs = grid(1e-3)
    single, whole = (studies.near_optimal_laws(runs, of={"lr": ("N", "D")}, replicates=200, whole_cells=w) for w in (False, True))
    assert single.fits["lr"].params == whole.fits["lr"].params
    assert single.draws["lr"].kind != whole.draws["lr"].kind


@pytest.mark.slow
def test_the_joint_fit_recovers_the_surface_from_noisy_runs():
    runs = grid(5e-4, sizes=(2e8, 1e9))
    found = studies.fit_lr_batch_surface(runs, within=0.02)
    limits = found.interval(0.999)
    for name, true in BOWL.items():
        assert limits[name][0] <= true <= limits[name][1], name
    separable = studies.fit_lr_batch_surface(runs, within=0.02, separable=True)
    assert separable.params["q_N"] == 0 and separable.params["p_N"] == pytest.approx(-0.7, abs=0.03)


def test_regret_of_the_true_law_is_that_of_the_grid():
    runs = grid()
    rate = (sj.power_product("N", "D"), {"c": 1e-3 * 1e9**0.7 * 2e10**-0.3, **POWERS})
    batch = (sj.power_product("D", output="batch"), {"c": 4e5 * 2e10**-0.6, "p_D": 0.6})
    good = studies.grid_regret(runs, {"lr": rate, "batch": batch})
    fixed = studies.grid_regret(runs, {"lr": 3e-3, "batch": 1e6})
    assert good.worst < 0.001 < fixed.mean and (good.rank <= 3).all()
    assert "worst" in str(good)


def test_regret_finds_compute_and_refuses_unknown_inputs():
    runs = grid()
    law = (laws.lr_compute, laws.lr_compute.published["deepseek"])
    found = studies.grid_regret(runs, {"lr": law})
    np.testing.assert_allclose(found.asked["lr"], 0.3118 * (6 * found.cells["N"] * found.cells["D"]) ** -0.125, rtol=1e-12)
    with pytest.raises(DecisionError, match="needs 'width'"):
        studies.grid_regret(runs, {"lr": (sj.power_product("width"), {"c": 1.0, "p_width": -1.0})})
    with pytest.raises(DecisionError, match="recommendation"):
        studies.grid_regret(runs, {})


def sweeps(power: float) -> sj.Runs:
    """Sweeps of the rate over width and depth whose best rate moves with the width."""
    width, depth, lr = (v.ravel() for v in np.meshgrid([128.0, 256.0, 512.0], [4.0, 16.0], np.geomspace(1e-4, 1e-1, 15)))
    noise = 1e-4 * np.random.default_rng(3).standard_normal(len(lr))
    loss = 3 * width**-0.02 * depth**-0.01 + 0.01 * np.log(lr / (0.01 * (width / 256) ** power)) ** 2 + noise
    return sj.read_runs({"width": width, "depth": depth, "lr": lr, "loss": loss})


def test_drift_tells_parametrisations_apart():
    stays = studies.lr_drift(sweeps(0.0), ("width", "depth"), level=0.99)
    moves = studies.lr_drift(sweeps(-1.0), ("width", "depth"), level=0.99)
    assert stays.transfers and not moves.transfers and "NOT as expected" in str(moves)
    assert moves.powers["width"] == pytest.approx(-1.0, abs=0.05)
    assert studies.lr_drift(sweeps(-1.0), ("width", "depth"), expected={"width": -1.0}, level=0.99).transfers
    with pytest.raises(DataError, match="sweeps"):
        studies.lr_drift(sweeps(0.0).where(lambda r: r["width"] < 200), "depth")


# Grids that end before the best value


def cut_grid(power: float, tokens: list[float], best: float = 1e-3) -> sj.Runs:
    """Sweeps of the rate up to 3e-3, whose best one is best (D / 1e9)^power."""
    N, D, lr = (v.ravel() for v in np.meshgrid([1e8, 1e9], tokens, np.geomspace(1e-4, 3e-3, 13)))
    loss = 3 * (D / 1e9) ** -0.03 * (N / 1e8) ** -0.05 + 0.02 * np.log(lr / (best * (D / 1e9) ** power)) ** 2
    return sj.read_runs({"N": N, "D": D, "lr": lr, "loss": loss})


def test_cells_at_the_edge_of_their_grid_do_not_bend_the_law():
    """The best rates are 1e-3 (D / 1e9)^0.3: 4e-3 and 8e-3 at 1e11 and 1e12 tokens, above the grid's 3e-3."""
    ask = {"of": {"lr": ("N", "D")}, "replicates": 200}
    found = studies.near_optimal_laws(cut_grid(0.3, [1e9, 1e10, 1e11, 1e12]), **ask)
    assert found.edges == {"lr": dict.fromkeys((f"N={n}, D={d}" for n in ("1e+08", "1e+09") for d in ("1e+11", "1e+12")), "highest")}
    inner = studies.near_optimal_laws(cut_grid(0.3, [1e9, 1e10]), **ask)
    assert found.fits["lr"].params == inner.fits["lr"].params and inner.edges == {"lr": {}}
    assert found.fits["lr"].params["p_D"] == pytest.approx(0.3, abs=0.05)
    assert "highest value tried at N=1e+08, D=1e+11" in str(found) and "highest" not in str(inner)
    with pytest.raises(DataError, match=r"highest value tried at .* only 0 cells tell the best lr, and its law needs 3"):
        studies.near_optimal_laws(cut_grid(0.3, [1e9, 1e10, 1e11], best=1e-2), **ask)
    with pytest.raises(DataError, match="grid's steps"):
        studies.near_optimal_laws(cut_grid(0.0, [1e9, 1e10]), **ask, within=0.0)


def test_rates_that_diverged_were_tried():
    """The highest rate that trained is best, and the next one diverged: nothing is cut off."""
    lr, loss = np.tile([1e-3, 2e-3, 4e-3], 4), np.tile([3.1, 3.0, np.nan], 4)
    D = np.repeat([1e9, 2e9, 4e9, 8e9], 3)
    runs = sj.read_runs({"D": D, "lr": lr, "loss": loss}, on_bad="flag")
    found = studies.grid_regret(runs, {"lr": 2e-3}, cells="D")
    assert not found.bounded.any() and found.edges == {"lr": {}}


def test_regret_on_a_grid_that_is_cut_off_is_a_lower_bound():
    runs = cut_grid(0.3, [1e9, 1e10, 1e11])
    found = studies.grid_regret(runs, {"lr": 1e-3})
    assert found.bounded.tolist() == [False, False, True] * 2
    assert found.inner_mean == pytest.approx(found.regret[[0, 1, 3, 4]].mean()) and "mean ≥" in str(found)
    assert "≥" in str(found) and "highest value tried at N=1e+08, D=1e+11" in str(found)
    assert np.isnan(studies.grid_regret(runs.where(runs["D"] > 5e10), {"lr": 1e-3}).mean)


def test_drift_does_not_use_best_rates_outside_the_values_tried():
    width, lr = (v.ravel() for v in np.meshgrid([128, 256, 512, 1024, 2048], np.geomspace(1e-4, 4e-3, 10)))
    z = np.abs(np.log(lr / (0.02 * (width / 128.0) ** -1.0)))  # above the largest rate for the widths 128 to 512
    noise = 1e-4 * np.random.default_rng(0).standard_normal(len(lr))
    runs = sj.read_runs({"width": width, "lr": lr, "loss": 3 * width**-0.02 + 0.01 * z**2 * (1 + 0.05 * z) + noise})
    with pytest.raises(DataError, match=r"Only 2 of 5 sweeps .* both sides of the best at width=128; width=256; width=512"):
        studies.lr_drift(runs, within=0.5)
    more = runs.with_columns(width=runs["width"] * 4, lr=runs["lr"] / 4)
    both = sj.read_runs({n: np.concatenate([runs[n], more.where(more["width"] > 3000)[n]]) for n in ("width", "lr", "loss")})
    found = studies.lr_drift(both, within=0.5)
    assert len(found.bottoms.runs) == 7 and len(found.fit.runs) == 4
    assert found.powers["width"] == pytest.approx(-1.0, abs=0.15)
    assert "outside the values tried at width=128; width=256; width=512: left out" in str(found)


def test_trials_on_the_front_at_the_edge_of_the_search_are_left_out():
    """Rates up to 1e-3, best ones 2e-3 (C / 1e18)^-0.3: below the edge from 1e19 on."""
    C, lr = (v.ravel() for v in np.meshgrid(np.geomspace(1e18, 1e22, 9), np.geomspace(1e-4, 1e-3, 12)))

    def search(best):
        return sj.read_runs({"cost": C, "lr": lr, "loss": 1.7 + (C / 1e18) ** -0.15 + 0.05 * np.log(lr / best) ** 2})

    for near in (None, 0.01):
        found = studies.pareto_hyperparameters(search(2e-3 * (C / 1e18) ** -0.3), ["lr"], near=near)
        assert list(found.edges["lr"])[:2] == ["cost=1e+18", "cost=3.16e+18"] and "highest value tried at cost=1e+18" in str(found)
    exact = studies.pareto_hyperparameters(search(9e-4 * (C / 1e18) ** -0.2), ["lr"])
    assert exact.edges == {"lr": {}} and exact.laws["lr"].params["p_cost"] == pytest.approx(-0.2, abs=0.02)
    with pytest.raises(DataError, match="only 0 trials on the front tell the best lr"):
        studies.pareto_hyperparameters(search(1e-2), ["lr"])


def test_advice_names_what_the_called_function_takes():
    with pytest.raises(DataError, match="leave whole_cells out") as error:
        studies.near_optimal_laws(cut_grid(0.3, [1e9, 1e10]), of={"lr": ("N", "D")}, whole_cells=True)
    assert "kind=" not in str(error.value) and "groups=" not in str(error.value)
