"""Structures as data: masked fits against fits of the plain laws, trace counts, criteria, and bad input."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import laplace, norm

import scalejax as sj
from scalejax.core.numeric.batching import trace_counts
from scalejax.fitting import criteria
from scalejax.fitting.status import Status

TWO = {"E": 1.7, "A_N": 400.0, "alpha_N": 0.34, "A_D": 410.0, "alpha_D": 0.28}
PLAIN = {
    "chinchilla": ("E", "A_N", "alpha_N", "A_D", "alpha_D"),
    "kaplan": ("A_N", "alpha_N", "A_D", "alpha_D", "q"),
    "one term": ("E", "A_N", "alpha_N"),
    "product": ("E", "A_N_D", "alpha_N_D_N", "alpha_N_D_D"),
}


@sj.law(E=sj.Positive(0.1, 5.0), A=sj.Positive(1e-2, 1e8), a=sj.Positive(0.05, 1.5), B=sj.Positive(1e-2, 1e8), b=sj.Positive(0.05, 1.5))
def chinchilla(N, D, *, E, A, a, B, b):
    """E + A N^-a + B D^-b."""
    return E + A * N**-a + B * D**-b


@sj.law(A=sj.Positive(1e-2, 1e8), a=sj.Positive(0.05, 1.5), B=sj.Positive(1e-2, 1e8), b=sj.Positive(0.05, 1.5), q=sj.Positive(0.1, 1.5))
def kaplan(N, D, *, A, a, B, b, q):
    """(A N^-a + B D^-b)^q."""
    return (A * N**-a + B * D**-b) ** q


@sj.law(E=sj.Positive(0.1, 5.0), A=sj.Positive(1e-2, 1e8), a=sj.Positive(0.05, 1.5))
def one_term(N, *, E, A, a):
    """E + A N^-a."""
    return E + A * N**-a


@sj.law(E=sj.Positive(0.1, 5.0), A=sj.Positive(1e-2, 1e8), a=sj.Positive(0.05, 1.5), b=sj.Positive(0.05, 1.5))
def product(N, D, *, E, A, a, b):
    """E + A N^-a D^-b."""
    return E + A * N**-a * D**-b


HANDWRITTEN = {"chinchilla": chinchilla, "kaplan": kaplan, "one term": one_term, "product": product}
TRUTH = {
    "chinchilla": {"E": 1.7, "A": 400.0, "a": 0.34, "B": 410.0, "b": 0.28},
    "kaplan": {"A": 30.0, "a": 0.9, "B": 60.0, "b": 0.6, "q": 0.3},
    "one term": {"E": 1.7, "A": 400.0, "a": 0.34},
    "product": {"E": 1.7, "A": 4000.0, "a": 0.2, "b": 0.2},
}


@pytest.fixture(scope="module")
def library():
    return sj.term_library("N", "D", outer=True)


@pytest.fixture(scope="module")
def inputs():
    rng = np.random.default_rng(0)
    return {"N": 10 ** rng.uniform(6, 10, 80), "D": 10 ** rng.uniform(8, 11, 80)}


@pytest.fixture(scope="module")
def runs(inputs):
    return sj.simulate(sj.additive("N", "D"), TWO, **inputs, noise=0.003)


def masks_of(library):
    return np.stack([library.mask(*row) for row in PLAIN.values()])


def few_of_many(library, count, seed=0):
    """Distinct random masks (count, parameters)."""
    rng, found = np.random.default_rng(seed), {}
    while len(found) < count:
        names = {"E"} if rng.random() < 0.7 else set()
        names |= {n for n in ("q",) if n in library.parameters and rng.random() < 0.3}
        for term in rng.permutation(np.asarray(library.structure.terms, object))[: rng.integers(1, 4)]:
            some = [f for f in term.factors if rng.random() < 0.7] or [term.factors[0]]
            names |= {term.coefficient} | {f.exponent for f in some}
            names |= {n for f in some for n in (f.shift, f.log) if n is not None and rng.random() < 0.4}
        found[frozenset(names)] = library.mask(*names)
    return np.stack(list(found.values()))


@pytest.mark.parametrize("name", PLAIN)
@pytest.mark.parametrize("loss", [None, sj.squared()])
def test_a_masked_fit_is_the_fit_of_the_plain_law(library, inputs, name, loss):
    law, truth = HANDWRITTEN[name], TRUTH[name]
    runs = sj.simulate(law, truth, **{n: inputs[n] for n in law.inputs}, noise=0.003, seed=1)
    runs = sj.read_runs({**inputs, "loss": runs["loss"]})
    found = sj.fit_terms(runs, library, masks_of(library), loss=loss)
    i = list(PLAIN).index(name)
    plain, own = sj.fit(law, runs, loss=loss), found.params(i)
    assert found.statuses[i] is Status.CONVERGED
    assert found.objective[i] == pytest.approx(plain.objective, rel=1e-9)
    assert list(own.values()) == pytest.approx(list(plain.params.values()), rel=1e-6)
    assert found.labels(i) == PLAIN[name] and found.free[i] == len(law.parameters)
    assert found.freedom[i] == 80 - len(law.parameters)
    assert found.refined[i] >= found.agreeing[i] >= 3


def test_the_plain_law_of_a_structure(library, runs):
    found = sj.fit_terms(runs, library, masks_of(library))
    law = found.law(0)
    assert law.parameters == PLAIN["chinchilla"] and law.inputs == ("N", "D") and found.law(2).inputs == ("N",)
    assert law == library.law(found.masks[0]) and law.function is found.law(0).function
    assert law(1e9, 1e10, **law.published["fitted"]) == pytest.approx(sj.additive("N", "D")(1e9, 1e10, **found.params(0)), rel=1e-13)
    plan = sj.allocate((law, law.published["fitted"]), compute=1e21)
    again = found.fit(0)
    assert again.objective == pytest.approx(found.objective[0], rel=1e-9) and again.params == pytest.approx(found.params(0), rel=1e-6)
    assert set(again.interval(0.9)) == set(found.labels(0))
    assert plan.N == pytest.approx(sj.allocate(again, compute=1e21).N, rel=1e-5)
    assert sj.bootstrap(again, 20).predict(N=1e9, D=1e10).shape == (20,)
    for i in range(4):
        p = found.params(i)
        masked = library.masked(N=1e9, D=1e10, present=found.masks[i].astype(float), **{n: p.get(n, 1.0) for n in library.parameters})
        there = {n: v for n, v in {"N": 1e9, "D": 1e10}.items() if n in found.law(i).inputs}
        assert masked == pytest.approx(found.law(i)(**there, **p), rel=1e-13)
    assert "E + A_N N^-alpha_N + A_D D^-alpha_D" in repr(found) and np.isnan(found.values["q"][0])


def test_what_is_masked_has_no_derivative_and_changes_nothing():
    library = sj.term_library("N", "D", outer=True, shifted=("N", "D"), logs=("N",), times="R")
    law, rng = library.masked, np.random.default_rng(0)
    for mask in few_of_many(library, 30):
        p = {n: float(np.exp(rng.normal())) for n in library.parameters}
        with jax.enable_x64():
            x = {"N": jnp.asarray(1e8), "D": jnp.asarray(1e10), "R": jnp.asarray(2.0)}
            slopes = jax.grad(lambda p, mask=mask, x=x: law.function(**x, **p, present=jnp.asarray(mask, float)))(p)
            moved = {n: v if there else 3 * v for (n, v), there in zip(p.items(), mask, strict=True)}
            values = [float(law.function(**x, **q, present=jnp.asarray(mask, float))) for q in (p, moved)]
            slopes = {n: float(slope) for n, slope in slopes.items()}
        assert values[0] == values[1] and np.isfinite(values[0])
        assert all((slopes[n] != 0) == there for n, there in zip(library.parameters, mask, strict=True) if n not in ("A_D",) or not there)


def test_terms_of_every_kind():
    library = sj.term_library("N", "D", outer=True, shifted="D", logs="N", times="R")
    names = ("E", "A_N", "alpha_N", "b_N", "A_D", "alpha_D", "s_D", "q", "gamma_R", "kappa_R")
    law = library.law(library.mask(*names))
    p = dict(E=1.5, A_N=40.0, alpha_N=0.4, b_N=0.5, A_D=60.0, alpha_D=0.3, s_D=1e9, q=0.8, gamma_R=0.1, kappa_R=0.5)
    N, D, R = 1e8, 2e9, 4.0
    inner = 40 * N**-0.4 * np.log(1 + N) ** 0.5 + 60 * (D + 1e9) ** -0.3
    assert law(N, D, R, **p) == pytest.approx((1.5 + inner**0.8) * (1 + 0.1 * 4**0.5), rel=1e-13)
    assert law.formula == "L = (E + (A_N N^-alpha_N ln(1 + N)^b_N + A_D (D + s_D)^-alpha_D)^q) (1 + gamma_R R^kappa_R)"


def test_breaks_and_bowls():
    library = sj.term_library("D", breaks="D", bowls="lr")
    names = ("E", "A_D", "alpha_D", "d_D", "c_D", "w_lr", "k_lr", "best_lr")
    law = library.law(library.mask(*names))
    p = dict(E=1.5, A_D=60.0, alpha_D=0.3, d_D=1e9, c_D=0.2, w_lr=0.02, k_lr=0.8, best_lr=1e-3)
    D, lr = 4e9, 3e-3
    power = 60 * D**-0.3 * (1 + 4) ** -0.2
    assert law(D, lr, **p) == pytest.approx((1.5 + power) * (1 + 0.02 * (np.cosh(0.8 * np.log(3)) - 1)), rel=1e-13)
    assert law.formula == "L = (E + A_D D^-alpha_D (1 + D/d_D)^-c_D) (1 + w_lr (cosh(k_lr ln(lr/best_lr)) - 1))"
    plain = library.mask("E", "A_D", "alpha_D")
    assert library.law(plain).inputs == ("D",)
    found = library.masked(D, lr, **p, present=plain.astype(float))
    assert found == pytest.approx(1.5 + 60 * D**-0.3, rel=1e-13)
    assert law(D, 1e-3, **p) == pytest.approx(1.5 + power, rel=1e-14)  # the best


def test_a_shift_is_found():
    library = sj.term_library("D", shifted="D")
    law = library.law(library.mask("E", "A_D", "alpha_D", "s_D"))
    truth = {"E": 1.5, "A_D": 3000.0, "alpha_D": 0.4, "s_D": 3e9}
    runs = sj.simulate(law, truth, D=np.logspace(8.5, 12, 60), noise=0.001)
    found = sj.fit_terms(runs, library, [library.mask("E", "A_D", "alpha_D"), library.mask(*truth)])
    assert found.order[0] == 1 and found.params(1)["s_D"] == pytest.approx(3e9, rel=0.3)


@pytest.mark.slow
def test_thousands_of_masks_trace_one_program(runs):
    jax.clear_caches()
    library = sj.term_library("N", "D", terms={"N": "N", "D": "D", "mix": ("N", "D"), "D2": "D"}, shifted=("N", "D"), logs="D", outer=True)
    many, before = few_of_many(library, 2000), trace_counts()
    quick = sj.LM(max_iterations=3)
    first = sj.fit_terms(runs, library, many, starts=2, solver=quick)
    assert {k: v - before.get(k, 0) for k, v in trace_counts().items() if v != before.get(k, 0)} == {"screen": 1, "solve": 1}
    assert len(first) == 2000 and np.isfinite(first.objective).all()
    after = trace_counts()
    sj.fit_terms(runs, library, few_of_many(library, 300, seed=1), starts=2, solver=quick)
    other = sj.term_library(
        "N", "D", terms={"N": "N", "D": "D", "mix": ("N", "D"), "D2": "D"}, shifted=("N", "D"), logs="D", outer=True, E=sj.Positive(1, 3)
    )
    largest = many[np.argsort(many.sum(axis=1))[-10:]]
    sj.fit_terms(runs, other, largest, starts=2, solver=quick)
    assert trace_counts() == after
    assert many.sum(axis=1).max() == 15 and many[:10].sum(axis=1).max() == 10
    for some in (many[:10], many[:2]):  # smaller ones have a smaller program: unknowns in steps of four
        sj.fit_terms(runs, library, some, starts=2, solver=quick)
    assert trace_counts() == {**after, "screen": after["screen"] + 1, "solve": after["solve"] + 1}


@pytest.mark.slow
def test_the_true_structure_among_200_has_the_lowest_bic(inputs):
    library = sj.term_library("N", "D", terms={"N": "N", "D": "D", "mix": ("N", "D")}, shifted=("N", "D"), outer=True)
    truth = library.mask(*PLAIN["chinchilla"])
    others = [mask for mask in few_of_many(library, 200) if (mask != truth).any()]
    masks = np.stack([*others[:199], truth])
    runs = sj.simulate(sj.additive("N", "D"), TWO, **inputs, noise=0.003, seed=3)
    found = sj.fit_terms(runs, library, masks, loss=sj.squared(), seed=2)
    assert len(found) == 200
    tied = np.flatnonzero(found.bic < found.bic.min() + 1e-6)  # the true law, also written with "mix" less one of its inputs
    assert 199 in tied and {"".join(sorted(w[0] for w in found.params(i))) for i in tied} == {"AAEaa"}
    assert np.sort(found.bic)[len(tied)] > found.bic[199] + 2
    nested = np.flatnonzero(masks[:, truth].all(axis=1))
    assert found.aicc[nested].min() < found.aicc.min() + 1e-6  # it admits a superfluous parameter more often
    assert (found.objective[nested] <= found.objective[199] * (1 + 1e-6)).all()


def test_criteria_are_those_of_the_densities():
    rng = np.random.default_rng(0)
    n, free = 50, np.asarray([3, 5])
    r = rng.normal(size=n) * 0.01
    with jax.enable_x64():
        got = criteria.bic(sj.squared(), np.full(2, 0.5 * np.sum(r**2)), n, free)
        corrected = criteria.aicc(sj.squared(), np.full(2, 0.5 * np.sum(r**2)), n, free)
        absolute = criteria.minus_twice_log_likelihood(sj.absolute(), np.asarray([np.sum(np.abs(r)), np.inf]), n)
        huber = criteria.minus_twice_log_likelihood(sj.huber(10.0), np.asarray([0.5 * np.sum(r**2)]), n)
    normal = -2 * norm(scale=np.sqrt(np.mean(r**2))).logpdf(r).sum()
    np.testing.assert_allclose(got, normal + (free + 1) * np.log(n), rtol=1e-6)
    np.testing.assert_allclose(corrected, normal + 2 * (free + 1) + 2 * (free + 1) * (free + 2) / (n - free - 2), rtol=1e-6)
    assert absolute[0] == pytest.approx(-2 * laplace(scale=np.mean(np.abs(r))).logpdf(r).sum(), rel=1e-6)
    assert absolute[1] == np.inf and huber[0] == pytest.approx(normal, rel=1e-5)


def test_too_few_runs_for_a_structure(library, runs):
    found = sj.fit_terms(runs.take(np.arange(4)), library, masks_of(library), starts=8)
    assert [status is Status.TOO_FEW for status in found.statuses] == [True, True, False, False]
    assert found.order[-1] in (0, 1) and np.isinf(found.bic[:2]).all() and np.isinf(found.aicc[[0, 1, 3]]).all()


def test_weights_of_zero_leave_runs_out(library, runs):
    weights = np.where(np.arange(len(runs)) < 60, 1.0, 0.0)
    found = sj.fit_terms(runs, library, masks_of(library)[:1], weights=weights)
    some = sj.fit_terms(runs.take(np.arange(60)), library, masks_of(library)[:1])
    assert found.n == some.n == 60 and found.objective == pytest.approx(some.objective, rel=1e-9)


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        (("E",), "has no term"),
        (("E", "A_N"), "A_N without an exponent, a constant"),
        (("E", "A_N", "alpha_N", "alpha_D"), "alpha_D without its coefficient A_D"),
        (("E", "A_N", "alpha_N", "gamma_R"), "belong together"),
        (("E", "A_D", "b_D", "s_D"), "s_D without the exponent alpha_D"),
        (("E", "A_D", "alpha_D", "d_D"), "d_D and c_D, which belong together"),
        (("E", "A_D", "alpha_D", "w_lr", "k_lr"), "k_lr and best_lr, which belong together"),
    ],
)
def test_structures_that_are_no_law(names, sentence):
    library = sj.term_library("N", "D", shifted="D", breaks="D", logs="D", times="R", bowls="lr")
    with pytest.raises(sj.LawError, match=f"^Structure 1 .*{sentence}.*\\.$"):
        library.check([library.mask("E", "A_N", "alpha_N"), library.mask(*names)])


def test_bad_input_is_one_sentence(library, runs):
    good = library.mask(*PLAIN["one term"])
    for masks, sentence in ((good[:3], "one column for each of the 9"), (good * 0.5, "other values than 0 and 1")):
        with pytest.raises(sj.LawError, match=sentence):
            sj.fit_terms(runs, library, masks)
    with pytest.raises(sj.LawError, match="no parameter 'A_M'"):
        library.mask("A_M")
    with pytest.raises(sj.FitError, match="no term library"):
        sj.fit_terms(runs, sj.laws.chinchilla, good)
    with pytest.raises(sj.FitError, match="side by side"):
        sj.fit_terms(runs, library, good, solver="adam")
    with pytest.raises(sj.FitError, match="no structure 7"):
        sj.fit_terms(runs, library, good, starts=8).law(7)


@pytest.mark.parametrize(
    ("arguments", "options", "sentence"),
    [
        ((), {}, "needs inputs"),
        (("N", "N"), {}, "each named once"),
        (("E",), {}, "takes names such as"),
        (("N", "D"), {"terms": {"N": "N"}}, "'D' is in no term"),
        (("N",), {"terms": {"N": "M"}}, "names 'M', which is no input"),
        (("N",), {"shifted": "D"}, "shifted names 'D'"),
        (("N",), {"breaks": "D"}, "breaks names 'D'"),
        (("N",), {"bowls": ("lr", "lr")}, "each named once"),
        (("N",), {"terms": {"N": ("N", "N")}}, "once each"),
        (("N",), {"A_D": sj.Positive(1, 2)}, "nothing called 'A_D'"),
    ],
)
def test_libraries_that_make_no_sense(arguments, options, sentence):
    with pytest.raises(sj.LawError, match=sentence):
        sj.term_library(*arguments, **options)


def test_counts_are_not_fitted_side_by_side():
    library = sj.term_library("N", "D")
    N, D = np.geomspace(1e8, 1e10, 9), np.geomspace(1e9, 1e11, 9)
    table = {"N": N, "D": D, "loss": np.linspace(0.9, 0.1, 9), "n": np.full(9, 100)}
    with pytest.raises(sj.FitError, match=r"Counts are fitted by sj\.fit"):
        sj.fit_terms(table, library, [library.mask("E", "A_N", "alpha_N")], loss=sj.binomial("n"))
