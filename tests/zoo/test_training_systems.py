"""Distillation, replicas, private noise, answers and transfer: against simulation, direct sums and one another."""

import numpy as np
import pytest

import scalejax as sj
from scalejax import costs, laws, papers

OUTER, TAUGHT = laws.chinchilla_outer, laws.distilled
ALONE = dict(OUTER.published["busbridge2025"])
STUDENT = sj.chain(Lt=OUTER, loss=TAUGHT)
TRUTH = {
    called: (TAUGHT.published["busbridge2025"] if stage.name == "loss" else ALONE)[own]
    for stage in STUDENT.stages
    for own, called in stage.parameters
}  # fmt: skip


def test_a_student_without_a_second_term_is_its_teacher():
    values = {**TAUGHT.published["busbridge2025"], "c1": 1e6}
    assert TAUGHT(1e9, 1e11, 2.0, 1.6, **values) == pytest.approx(2.0, abs=1e-12)


@pytest.mark.slow
def test_a_student_is_fitted_to_its_supervised_law_and_its_plan_has_an_interval():
    """The supervised law first and frozen, as in the paper: size and tokens for a teacher, and intervals that hold the truth."""
    rng = np.random.default_rng(0)
    N, D, L_T = 10 ** rng.uniform(8.2, 10, 300), 10 ** rng.uniform(9.6, 11.7, 300), rng.uniform(1.9, 2.75, 300)
    alone, taught = OUTER(N, D, **ALONE), STUDENT(N=N, D=D, L_T=L_T, **TRUTH)
    noise, student = np.exp(2e-3 * rng.standard_normal((2, 300))), np.arange(300) % 4 > 0
    table = {
        "N": N,
        "D": D,
        "L_T": L_T,
        "Lt": np.where(student, np.nan, alone * noise[0]),
        "loss": np.where(student, taught * noise[1], np.nan),
    }
    held = {name: TRUTH[name] for name in ("c1", "f1", "gamma")}  # the width of a switch, and an outer exponent: no run is to decide them
    plan = sj.allocate(sj.fit(STUDENT.bind(**held), table, starts=64, staged=True), compute=1e21, L_T=2.1)
    true = sj.allocate((STUDENT, TRUTH), compute=1e21, L_T=2.1)
    assert plan.loss == pytest.approx(true.loss, rel=1e-3)
    limits = plan.interval(0.99)
    assert limits["N"][0] < true.N < limits["N"][1] < 2 * limits["N"][0]
    assert limits["D"][0] < true.D < limits["D"][1]


def test_the_best_teacher_is_one_that_the_student_can_follow():
    """A worse and a better one leave the student behind (the gap of capacity), and a larger student wants a better one."""
    best = sj.argmin(TAUGHT, {"L_T": sj.Positive(1.5, 4)}, bounds={"L_T": (1.3, 3.5)})
    values, found = TAUGHT.published["busbridge2025"], []
    for N, D in ((143e6, 20e9), (546e6, 98.5e9), (1.82e9, 512e9)):
        Lt = OUTER(N, D, **ALONE)
        found.append(best(N=N, D=D, Lt=Lt, **values)["L_T"])
        tried = TAUGHT(N, D, np.linspace(1.3, 3.5, 20001), Lt, **values)
        assert found[-1] == pytest.approx(np.linspace(1.3, 3.5, 20001)[np.argmin(tried)], abs=2e-4)
    assert found[1] > found[2]


def test_paying_for_a_teacher_costs_loss():
    joint = sj.chain(L_T=(OUTER, {"N": "N_T", "D": "D_T"}), Lt=OUTER, loss=TAUGHT)
    values = {c: (TAUGHT.published["busbridge2025"] if s.name == "loss" else ALONE)[own] for s in joint.stages for own, c in s.parameters}
    bounds = {"D": (1e8, 1e15), "N_T": (1e8, 1e12), "D_T": (1e9, 1e15)}
    plan = {
        paid: sj.allocate(
            (joint, values), compute=1e22, cost=costs.distillation, N=1e9, pretraining=paid, over=tuple(bounds), bounds=bounds
        )
        for paid in (0.01, 1.0)
    }
    assert plan[0.01].loss < plan[1.0].loss
    assert plan[0.01].inputs["D_T"] > plan[1.0].inputs["D_T"]


def test_time_of_replicas():
    """By hand, and choosing replicas for a deadline: seldom synchronised ones where the network is slow, none where it is fast."""
    given = {"N": 1e9, "D": 2e10, "B": 1e6, "R": 512, "Q": 2e14}
    slow = papers.replica_seconds(**given, M=2, H=30, W_0=4e11, W_1=1e9, eps_1=0.5)
    steps, computing = 2e4, 6 * 2e19 / (512 * 2e14)
    near, far = 2 * 16e9 * (1 - 2 / 512) / 4e11, 2 * 16e9 * (1 - 1 / 512) / 1e9 + 0.5
    assert slow == pytest.approx(computing + steps * near + steps / 30 * far, rel=1e-14)
    parallel = papers.replica_seconds(**given, M=1, H=1, W_0=np.inf, W_1=1e9, eps_1=0.5)
    assert parallel > 10 * slow
    source = (laws.diloco, laws.diloco.published["joint"])

    def seconds(N, M):
        H, W = 30.0, 1e9
        return papers.replica_seconds(N, 20 * N, 1e6 * M, M, H, R=512 * M, Q=2e14, W_0=4e11, W_1=W)

    plan = sj.allocate(source, compute=1e5, cost=seconds, choices={"M": [1, 2, 4, 8]})
    sizes = [sj.allocate(source, compute=1e5, cost=seconds, M=m).loss for m in (1, 2, 4, 8)]
    assert plan.loss == pytest.approx(min(sizes), rel=1e-9)
    assert plan.inputs["M"] == 8  # four times the devices are worth more than the replicas cost


def test_private_noise_is_that_of_a_simulation():
    """E [1 - exp(epsilon - L)]_+ over simulated privacy losses, in the direction of removing one example."""
    epsilon, sigma, q, T = 0.5, 1.0, 0.05, 60
    rng = np.random.default_rng(0)
    x = sigma * rng.standard_normal((200_000, T)) + (rng.uniform(size=(200_000, T)) < q)
    loss = np.log(1 - q + q * np.exp((2 * x - 1) / (2 * sigma**2))).sum(axis=1)
    failed = np.maximum(1 - np.exp(epsilon - loss), 0)
    error = failed.std() / np.sqrt(len(failed))
    assert papers.privacy_delta(epsilon, sigma, q, T) == pytest.approx(failed.mean(), abs=4 * error)


def test_private_noise_answers_budgets():
    sigma = papers.noise_multiplier(1.0, 1e-6, 0.01, 1000)
    assert papers.privacy_delta(1.0, sigma, 0.01, 1000) == pytest.approx(1e-6, rel=1e-5)
    assert papers.noise_batch_ratio(1.0, 1e-6, 100, 1000, 1e4) == pytest.approx(sigma / 100, rel=1e-9)
    larger = papers.noise_batch_ratio(1.0, 1e-6, 1000, 1000, 1e4)
    assert sigma / 1000 < larger < sigma / 100  # a larger batch needs more noise, but less of it an example
    for wrong in ({"q": 1.5}, {"T": 0}, {"epsilon": -1.0}, {"delta": 2.0}):
        with pytest.raises(sj.DecisionError, match=next(iter(wrong))):
            papers.noise_multiplier(**{"epsilon": 1.0, "delta": 1e-6, "q": 0.01, "T": 10, **wrong})


def test_private_losses_become_monotone_and_nearer_to_the_truth():
    T, noise = np.logspace(3, 5, 30)[:, None], np.logspace(-6, -2, 8)
    truth = 2.0 + 30 * T**-0.4 + 40 * noise**0.5
    seen = truth + 0.05 * np.random.default_rng(0).standard_normal(truth.shape)
    found = papers.private_losses(seen, steps=20)
    assert (np.diff(found.loss, axis=0) <= 1e-9).all() and (np.diff(found.loss, axis=1) >= -1e-9).all()
    assert np.square(found.loss - truth).mean() < 0.7 * np.square(seen - truth).mean()
    assert found.moved == pytest.approx(np.abs(found.loss - seen).max())
    with pytest.raises(sj.DataError):
        papers.private_losses([1.0, 2.0])


def test_sparse_answers_attend_to_what_there_is():
    """S is the sum over an answer's tokens of the positions that each attends to, no more than the budget or than there are."""
    P, L_p, L_o, d, k = 1e9, 140, 3000, 4096.0, 1024.0
    attended = np.minimum(512, L_p + np.arange(L_o)).sum()
    flops = papers.sparse_answer_flops(P, L_p, L_o, 3, d, k, budget=512, intensity=0.0)
    assert flops == pytest.approx(3 * (2 * P * L_o + 4 * attended * d), rel=1e-3)
    everything = papers.sparse_answer_flops(P, L_p, L_o, 1, d, k, budget=L_p + L_o)
    assert everything == pytest.approx(papers.answer_flops(P, L_p, L_o, 1, d, k), rel=1e-12)
    blocks = papers.sparse_answer_flops(P, L_p, L_o, 3, d, k, budget=512, block=16)
    assert papers.sparse_answer_flops(P, L_p, L_o, 3, d, k, budget=512) < blocks


def test_data_that_pre_training_is_worth():
    """Ten times the parameters are worth about a hundred times the data (Hernandez et al. 2021); the chain gives Kaplan's loss for both."""
    law = laws.data_transferred
    values = dict(law.published["hernandez2021_text"])
    found = sj.formulas.transfer_multiplier(3e5, 4e7, **values)
    assert 50 < found["data_for_size"] < 200
    assert law(found["data_for_size"] * 3e5, 4e7, **values) == pytest.approx(law(3e5, 4e8, **values))
    assert law(found["even"], 4e7, **values) == pytest.approx(found["even"])
    task = {"N_c": 1e14, "alpha_N": 0.08, "D_c": 5e13, "alpha_D": 0.1}
    both = sj.chain(D_T=law, loss=laws.fine_tuned)
    expected = laws.kaplan(4e7, 3e5 + law(3e5, 4e7, **values), **task)
    assert both(D_F=3e5, N=4e7, **values, **task) == pytest.approx(expected, rel=1e-12)
    # What is measured: the data without pre-training of equal loss, less those of fine-tuning.
    worth = sj.equivalent((laws.fine_tuned, task), "D_F", like=expected, N=4e7, D_T=0.0).value - 3e5
    assert worth == pytest.approx(law(3e5, 4e7, **values), rel=1e-6)
