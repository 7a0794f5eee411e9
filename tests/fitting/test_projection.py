"""Variable projection finds what Levenberg-Marquardt finds, and declarations of linear parameters are true."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from drawing import draw

import scalejax as sj
from scalejax.fitting.solvers.projection import VarPro

HOFFMANN = sj.laws.chinchilla.published["hoffmann2022"]
LINEAR = [law for law in sj.laws if law.linear]


def curve(noise=0.01, E=1.0):
    return sj.simulate(sj.laws.power_law, {"E": E, "A": 20.0, "alpha": 0.3}, x=np.logspace(3, 9, 40), noise=noise, seed=1)


def sweep(noise=0.01):
    rng = np.random.default_rng(2)
    return sj.simulate(
        sj.laws.chinchilla, dict(HOFFMANN), N=10 ** rng.uniform(7, 10, 60), D=10 ** rng.uniform(9, 12, 60), noise=noise, seed=3
    )


def assert_same(law, runs, rtol=1e-5, **options):
    """Both solvers, and their fits."""
    ours, other = (sj.fit(law, runs, solver=solver, starts=64, **options) for solver in ("varpro", "lm"))
    assert ours.solver == "varpro" and other.solver == "lm"
    assert ours.status == other.status
    assert ours.objective == pytest.approx(other.objective, rel=1e-9)
    for name in other.params:
        np.testing.assert_allclose(ours.params[name], other.params[name], rtol=rtol, err_msg=name)
    return ours, other


LOSSES = [{}, {"loss": sj.squared(), "on": "linear"}]


@pytest.mark.parametrize("options", LOSSES, ids=["huber", "squared"])
def test_same_optimum_as_lm(options):
    ours, other = assert_same("power_law", curve(), **options)
    assert np.mean(ours.starts.iterations[:, :3]) <= np.mean(other.starts.iterations[:, :3])


@pytest.mark.slow
def test_simulated_runs():
    assert_same("chinchilla", sweep())


def test_public_runs(chinchilla_runs):
    ours, _ = assert_same("chinchilla", chinchilla_runs)
    assert ours.objective == pytest.approx(0.0010182740, rel=1e-7)
    assert ours.starts.agreeing == ours.starts.refined


def test_noise_free_runs_give_their_parameters_back():
    fit = sj.fit("chinchilla", sweep(noise=0.0), solver="varpro", starts=64)
    for name, value in HOFFMANN.items():
        assert fit.params[name] == pytest.approx(value, rel=1e-6)


def test_a_linear_parameter_may_vanish():
    x = np.logspace(3, 9, 40)
    noise = np.random.default_rng(4).normal(0, 0.01, 40)  # without it the best A would be no single one
    bent = sj.read_runs({"x": x, "loss": 20 * x**-0.3 * np.exp(noise - 0.01 * np.log10(x / 1e6) ** 2)})  # a constant bends the other way
    ours, other = (sj.fit("power_law", bent, solver=solver, starts=64) for solver in ("varpro", "lm"))
    assert ours.status == other.status == "at boundary"
    assert ours.params["E"] < 1e-9
    assert ours.objective == pytest.approx(other.objective, rel=1e-9)
    assert ours.params["A"] == pytest.approx(other.params["A"], rel=1e-5)


@pytest.mark.slow
def test_fixed_and_tied_parameters():
    assert_same("chinchilla", sweep(), fix={"A": HOFFMANN["A"]}, tie={"beta": "alpha"})


@pytest.mark.slow
def test_a_bound_may_bind():
    ours, other = (sj.fit("power_law", curve(), solver=solver, starts=64, bounds={"E": (1.05, 1.5)}) for solver in ("varpro", "lm"))
    assert ours.params["E"] == pytest.approx(1.05, abs=1e-9)
    assert ours.objective == pytest.approx(other.objective, rel=1e-9)


@pytest.mark.slow
def test_groups_with_shared_parameters():
    one, two = curve(), curve(E=1.5)
    both = {name: np.concatenate([one[name], two[name]]) for name in ("x", "loss")}
    runs = sj.read_runs({**both, "arch": ["a"] * len(one) + ["b"] * len(two)})
    assert_same("power_law", runs, by="arch", share="alpha")


def test_replicates():
    fit = sj.fit("power_law", curve(), starts=64)
    ours, other = (sj.bootstrap(fit, 64, solver=s, progress=False) for s in ("varpro", "lm"))
    np.testing.assert_allclose(ours.params["alpha"], other.params["alpha"], rtol=1e-4)


@pytest.mark.parametrize("law", LINEAR, ids=lambda law: law.name)
def test_declared_parameters_enter_linearly(law):
    """f is affine along random lines in the declared parameters, all of them moving together."""
    rng = np.random.default_rng(5)

    inputs = [draw(law.domains[name], 200, rng, 0.2, 0.8) for name in law.inputs]
    at, to = ({name: draw(law.domains[name], 200, rng, 0.2, 0.8) for name in law.parameters} for _ in range(2))
    with jax.enable_x64(True):
        mixed = [{**at, **{n: (1 - t) * at[n] + t * to[n] for n in law.linear}} for t in (0.0, 0.3, 1.0)]
        ends = [
            np.asarray(jax.vmap(lambda xs, ps: law.function(*xs, **ps, **dict(law.bound)))(list(map(jnp.asarray, inputs)), v))
            for v in mixed
        ]
    np.testing.assert_allclose(ends[1], 0.7 * ends[0] + 0.3 * ends[2], rtol=1e-12)


def test_the_laws_that_are_linear_say_so():
    assert sj.laws.chinchilla.linear == ("E", "A", "B") and sj.laws.power_law.linear == ("E", "A")
    assert sj.laws.chinchilla.bind(E=1.7).linear and not sj.laws.kaplan.linear


def test_bad_requests_give_one_sentence():
    kaplan = sj.simulate(sj.laws.kaplan_params, {"N_c": 8.8e13, "alpha_N": 0.076}, N=np.logspace(6, 9, 20))
    with pytest.raises(sj.LawError, match="linear names 'e', which is not a parameter"):
        sj.law(E=sj.Positive(), a=sj.Positive(), linear=("e",))(lambda_law)
    with pytest.raises(sj.FitError, match="'kaplan_params' declares none here; use solver='lm'"):
        sj.fit("kaplan_params", kaplan, solver="varpro")
    with pytest.raises(sj.FitError, match="every free parameter of 'power_law' is linear"):
        sj.fit("power_law", curve(), fix={"alpha": 0.3}, solver=VarPro())
    with pytest.raises(sj.FitError, match="declares none here"):
        sj.fit("power_law", curve(), fix={"A": 20.0, "E": 1.0}, solver="varpro")


def lambda_law(N, *, E, a):
    return E + N**-a
