"""Mixtures: published optima, scipy's on the same problems, certificates, uncertainty, and sentences for what cannot be."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from claims.mirror_descent import mirror_descent
from scipy.optimize import minimize

import scalejax as sj
from scalejax.decisions.pairing import knowns

DOMAINS = ["academic", "prose", "dialogue", "symbolic", "internet"]
# Ye et al. 2024, arXiv:2403.16952, five super-domains, 70M at step 30000: log_c, log_k, t
YE = {
    "academic": [0.975, -2.1391, -10.0864, 2.714, 2.7106, 2.6083, 1.5866],
    "prose": [1.2624, -2.1656, 1.393, -4.6811, 0.7855, 1.8719, 0.5734],
    "dialogue": [1.1375, -7.1017, 6.7135, 6.2643, -31.8621, 6.6423, 6.2053],
    "symbolic": [0.475, -3.6546, 3.3289, 3.6705, 3.1127, -16.4217, 3.1591],
    "internet": [1.2402, -1.951, 1.1897, 0.8697, -0.5184, 1.7122, -3.087],
}
SHARES = {"academic": 0.340664, "prose": 0.152006, "dialogue": 0.050154, "symbolic": 0.116898, "internet": 0.340278}


@sj.law(h=sj.Simplex(), log_c=sj.Real(), log_k=sj.Real(), t=sj.Real(-5, 5, axis="domain"))
def mixing(h, *, log_c, log_k, t):
    """Data mixing law M4 of Ye et al."""
    return jnp.exp(log_c) + jnp.exp(log_k + jnp.sum(t * h, axis=-1))


@sj.law(h=sj.Simplex(), E=sj.Positive(), C=sj.Positive(axis="domain"), gamma=sj.Positive())
def additive(h, *, E, C, gamma):
    """Additive mixture term of Shukor et al. 2025 with one exponent."""
    return E + 1 / jnp.sum(C * h**gamma, axis=-1)


@sj.law(h=sj.Simplex(), E=sj.Positive(), A=sj.Positive(axis="domain"), alpha=sj.Positive(axis="domain"))
def by_size(h, D, *, E, A, alpha):
    """A power law of the tokens of every domain."""
    return E + jnp.sum(A * (1e6 + h * D) ** -alpha, axis=-1)


def ye():
    return {name: (mixing, {"log_c": v[0], "log_k": v[1], "t": np.array(v[2:])}) for name, v in YE.items()}


def ye_loss(h):
    table = np.array(list(YE.values()))
    return np.array(list(SHARES.values())) @ (np.exp(table[:, 0]) + np.exp(table[:, 1] + table[:, 2:] @ h))


def test_data_mixing_laws():
    best = sj.optimal_mixture(ye(), weights=SHARES, domains=DOMAINS)
    np.testing.assert_allclose(best.h, [0.27583, 0.13663, 0.06442, 0.11553, 0.40760], atol=6e-6)
    assert best.objective == pytest.approx(3.029958, abs=5e-7) and best.gap < 1e-12 and best.residual < 1e-10
    assert best.weights["prose"] == best.h[1] and best.targets == tuple(YE) and best.active == [()]
    table = np.array(list(YE.values()))
    slope = (np.array(list(SHARES.values())) * np.exp(table[:, 1] + table[:, 2:] @ best.h)) @ table[:, 2:]
    np.testing.assert_allclose(slope, -0.00828, atol=5e-6)
    rows = {row[0]: row[1] for row in best.against({"uniform": np.full(5, 0.2), "validation": SHARES}).rows}
    assert rows["uniform"].startswith("3.06623") and rows["validation"].startswith("3.03422")


@pytest.mark.slow
def test_aioli_two_domains():
    """p1 = (ln(k2/k1) + k2 + b2 - b1) / (k1 + k2), with k the negative slopes (Chen et al. 2024, arXiv:2411.05735)."""
    arxiv = (mixing, {"log_c": np.log(2.635579), "log_k": -0.619237, "t": [-2.99978, 0.0]})
    exchange = (mixing, {"log_c": np.log(3.03323), "log_k": -0.12864, "t": [0.0, -2.64617]})
    best = sj.optimal_mixture([arxiv, exchange])
    assert best.h[0] == pytest.approx(0.4040062, abs=5e-8) and best.objective == pytest.approx(3.0053366, abs=5e-8)
    closed = (np.log(2.99978 / 2.64617) + 2.64617 + -0.619237 - -0.12864) / (2.99978 + 2.64617)
    assert best.h[0] == pytest.approx(closed, abs=1e-8)


DDO_A = np.array([2.66587, 6.61618, 2.6736, 2.46311, 2.51838, 2.88996, 3.31917])
DDO_B = np.array([1.2492, 1.436, 1.53626, 1.82873, 1.18587, 1.95363, 1.92667])


@sj.law(h=sj.Simplex(), a=sj.Positive(axis="domain"), b=sj.Positive(axis="domain"))
def ddo(h, m, *, a, b):
    """Direct data optimisation of Kang et al. 2024, arXiv:2407.20177: x = m h."""
    return jnp.sum((jnp.expand_dims(m, -1) * h + a) ** -b, axis=-1)


@pytest.mark.slow
def test_direct_data_optimisation():
    """x_i = max((b_i / lambda)^(1 / (b_i + 1)) - a_i, 0.2); the printed amounts are a little short of the optimum."""
    best = sj.optimal_mixture((ddo, {"a": DDO_A, "b": DDO_B}), m=7.0, floors=0.2 / 7)
    x = 7 * best.h
    marginal = DDO_B * (x + DDO_A) ** (-DDO_B - 1)
    lam = marginal[0]
    np.testing.assert_allclose(x, np.maximum((DDO_B / lam) ** (1 / (DDO_B + 1)) - DDO_A, 0.2), rtol=1e-8)
    printed = np.array([1.63121445, 0.2, 1.30180479, 1.21425702, 1.83266187, 0.62006189, 0.2])
    np.testing.assert_allclose(x, printed, atol=0.035)
    at_printed = np.sum((printed + DDO_A) ** -DDO_B)
    assert 0 < at_printed - best.objective < 1e-4
    assert best.active == [("h[1] at its floor",)]


def test_additive_closed_form():
    """h_i = C_i^(1/(1-gamma)) / sum_j C_j^(1/(1-gamma)) for one target and 0 < gamma < 1 (Shukor et al. 2025)."""
    C, gamma = np.array([1.0, 2.5, 0.4, 3.0]), 0.6
    best = sj.optimal_mixture((additive, {"E": 1.7, "C": C, "gamma": gamma}))
    powers = C ** (1 / (1 - gamma))
    np.testing.assert_allclose(best.h, powers / powers.sum(), rtol=1e-8)


@pytest.mark.parametrize("seed", range(6))
def test_never_above_scipy(seed):
    """Random convex problems with floors and caps, SLSQP from several starts."""
    rng = np.random.default_rng(seed)
    n, targets = 8, 5
    t = rng.normal(0, 2, (targets, n)) - 6 * (rng.random((targets, n)) < 0.25)
    k, w = rng.normal(-1, 1, targets), rng.dirichlet(np.ones(targets))
    caps, floors = rng.uniform(0.13, 0.6, n), rng.choice([0.0, 0.03], n)
    sources = [(mixing, {"log_c": 0.0, "log_k": k[i], "t": t[i]}) for i in range(targets)]
    best = sj.optimal_mixture(sources, weights=w, caps=caps, floors=floors)

    def loss(h):
        return w @ (1 + np.exp(k + t @ h))

    found = [
        minimize(loss, rng.dirichlet(np.ones(n)), method="SLSQP", bounds=list(zip(floors, caps, strict=True)),
                 constraints=[{"type": "eq", "fun": lambda h: h.sum() - 1}], options={"ftol": 1e-14, "maxiter": 1000})
        for _ in range(3)
    ]  # fmt: skip
    assert best.objective <= min(f.fun for f in found if f.success) + 1e-9
    assert best.h.sum() == pytest.approx(1, abs=1e-12)
    assert (best.h >= floors - 1e-15).all() and (best.h <= caps + 1e-15).all() and best.gap < 1e-9


@pytest.mark.slow
def test_solvers_agree():
    capped = {"weights": SHARES, "caps": [0.2, 0.2, 0.2, 0.2, 0.3], "floors": 0.05}
    interior = sj.optimal_mixture(ye(), **capped)

    def objective(h):
        return sum(SHARES[name] * law.function(h, **params) for name, (law, params) in ye().items())

    mirror = mirror_descent(objective, np.full(5, 0.05), capped["caps"])
    np.testing.assert_allclose(mirror, interior.h, atol=1e-5)
    free = sj.optimal_mixture(ye(), weights=SHARES)
    with jax.enable_x64(True):
        adam, z = optax.adam(0.05), jnp.zeros(5)

        def step(_, now):
            update, state = adam.update(jax.grad(lambda z: objective(jax.nn.softmax(z)))(now[0]), now[1])
            return now[0] + update, state

        h = jax.nn.softmax(jax.jit(lambda z: jax.lax.fori_loop(0, 2000, step, (z, adam.init(z)))[0])(z))
    np.testing.assert_allclose(h, free.h, atol=1e-6)


def test_worst_case():
    """At the optimum the targets that count are equally bad, and no step improves on them (linear program of the gradients)."""
    best = sj.optimal_mixture(ye(), worst=True, domains=DOMAINS)
    losses = np.array(list(best.losses.values()))
    bound = best.multipliers[0] > 1e-6
    np.testing.assert_allclose(losses[bound], best.objective, atol=1e-9)
    assert (losses <= best.objective + 1e-9).all() and best.gap < 1e-8
    assert best.multipliers[0].sum() == pytest.approx(1, abs=1e-8)
    rng = np.random.default_rng(0)
    table = np.array(list(YE.values()))
    for h in rng.dirichlet(np.ones(5), 2000):
        assert (np.exp(table[:, 0]) + np.exp(table[:, 1] + table[:, 2:] @ h)).max() > best.objective


def test_pull_towards_a_prior():
    prior = np.array([0.1, 0.1, 0.1, 0.1, 0.6])
    free = sj.optimal_mixture(ye(), weights=SHARES)
    distance = [np.abs(sj.optimal_mixture(ye(), weights=SHARES, prior=prior, kl_weight=p).h - prior).max() for p in (0.01, 0.1, 100.0)]
    assert distance[0] > distance[1] > distance[2] and distance[2] < 2e-3
    np.testing.assert_allclose(sj.optimal_mixture(ye(), weights=SHARES, kl_weight=1e-9).h, free.h, atol=1e-5)
    strong = sj.optimal_mixture(ye(), weights=SHARES, prior=prior, kl_weight=0.3)
    table = np.array(list(YE.values()))
    slope = (np.array(list(SHARES.values())) * np.exp(table[:, 1] + table[:, 2:] @ strong.h)) @ table[:, 2:] + 0.3 * np.log(
        strong.h / prior
    )
    assert np.ptp(slope) < 1e-9


def test_caps_from_available_tokens_along_a_path():
    truth = {"E": 1.5, "A": [30.0, 60.0, 20.0], "alpha": [0.3, 0.35, 0.25]}
    available = np.array([2e9, np.inf, np.inf])
    path = sj.optimal_mixture((by_size, truth), D=[1e9, 1e10, 1e11], available=available, epochs=4, domains=["code", "web", "books"])
    assert path.h.shape == (3, 3) and path.objective.shape == (3,)
    np.testing.assert_allclose(path.problem.high[0], [1, 0.8, 0.08])
    assert (path.h[:, 0] * [1e9, 1e10, 1e11] <= 8e9 * (1 + 1e-12)).all()
    assert "code at its cap" in path.active[2]
    for i, D in enumerate([1e9, 1e10, 1e11]):
        one = sj.optimal_mixture((by_size, truth), D=D, available=available, epochs=4, domains=["code", "web", "books"])
        np.testing.assert_allclose(one.h, path.h[i], atol=1e-10)
    assert "D=1e+11" in path.table().text()


def test_a_domain_without_tokens():
    best = sj.optimal_mixture(ye(), weights=SHARES, caps=[0.0, 1, 1, 1, 1], domains=DOMAINS)
    assert best.h[0] == 0 and best.h.sum() == pytest.approx(1, abs=2e-9)
    full = sj.optimal_mixture(ye(), weights=SHARES, caps=0.2, domains=DOMAINS)
    np.testing.assert_allclose(full.h, 0.2, atol=1e-8)


@pytest.fixture(scope="module")
def fits():
    """Two targets observed on 40 mixtures of three domains, one of them twice as a fit by target."""
    rng = np.random.default_rng(3)
    h = rng.dirichlet(np.ones(3), 40)
    truths = {"web": {"log_c": 0.5, "log_k": 0.0, "t": [-2.0, 0.3, -0.5]}, "code": {"log_c": 0.2, "log_k": 0.0, "t": [0.2, -3.0, -0.4]}}
    runs = {name: sj.simulate(mixing, p, h=h, noise=0.004, seed=i) for i, (name, p) in enumerate(truths.items())}
    return truths, {name: sj.fit(mixing, r, fix={"log_k": 0.0}, starts=128) for name, r in runs.items()}, runs


def test_uncertainty(fits):
    truths, fitted, _ = fits
    draws = {name: sj.laplace(f, 400) for name, f in fitted.items()}
    best = sj.optimal_mixture(draws, domains=["a", "b", "c"])
    exact = sj.optimal_mixture({name: (mixing, p) for name, p in truths.items()})
    low, high = (np.array([pair[i] for pair in best.interval(0.99).values()]) for i in (0, 1))
    assert (low <= exact.h + 1e-9).all() and (exact.h <= high + 1e-9).all() and best.draws.shape == (400, 3)
    # Every draw has the optimum of its own parameters, in an order in which the two fits are independent.
    known = knowns(list(draws.values()), [None, None], False, "optimal_mixture")
    assert abs(np.corrcoef(*(k.draws["log_c"] for k in known))[0, 1]) < 0.15
    for i in (0, 7, 399):
        one = {n: (mixing, {p: v[i] for p, v in k.draws.items()}) for n, k in zip(draws, known, strict=True)}
        np.testing.assert_allclose(best.draws[i], sj.optimal_mixture(one).h, atol=1e-9)
    text = repr(best)
    assert "90 %" in text and "400 draws" in text and "at most" in text
    assert "–" in best.against({"uniform": [1 / 3] * 3}).text()


def test_groups_of_a_fit_are_targets(fits):
    _, fitted, runs = fits
    both = {
        "h": np.concatenate([r["h"] for r in runs.values()]),
        "loss": np.concatenate([r["loss"] for r in runs.values()]),
        "target": np.repeat(list(runs), 40),
    }
    joint = sj.fit(mixing, sj.read_runs(both), by="target", fix={"log_k": 0.0}, starts=128)
    best = sj.optimal_mixture(joint, domains=["a", "b", "c"])
    assert set(best.targets) == {"web", "code"}
    np.testing.assert_allclose(best.h, sj.optimal_mixture({n: (mixing, f.params) for n, f in fitted.items()}).h, atol=2e-4)


def test_several_losses_of_one_law():
    @sj.law(h=sj.Simplex(), t=sj.Real(-5, 5, axis="target"))
    def own(h, *, t):
        """Every target is helped by its own domain."""
        return jnp.exp(-t * h)

    best = sj.optimal_mixture((own, {"t": [1.0, 2.0, 3.0]}), domains=["a", "b", "c"])
    t = np.array([1.0, 2.0, 3.0])
    slope = t * np.exp(-t * best.h)
    assert np.ptp(slope) < 1e-10 and best.targets == ("loss[0]", "loss[1]", "loss[2]")


MIX = {n: (mixing, {"log_c": 0.0, "log_k": 0.0, "t": [-1.0, 0.5, 0.2]}) for n in ("a", "b")}
REFUSED = {
    "weights off the simplex": (["weights", "sum to one", "1.2"], {"weights": [0.6, 0.6]}),
    "negative weight": (["weights", "0 or more"], {"weights": [1.5, -0.5]}),
    "too many weights": (["weights", "2 targets"], {"weights": [0.2, 0.3, 0.5]}),
    "unknown target": (["'c'"], {"weights": {"a": 0.5, "c": 0.5}}),
    "caps too small": (["caps sum to 0.6", "raise caps"], {"caps": 0.2}),
    "no tokens": (["caps sum to", "epochs"], {"available": [1e9, 1e9, 1e9], "tokens": 1e10}),
    "available without tokens": (["tokens="], {"available": [1e9, 1e9, 1e9]}),
    "floors too large": (["floors sum to 1.2"], {"floors": 0.4}),
    "floor above cap": (["h[0]", "floor"], {"floors": [0.5, 0, 0], "caps": [0.4, 1, 1]}),
    "a cap for every domain": (["3 domains"], {"caps": [0.5, 0.6]}),
    "caps by unknown names": (["caps names"], {"caps": {"x": 1, "y": 1, "z": 1}}),
    "prior off the simplex": (["prior", "sum to one"], {"prior": [0.5, 0.5, 0.5]}),
    "negative kl_weight": (["kl_weight=-1"], {"kl_weight": -1}),
    "unknown input": (["N="], {"N": 1e9}),
    "wrong number of domains": (["agree"], {"domains": ["x", "y"]}),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case):
    words, arguments = REFUSED[case]
    with pytest.raises(sj.DecisionError) as caught:
        sj.optimal_mixture(MIX, **arguments)
    message = str(caught.value)
    assert all(word.lower() in message.lower() for word in words), message
    assert "\n" not in message


def test_refused_sources():
    chinchilla = sj.laws.chinchilla
    for source, words in (
        ((chinchilla, chinchilla.published["hoffmann2022"]), ["simplex", "chinchilla"]),
        ([], ["no targets"]),
        ((by_size, {"E": 1.0, "A": [1.0, 1.0], "alpha": [0.3, 0.3]}), ["D=..."]),
        ({"a": 3}, ["int"]),
    ):
        with pytest.raises(sj.DecisionError) as caught:
            sj.optimal_mixture(source)
        assert all(word in str(caught.value) for word in words), str(caught.value)
    best = sj.optimal_mixture(MIX)
    with pytest.raises(sj.DecisionError, match="no uncertainty"):
        best.interval()
    with pytest.raises(sj.DecisionError, match="sum to one"):
        best.against({"half": [0.5, 0.5, 0.5]})


@pytest.mark.slow
def test_sizes_and_mixture_at_once():
    """`allocate` chooses N, D and the weights under caps on every domain's tokens; at its N and D the mixture alone is the same."""

    @sj.law(h=sj.Simplex(), E=sj.Positive(), A=sj.Positive(), alpha=sj.Positive(), B=sj.Positive(axis="domain"), beta=sj.Positive())
    def both(N, D, h, *, E, A, alpha, B, beta):
        """A size term and a mixture term."""
        return E + A * N**-alpha + jnp.sum(B * (1e6 + h * jnp.expand_dims(D, -1)) ** -beta, axis=-1)

    truth, available = {"E": 1.5, "A": 400.0, "alpha": 0.34, "B": [300.0, 500.0, 200.0], "beta": 0.29}, np.array([2e9, np.inf, 3e10])
    plan = sj.allocate((both, truth), compute=[1e20, 1e22], caps={sj.costs.domain_tokens: available})
    assert plan.inputs["h"].shape == (2, 3) and plan.residual < 1e-9
    assert (plan.inputs["h"] * plan.D[:, None] <= available * (1 + 1e-9)).all()
    assert "the cap on domain_tokens[0]" in plan.active[0] and "h[1]" in plan.table().text()
    for i in range(2):
        alone = sj.optimal_mixture((both, truth), N=plan.N[i], D=plan.D[i], available=available)
        np.testing.assert_allclose(alone.h, plan.inputs["h"][i], atol=1e-7)
        assert alone.objective == pytest.approx(plan.loss[i], rel=1e-12)
        for other in (0.7, 1.4):  # another N with the tokens that are left is worse
            worse = sj.optimal_mixture((both, truth), N=other * plan.N[i], D=plan.D[i] / other, available=available)
            assert worse.objective > plan.loss[i]
