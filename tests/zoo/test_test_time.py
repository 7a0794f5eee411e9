"""Laws of many samples beyond what their papers print: other implementations, simulations, and decisions that rest on them."""

import math

import jax
import numpy as np
import pytest
from scipy import optimize, stats

import scalejax as sj
from scalejax import costs, formulas, laws, papers


def test_coverage_of_a_beta_distribution_is_that_of_a_beta_binomial():
    k = np.array([1.0, 7.0, 300.0, 1e4])
    for u, v in ((0.3, 14.0), (1.0, 1.0), (2.5, 0.4)):
        np.testing.assert_allclose(laws.coverage_beta(k, u=u, v=v), 1 - stats.betabinom.pmf(0, k, u, v), rtol=1e-10)


def test_pass_at_k_is_exact():
    """In whole numbers, and the mean over all subsets of four samples."""
    for N, C, k in ((200, 13, 10), (10_000, 1, 9_999), (50, 50, 1), (12, 3, 10)):
        exact = 1 - math.comb(N - C, k) / math.comb(N, k)
        assert papers.pass_at_k(N, [C], k).coverage == pytest.approx(exact, rel=1e-12)
    assert papers.pass_at_k([4, 6], [1, 0], 2).coverage == pytest.approx(0.25)
    with pytest.raises(sj.DataError, match="between 1 and the fewest samples"):
        papers.pass_at_k([4, 6], [1, 0], 5)
    with pytest.raises(sj.DataError, match="whole numbers"):
        papers.pass_at_k(4, [5], 1)


def test_attempts_have_the_likelihood_of_beta_binomial_counts():
    """Up to the number of orders, exactly where rows stand for single samples; for other N nearly."""
    rng = np.random.default_rng(0)
    for N, near in ((30, 1e-9), (rng.integers(5, 30, 40), 1e-9), (3000, 0.1)):
        n = np.broadcast_to(N, 40)
        C = rng.binomial(n, rng.beta(0.4, 5.0, 40))
        table = papers.attempts(N, C)
        assert table["trials"].sum() == n.sum()
        assert (table["success"] * table["trials"]).sum() == pytest.approx(C.sum())
        differences = []
        for u, v in ((0.4, 5.0), (0.3, 8.0), (0.6, 4.0)):
            p = laws.success_after(table["c"], table["n"], u=u, v=v)
            rows = np.sum(table["trials"] * (table["success"] * np.log(p) + (1 - table["success"]) * np.log1p(-p)))
            differences.append(stats.betabinom.logpmf(C, n, u, v).sum() - rows)
        assert np.ptp(differences) < near


def test_attempts_are_fitted_as_a_beta_binomial_is():
    """The first rows have c = n = 0, which no logarithm has."""
    C = np.random.default_rng(0).binomial(30, np.random.default_rng(1).beta(0.6, 3.0, 200))
    found = sj.fit(laws.success_after, papers.attempts(30, C), loss=sj.binomial(), starts=8).params
    best = optimize.minimize(lambda z: -stats.betabinom.logpmf(C, 30, *np.exp(z)).sum(), [0.0, 1.0], method="Nelder-Mead")
    np.testing.assert_allclose([found["u"], found["v"]], np.exp(best.x), rtol=1e-3)


@pytest.mark.slow
def test_a_few_samples_tell_how_difficulty_varies():
    rng = np.random.default_rng(1)
    C = rng.binomial(30, rng.beta(0.4, 4.0, 400))
    table = papers.attempts(30, C)
    draws = sj.sample(laws.success_after, table, likelihood="binomial", level_prior=False, method="laplace")
    found = sj.derive(draws, laws.coverage_beta, k=1e4)
    low, high = found.interval(0.99)["value"]
    assert low < laws.coverage_beta(1e4, u=0.4, v=4.0) < high
    assert high - low < 0.1
    best = sj.derive(draws, formulas.best_attempts_beta, c=1.0, s=0.99, V_f=-1.0)
    low, high = best.interval(0.99)["K"]
    assert low <= formulas.best_attempts_beta(0.4, 4.0, 1.0, 0.99, -1.0)["K"] <= high


def test_resampling_is_what_a_simulation_counts():
    rng = np.random.default_rng(0)
    p, r, c, s, K = np.array([0.6, 0.4]), np.array([0.7, 0.2]), 0.9, 0.8, 4
    right = rng.random((200_000, K)) < r[rng.choice(2, 200_000, p=p)][:, None]
    accepted = rng.random(right.shape) < np.where(right, c, 1 - s)
    first = accepted.argmax(axis=1)
    ended = accepted.any(axis=1) & right[np.arange(len(right)), first]
    assert laws.resampling(K, p=p, r=r, c=c, s=s) == pytest.approx(ended.mean(), abs=4e-3)
    drawn = np.where(accepted.any(axis=1), first + 1, K).mean()
    assert formulas.best_attempts(p, r, c, s, K=[K])["drawn"] == pytest.approx(drawn, abs=1e-2)


def test_a_perfect_verifier_has_the_coverage_of_the_samples():
    p, r = np.array([0.5, 0.3, 0.2]), np.array([0.0, 0.1, 1.0])
    K = np.array([1.0, 5.0, 200.0])
    np.testing.assert_allclose(laws.resampling(K, p=p, r=r, c=1.0, s=1.0), (p * (1 - (1 - r) ** K[:, None])).sum(axis=1), rtol=1e-12)
    for u, v in ((0.3, 14.0), (0.05, 3.0), (4.0, 0.2)):
        found = formulas.best_attempts_beta(u, v, 1.0, 1.0, K=[50.0])
        assert found["correct"] == pytest.approx(laws.coverage_beta(50.0, u=u, v=v), rel=1e-5)


def test_costs_of_samples_lower_their_best_number():
    p, r = np.array([0.58, 0.42]), np.array([0.87, 0.13])
    free, paid = (formulas.best_attempts(p, r, 1.0, 0.75, -0.7, cost)["K"] for cost in (0.0, 0.05))
    assert (free, paid) == (3.0, 2.0)
    with pytest.raises(sj.DecisionError, match="c and s must be chances"):
        formulas.best_attempts(p, r, 0.0, 0.75)


def test_the_factor_of_coverage_is_the_ratio_of_the_gradients():
    p, N = 0.03, 40.0
    with jax.enable_x64(True):
        gradient = jax.grad(lambda p: formulas.coverage_loss(p, N)["loss"])(jax.numpy.asarray(p))
    assert formulas.coverage_loss(p, N)["factor"] == pytest.approx(float(gradient) / (-1 / p), rel=1e-10)


def test_one_budget_is_split_between_size_samples_and_length():
    """-ln coverage as a product of powers, the paper's cost with heads that grow with the model: against a grid of what money can buy."""
    law = sj.power_product("P", "L_o", "n", output="missed")
    numbers = {"c": 1e6, "p_P": -0.35, "p_L_o": -0.5, "p_n": -0.3}

    def cost(P, L_o, n, intensity):
        width = 0.03 * P ** (2 / 3)
        return papers.answer_flops(P, 200.0, L_o, n, d_attn=width, d_kv=width / 4, intensity=intensity)

    bounds = {"P": (1e8, 1e12), "L_o": (1e2, 1e6), "n": (1.0, 1e4)}
    found = {}
    for intensity in (0.0, 562.5):
        plan = sj.allocate((law, numbers), compute=1e17, cost=cost, bounds=bounds, intensity=intensity)
        P, L_o, n = np.meshgrid(np.geomspace(1e8, 1e12, 161), np.geomspace(1e2, 1e6, 161), np.geomspace(1.0, 1e4, 161), indexing="ij")
        affordable = cost(P, L_o, n, intensity) <= 1e17
        best = law(P[affordable], L_o[affordable], n[affordable], **numbers).min()
        assert best * 0.97 < plan.loss <= best
        found[intensity] = plan.inputs
    assert found[562.5]["P"] > found[0.0]["P"]  # with memory counted larger models and less text
    assert found[562.5]["L_o"] * found[562.5]["n"] < found[0.0]["L_o"] * found[0.0]["n"]


def test_retrieval_under_a_budget_of_tokens():
    """Documents and steps for a context: the best of all whole numbers of steps, and of demonstrations."""
    numbers = dict(a_k=0.25, a_m=0.1, a_n=0.4, b_k=1.0, b_m=0.5, c=-1.5)

    def tokens(k, m, n):
        return n * (1000.0 * k + 250.0 * m + 500.0)

    plan = sj.allocate(
        (laws.rag_error, numbers), compute=1.28e5, cost=tokens, choices={"n": [1, 2, 3, 4, 5], "m": [1, 4, 16, 64]}, i_doc=0.1, i_shot=0.1,
    )  # fmt: skip
    m, n = np.meshgrid([1.0, 4.0, 16.0, 64.0], np.arange(1.0, 6.0))
    k = (1.28e5 / n - 250 * m - 500) / 1000
    assert plan.loss == pytest.approx(laws.rag_error(k, m, n, 0.1, 0.1, **numbers).min(), rel=1e-6)


def test_strategies_by_difficulty_are_scored_on_other_questions():
    """A strategy that is best by luck on one half does not raise the score of the other."""
    rng = np.random.default_rng(0)
    correct = (rng.random((40, 1, 200)) < 0.5).astype(float)  # forty strategies that are all alike
    found = papers.best_strategies(correct, rng.random(200))
    assert abs(found.accuracy[0] - 0.5) < 0.09
    assert correct.mean(axis=2).max() > 0.55
    with pytest.raises(sj.DataError, match="at least as many questions"):
        papers.best_strategies(correct, np.zeros(200))


def test_matched_inference_has_the_compute_of_the_larger_model():
    for M, R in ((14.0, 0.16), (3.0, 22.0)):
        large = costs.six_nd_inference(M, 1.0, R)
        assert costs.six_nd_inference(1.0, 1.0, papers.matched_inference(M, R) * R) == pytest.approx(large, rel=1e-12)


def test_a_reusable_holdout_gives_little_away():
    found = papers.thresholdout([0.5] * 5, [0.51, 0.9, 0.49, 0.1, 0.5], threshold=0.1, noise=1e-3, budget=10)
    np.testing.assert_allclose(found.answer, [0.5, 0.9, 0.5, 0.1, 0.5], atol=0.02)
    assert found.spent == 2 and found.overfitted.tolist() == [False, True, False, True, False]
    used = papers.thresholdout([0.5, 0.5], [0.9, 0.5], threshold=0.1, noise=1e-3, budget=2, spent=found.spent)
    assert np.isnan(used.answer).all() and used.spent == 2
    naive, guarded = (papers.reused_holdout(300, 300, 15, reusable=reusable, repeats=10) for reusable in (False, True))
    assert naive.reported > 0.6 and abs(naive.fresh - 0.5) < 0.04
    assert abs(guarded.holdout - 0.5) < 0.04
    with pytest.raises(sj.DataError, match="must be positive"):
        papers.thresholdout([0.5], [0.5], threshold=0.0, noise=1e-3)
