"""Domains: what goes there and back comes home, samples lie in range, and wrong ranges are refused."""

from __future__ import annotations

import jax
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import scalejax as sj
from scalejax.core.laws.domains import confined

SCALARS = [
    sj.Real(-3.0, 7.0),
    sj.Positive(1e-3, 1e6),
    sj.Positive(0.1, 5.0, zero=True),
    sj.Interval(-2.0, 5.0),
    sj.Unit(),
    sj.Integer(1, 100),
    sj.Fixed(value=2.0),
]
VECTORS = [sj.Simplex(), sj.Ordered(0.0, 10.0)]
BOUNDED = [d for d in SCALARS if type(d) in (sj.Real, sj.Positive, sj.Interval, sj.Unit)]

unconstrained = st.floats(-8, 8)
uniform = st.floats(0, 1, exclude_min=True, exclude_max=True)


def name(domain):
    return type(domain).__name__


@pytest.fixture(autouse=True)
def _double():
    with jax.enable_x64(True):
        yield


@pytest.mark.parametrize("domain", SCALARS, ids=name)
@given(u=unconstrained)
def test_scalar_there_and_back(domain, u):
    with jax.enable_x64(True):
        assert float(domain.inverse(domain.forward(u))) == pytest.approx(u, abs=1e-9)


@pytest.mark.parametrize("domain", [d for d in SCALARS if not isinstance(d, sj.Integer)], ids=name)
@given(u=unconstrained)
def test_forward_lands_in_the_support(domain, u):
    with jax.enable_x64(True):
        assert domain.contains(domain.forward(u))


@pytest.mark.parametrize("domain", BOUNDED, ids=name)
@given(p=uniform)
def test_samples_lie_in_the_plausible_range(domain, p):
    with jax.enable_x64(True):
        value = float(domain.forward(domain.sample(np.asarray(p))))
    slack = 1e-9 * (domain.high - domain.low)
    assert domain.low - slack <= value <= domain.high + slack


@pytest.mark.parametrize("domain", VECTORS, ids=name)
@given(u=st.lists(st.floats(-4, 4), min_size=2, max_size=6))
def test_vector_there_and_back(domain, u):
    with jax.enable_x64(True):
        x = np.asarray(domain.forward(np.asarray(u)))
        assert domain.free(len(x)) == len(u)
        assert domain.contains(x)
        np.testing.assert_allclose(domain.inverse(x), u, atol=1e-8)


@pytest.mark.parametrize("domain", VECTORS, ids=name)
@given(p=st.lists(uniform, min_size=2, max_size=6))
def test_vector_samples_lie_in_the_support(domain, p):
    with jax.enable_x64(True):
        assert domain.contains(domain.forward(domain.sample(np.asarray(p))))


@given(low=st.floats(1e-9, 1e9), factor=st.floats(1.5, 1e9))
def test_positive_starts_are_spread_over_magnitudes(low, factor):
    domain = sj.Positive(low, low * factor)
    with jax.enable_x64(True):
        middle = float(domain.forward(domain.sample(np.asarray(0.5))))
    assert middle == pytest.approx(low * factor**0.5, rel=1e-9)


def test_simplex_weights_sum_to_one_and_may_be_zero():
    domain = sj.Simplex()
    assert np.asarray(domain.forward(np.asarray([0.3, -2.0]))).sum() == pytest.approx(1.0, abs=1e-15)
    assert domain.contains([0.0, 1.0, 0.0])
    assert domain.contains([[0.2, 0.8], [0.2, 0.7], [-0.1, 1.1]]).tolist() == [True, False, False]


@pytest.mark.parametrize(
    ("domain", "inside", "outside"),
    [
        (sj.Real(), [-1e9, 0.0, 5.0], [np.nan, np.inf]),
        (sj.Positive(1, 10), [1e-300, 1e300], [0.0, -1.0, np.nan, np.inf]),
        (sj.Positive(1, 10, zero=True), [0.0, 3.0], [-1e-12, np.nan]),
        (sj.Interval(-2, 5), [-2.0, 5.0, 0.0], [-2.1, 5.1, np.nan]),
        (sj.Unit(), [0.0, 1.0], [-0.1, 1.1]),
        (sj.Integer(2, 64), [2, 3.0, 64], [1, 2.5, np.inf]),
        (sj.Fixed(value=3.0), [3.0], [np.nan]),
    ],
    ids=lambda v: name(v) if isinstance(v, sj.core.laws.domains.Domain) else None,
)
def test_contains(domain, inside, outside):
    assert domain.contains(inside).all()
    assert not domain.contains(outside).any()


@pytest.mark.parametrize(
    ("make", "word"),
    [
        (lambda: sj.Real(1.0, 1.0), "rise"),
        (lambda: sj.Real(2.0, 1.0), "rise"),
        (lambda: sj.Unit(0.0, np.inf), "finite"),
        (lambda: sj.Real(np.nan, 1.0), "finite"),
        (lambda: sj.Positive(0.0, 1.0), "above 0"),
        (lambda: sj.Positive(-1.0, 1.0), "above 0"),
        (lambda: sj.Interval(3.0, 2.0), "rise"),
    ],
)
def test_wrong_ranges_are_refused(make, word):
    with pytest.raises(sj.LawError, match=word):
        make()


def test_domains_are_values():
    assert sj.Positive(1, 10) == sj.Positive(1, 10) != sj.Positive(1, 11)
    assert len({sj.Positive(1, 10), sj.Positive(1, 10), sj.Real(1, 10)}) == 2


@pytest.mark.parametrize("domain", [sj.Real(-3, 7), sj.Positive(0.1, 10), sj.Unit()], ids=name)
@given(u=unconstrained)
def test_bounds_confine(domain, u):
    bounded = confined(domain, 0.2, 0.6)
    with jax.enable_x64(True):
        assert 0.2 <= float(bounded.forward(u)) <= 0.6


def test_bounds_keep_the_axis_and_must_rise():
    assert confined(sj.Positive(1, 10, axis="domain"), 1, 2).axis == "domain"
    with pytest.raises(sj.LawError, match="rise"):
        confined(sj.Positive(1, 10), 0.6, 0.2)
    with pytest.raises(sj.LawError, match="Simplex"):
        confined(sj.Simplex(), 0.2, 0.6)


ALL = [*BOUNDED, *VECTORS, sj.laws.bnsl.domains["d"]]


@pytest.mark.parametrize("domain", ALL, ids=name)
def test_numpy_computes_what_compiled_programs_do(domain):
    """Transforms and their derivatives outside of programs, of a vector along the first axis and of many at once."""
    u = np.random.default_rng(0).uniform(-3, 3, (2, 5, 3))
    vector = domain.axis is not None
    forward = jax.vmap(jax.vmap(domain.forward)) if vector else domain.forward
    there = np.moveaxis(domain.forward(np.moveaxis(u, -1, 0)), 0, -1) if vector else domain.forward(u)
    assert isinstance(there, np.ndarray)
    np.testing.assert_allclose(there, forward(jax.numpy.asarray(u)), rtol=1e-14)
    inverse = jax.vmap(jax.vmap(domain.inverse)) if vector else domain.inverse
    back = np.moveaxis(domain.inverse(np.moveaxis(there, -1, 0)), 0, -1) if vector else domain.inverse(there)
    np.testing.assert_allclose(back, inverse(jax.numpy.asarray(there)), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(domain.slopes(u), jax.vmap(jax.vmap(jax.jacfwd(domain.forward)))(u), rtol=1e-12, atol=1e-13)


def test_a_transform_of_the_users_has_its_own_derivatives():
    class Squares(sj.Positive):
        def forward(self, u):
            return u**2

    assert Squares().slopes(np.asarray([[3.0, 4.0]]))[0].tolist() == [[6.0, 0.0], [0.0, 8.0]]
