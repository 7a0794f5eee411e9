"""Powers that users write become exponentials of logarithms, where their bases are positive, and nothing else changes."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import scalejax as sj
from scalejax.core.numeric.logarithms import powers_in_logs

FORMULAS = {
    "sum": lambda x, a, b: 1.7 + a * x**-b,
    "outer": lambda x, a, b: (a / x**b + 2.0 / x) ** b,
    "scaled": lambda x, a, b: (x / 1e9) ** -b * (1 + a * x) ** -0.5,
    "called": lambda x, a, b: jnp.power(x, a) + jax.jit(lambda y: y**b)(x * a),
    "of roots": lambda x, a, b: jnp.maximum(jnp.sqrt(x), b - 9) ** b + (x**2 / a) ** b,
    "several": lambda x, a, b: {"one": x**a, "two": (x**b, a)},
    "scanned": lambda x, a, b: jax.lax.scan(lambda c, _: (c + x**b, c), 0.0, None, length=3)[0] + x**a,
}
AT = (3.7, 0.4, 0.9)


def steps(function, *above_zero):
    """Names of the operations that are left."""
    return [step.primitive.name for step in jax.make_jaxpr(lambda *v: powers_in_logs(function, v, above_zero))(*AT).eqns]


@pytest.mark.parametrize("name", FORMULAS)
def test_values_and_derivatives_stay(name):
    def rewritten(*values):
        return powers_in_logs(FORMULAS[name], values, (True, True, True))

    with jax.enable_x64(True):
        for transformed in (lambda f: f, jax.jit, lambda f: jax.jacfwd(f, (0, 1, 2)), lambda f: jax.jacrev(f, (0, 1, 2))):
            found, expected = transformed(rewritten)(*AT), transformed(FORMULAS[name])(*AT)
            assert jax.tree.structure(found) == jax.tree.structure(expected)
            for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
                np.testing.assert_allclose(a, b, rtol=1e-13)
        many = tuple(jnp.asarray([v, 2 * v]) for v in AT)
        np.testing.assert_allclose(jax.tree.leaves(jax.vmap(rewritten)(*many))[0], jax.tree.leaves(jax.vmap(FORMULAS[name])(*many))[0])


@pytest.mark.parametrize("name", ["sum", "outer", "called", "of roots", "several"])
def test_no_power_is_left(name):
    assert "pow" not in steps(FORMULAS[name], True, True, True)


def test_a_base_that_may_be_zero_or_negative_stays():
    assert "pow" in steps(FORMULAS["sum"], False, True, True)
    assert "pow" in steps(lambda x, a, b: (x - a) ** b, True, True, True)
    assert "pow" in steps(lambda x, a, b: jnp.exp(-x) ** b, True, True, True)  # it may round to zero
    assert steps(lambda x, a, b: x**3 + x**0.5, True, True, True).count("log") == 0


def test_derivatives_of_ones_own_stay():
    @jax.custom_jvp
    def own(x, b):
        return x**b

    own.defjvp(lambda values, moved: (own(*values), 42.0 * moved[0]))
    slope = jax.grad(lambda x: powers_in_logs(lambda x, b: own(x, b) + x**b, (x, 2.0), (True, True)))
    assert slope(3.0) == pytest.approx(42.0 + 2 * 3.0)


def test_a_law_that_admits_zero_is_another():
    def formula(x, *, E, A, alpha):
        return E + A * x**alpha

    params = {"E": sj.Positive(0.1, 5), "A": sj.Positive(1, 100), "alpha": sj.Positive(0.05, 1.5)}
    positive, zero = sj.law(**params)(formula), sj.law(**params, x=sj.Positive(1, 10, zero=True))(formula)
    assert positive != zero
    x = np.geomspace(1, 100, 20)
    clean = 1.5 + 2 * x**0.5
    with_zero = {"x": np.append(x, 0.0), "loss": np.append(clean, 1.5)}
    for law, runs in ((positive, {"x": x, "loss": clean}), (zero, with_zero)):
        fit = sj.fit(law, runs, starts=64)
        assert fit.params["alpha"] == pytest.approx(0.5, abs=1e-5) and np.isfinite(fit.objective)


def test_a_base_may_be_fixed_at_zero():
    kinds = {"E": sj.Positive(0.1, 5), "A": sj.Positive(1, 100), "alpha": sj.Positive(0.05, 1.5), "x0": sj.Positive(0.1, 10, zero=True)}

    @sj.law(**kinds)
    def shifted(x, *, E, A, alpha, x0):
        return E + A / (x**alpha + x0**alpha)

    x = np.geomspace(1, 100, 30)
    runs = {"x": x, "loss": 1.5 + 2 / x**0.5}
    fit = sj.fit(shifted, runs, fix={"x0": 0.0}, starts=64)
    assert fit.params["alpha"] == pytest.approx(0.5, abs=1e-5) and np.isfinite(fit.objective)


def test_a_fit_is_that_of_the_law_in_logarithms(runs):
    kinds = {
        "E": sj.Positive(0.1, 5),
        **dict.fromkeys("AB", sj.Positive(1, 1e4)),
        **dict.fromkeys(("alpha", "beta"), sj.Positive(0.05, 1.5)),
    }

    @sj.law(**kinds)
    def written(N, D, *, E, A, B, alpha, beta):
        return E + A / N**alpha + B * D**-beta

    @sj.law(**kinds)
    def in_logs(N, D, *, E, A, B, alpha, beta):
        return E + A * jnp.exp(-alpha * jnp.log(N)) + B * jnp.exp(-beta * jnp.log(D))

    found, expected = (sj.fit(law, runs, starts=256) for law in (written, in_logs))
    assert found.objective == pytest.approx(expected.objective, rel=1e-10)
    assert found.params == pytest.approx(expected.params, rel=1e-5)
