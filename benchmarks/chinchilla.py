"""How fast, and how surely, is the Chinchilla fit found? One start of the published grid, and one bootstrap replicate, by every method.

Everything runs in this process, in double precision, on the same 240 runs and the same starts: the way a notebook would (scipy, numerical
or analytic gradients), vmapped optax and optimistix, and `sj.fit`. A start has "arrived" if its objective is within 1e-4 of the optimum.
"""

from __future__ import annotations

import time

import jax
import jax.numpy as jnp
import numpy as np
import optax
from scipy.optimize import minimize

import scalejax as sj
from scalejax.fitting.solvers.gradient import LM
from scalejax.fitting.solvers.search import minimise

from .common import chinchilla_runs, show, timed

DELTA, ARRIVED = 1e-3, 1e-4


def numpy_objective(theta, log_n, log_d, log_l, weight):
    """Summed Huber loss of the log residual, theta = (log E, log A, log alpha, log B, log beta), and its gradient."""
    e, a, alpha, b, beta = theta[0], theta[1], np.exp(theta[2]), theta[3], np.exp(theta[4])
    terms = np.stack([np.full_like(log_n, e), a - alpha * log_n, b - beta * log_d])
    top = terms.max(axis=0)
    share = np.exp(terms - top)
    total = share.sum(axis=0)
    r = np.log(total) + top - log_l
    share /= total
    inside = np.abs(r) <= DELTA
    value = np.sum(weight * np.where(inside, r**2 / 2, DELTA * (np.abs(r) - DELTA / 2)))
    psi = weight * np.clip(r, -DELTA, DELTA)
    gradient = [share[0], share[1], -share[1] * alpha * log_n, share[2], -share[2] * beta * log_d]
    return value, np.asarray([np.sum(psi * g) for g in gradient])


def main() -> list:
    """Both questions; returns the tables."""
    with jax.enable_x64(True):
        return [starts(), replicates()]


def starts(count: int = 512):
    """Random starts of the published 4,500-point grid."""
    runs = chinchilla_runs()
    first, warm, fit = timed(lambda: sj.fit("chinchilla", runs), repeat=1)
    grid = sj.recipes["hoffmann2022"].starts
    rng = np.random.default_rng(0)
    points = [{name: float(rng.choice(values)) for name, values in grid.items()} for _ in range(count)]
    from scalejax.fitting.solvers.starts import make_starts

    theta = make_starts(fit.request.layout, points, 0)
    rows = measure(fit, theta, np.ones((len(runs), count)), scipy_count=min(count, 32), compiled=first - warm)
    return show(f"One start of the published grid, {count} starts", HEADER, rows)


def replicates(count: int = 512):
    """Bootstrap replicates, started at the optimum."""
    runs = chinchilla_runs()
    fit = sj.fit("chinchilla", runs)
    weight = np.random.default_rng(0).multinomial(len(runs), np.full(len(runs), 1 / len(runs)), size=count).T.astype(float)
    rows = measure(fit, np.repeat(fit.theta, count, axis=1), weight, scipy_count=24, warm=True)
    begun = time.perf_counter()
    sj.bootstrap(fit, 4000, kind="cases", progress=False)
    first = time.perf_counter() - begun
    _, seconds, _ = timed(lambda: sj.bootstrap(fit, 4000, kind="cases", progress=False))
    base = float(rows[0][1])
    rows.append(
        ["sj.bootstrap(fit, 4000)", f"{1e3 * seconds / 4000:.3f}", f"{base / (1e3 * seconds / 4000):.0f}", "", f"{first - seconds:.1f}"]
    )
    return show(f"One bootstrap replicate, {count} replicates", HEADER, rows)


HEADER = ["method", "ms each", "times faster", "arrived", "compile s"]


def measure(fit, theta, weight, scipy_count, warm=False, compiled=0.0):
    """Rows of the table for these members; `compiled` seconds went into our program before, which the fit shares."""
    runs, request = fit.runs, fit.request
    data = [np.log(runs[name]) for name in ("N", "D", "loss")]
    batch = request.batch
    padded = np.zeros((batch.rows, theta.shape[1]))
    padded[: len(runs)] = weight
    solver = LM().warm if warm else LM()

    def ours():
        return minimise(request.spec, batch, theta, np.zeros(theta.shape[1], int), solver, weight=padded).objective

    first, seconds, best = timed(ours)
    rows, methods = [], [("scalejax LM", first, seconds, best, theta.shape[1])]
    for name, options in (
        ("scipy BFGS, numerical gradient", {"method": "BFGS"}),
        ("scipy BFGS, analytic gradient", {"method": "BFGS", "jac": True}),
        ("scipy L-BFGS-B, analytic gradient", {"method": "L-BFGS-B", "jac": True}),
    ):
        members = range(min(scipy_count, theta.shape[1]))
        begun = time.perf_counter()
        values = np.asarray([scipy_one(theta[:, i], data, weight[:, i], options) for i in members])
        methods.append((name, None, time.perf_counter() - begun, values, len(members)))
    for name, run in (("optax.lbfgs, vmapped", optax_lbfgs), ("optimistix LM, vmapped", optimistix_lm)):
        few = slice(0, min(theta.shape[1], 64))
        function = run(theta[:, few], data, weight[:, few])
        if function is not None:
            first, seconds, values = timed(function, repeat=1)
            methods.append((name, first, seconds, np.asarray(values), theta[:, few].shape[1]))
    reference = best if warm else np.full_like(best, best.min())
    base = next(s / n for name, _, s, _, n in methods if "numerical" in name)
    for name, first, seconds, values, n in methods:
        share = np.mean(values <= reference[: len(values)] * (1 + ARRIVED))
        each = 1e3 * seconds / n
        spent = "" if first is None else f"{max(first - seconds, 0):.1f}"
        rows.append([name, f"{each:.3f}", f"{1e3 * base / each:.0f}", f"{100 * share:.0f} %", spent])
    return [rows[1], *rows[2:], rows[0]]


def scipy_one(theta, data, weight, options):
    """Objective that scipy reaches from one start."""
    args = (*data, weight)
    if options.get("jac"):
        return minimize(numpy_objective, theta, args=args, **options).fun
    with np.errstate(all="ignore"):
        return minimize(lambda t, *a: numpy_objective(t, *a)[0], theta, args=args, **options).fun


def jax_residual(theta, log_n, log_d, log_l):
    """Log residual in JAX, stable."""
    e, a, alpha, b, beta = theta[0], theta[1], jnp.exp(theta[2]), theta[3], jnp.exp(theta[4])
    terms = jnp.stack([jnp.full_like(log_n, e), a - alpha * log_n, b - beta * log_d])
    return jax.scipy.special.logsumexp(terms, axis=0) - log_l


def jax_objective(theta, weight, data):
    """Summed Huber loss in JAX."""
    return jnp.sum(weight * optax.losses.huber_loss(jax_residual(theta, *data), delta=DELTA))


def optax_lbfgs(theta, data, weight, limit=500):
    """optax.lbfgs with its zoom line search, vmapped over starts."""
    solver = optax.lbfgs()
    data = [jnp.asarray(d) for d in data]

    def one(t, w):
        value = lambda x: jax_objective(x, w, data)  # noqa: E731
        both = optax.value_and_grad_from_state(value)

        def step(carry):
            x, state, i = carry
            f, g = both(x, state=state)
            updates, state = solver.update(g, state, x, value=f, grad=g, value_fn=value)
            return optax.apply_updates(x, updates), state, i + 1

        def more(carry):
            _, state, i = carry
            return (i == 0) | ((i < limit) & (optax.tree.norm(optax.tree.get(state, "grad")) > 1e-9))

        return value(jax.lax.while_loop(more, step, (t, solver.init(t), 0))[0])

    run = jax.jit(jax.vmap(one))
    return lambda: run(theta.T, weight.T).block_until_ready()


def optimistix_lm(theta, data, weight):
    """optimistix Levenberg-Marquardt on signed-root Huber residuals, vmapped over starts; None where it is not installed."""
    try:
        import optimistix as optx
    except ImportError:
        return None
    data = [jnp.asarray(d) for d in data]

    def rooted(t, w):
        r = jax_residual(t, *data)
        rho = optax.losses.huber_loss(r, delta=DELTA)
        return jnp.sqrt(w) * jnp.sign(r) * jnp.sqrt(2 * jnp.where(rho > 0, rho, 1)) * (rho > 0)

    def one(t, w):
        solver = optx.LevenbergMarquardt(rtol=1e-10, atol=1e-10)
        done = optx.least_squares(rooted, solver, t, args=w, max_steps=1000, throw=False)
        return jax_objective(done.value, w, data)

    run = jax.jit(jax.vmap(one))
    return lambda: run(theta.T, weight.T).block_until_ready()


if __name__ == "__main__":
    main()
