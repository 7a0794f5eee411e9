"""Run by `test_devices` in fresh processes: fits on as many devices or hosts as asked for, numbers to a file.

python devices.py OUT.npz                       as the environment has it (XLA_FLAGS sets the number of devices)
python devices.py OUT.npz ADDRESS COUNT INDEX   as one of COUNT processes of jax.distributed
"""

import sys

import jax

if len(sys.argv) > 2:
    jax.distributed.initialize(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))

import numpy as np

import scalejax as sj

law = sj.laws.chinchilla
rng = np.random.default_rng(0)
N, D = 10 ** rng.uniform(7, 10, 90), 10 ** rng.uniform(9, 11.5, 90)
runs = sj.simulate(law, law.published["besiroglu2024"], N=N, D=D, noise=0.01)
fit = sj.fit(law, runs, starts=300)
draws = sj.bootstrap(fit, 301)
table = {"N": runs["N"], "D": runs["D"], "loss": runs["loss"], "lab": np.arange(90) // 30}
apart = sj.fit(law, table, by="lab", starts=100)
joint = sj.fit(law, table, by="lab", share=("alpha", "beta"), starts=100)
lbfgs = sj.fit(law, runs, starts=70, solver="lbfgs")
np.savez(
    sys.argv[1] if jax.process_index() == 0 else sys.argv[1] + ".other",
    devices=jax.local_device_count(), hosts=jax.process_count(), fit=fit.theta, covariance=fit.covariance, starts=fit.starts.objective,
    bootstrap=draws.theta, apart=apart.theta, joint=joint.theta, lbfgs=lbfgs.theta,
)  # fmt: skip
