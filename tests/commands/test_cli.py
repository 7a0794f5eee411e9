"""The command line does the main job, teaches, and answers bad input with one sentence."""

import numpy as np
import pytest

import scalejax as sj
from scalejax.commands import demo, main
from scalejax.commands.expressions import distribution
from scalejax.commands.shell import own_laws

COLUMNS = ["--columns", "N=params_m", "D=flops/(6*params_m*1e6)", "loss=val_loss", "--scale", "N=1e6"]


@pytest.fixture
def table(tmp_path):
    law = sj.laws.chinchilla
    rng = np.random.default_rng(0)
    runs = sj.simulate(law, law.published["besiroglu2024"], N=10 ** rng.uniform(7.5, 10, 60), D=10 ** rng.uniform(9, 11.5, 60), noise=0.004)
    path = tmp_path / "runs.csv"
    rows = zip(runs["N"] / 1e6, 6 * runs["N"] * runs["D"], runs["loss"], strict=True)
    path.write_text("params_m,flops,val_loss\n" + "\n".join(f"{n!r},{c!r},{x!r}" for n, c, x in map(lambda r: map(float, r), rows)))
    return path


@pytest.fixture(scope="session")
def saved(tmp_path_factory):
    law, rng = sj.laws.chinchilla, np.random.default_rng(0)
    N, D = 10 ** rng.uniform(7.5, 10, 60), 10 ** rng.uniform(9, 11.5, 60)
    path = tmp_path_factory.mktemp("saved") / "fit.json"
    sj.fit(law, sj.simulate(law, law.published["besiroglu2024"], N=N, D=D, noise=0.004)).save(path)
    return path


@pytest.fixture(scope="session")
def posterior(saved):
    """A posterior file of the same runs, by the quick method."""
    path = saved.with_name("posterior.npz")
    sj.sample("chinchilla", sj.load_fit(saved).runs, method="laplace").save(path)
    return path


@pytest.fixture(scope="session")
def other(saved):
    """Of another law."""
    path = saved.with_name("kaplan.npz")
    sj.sample("kaplan", sj.load_fit(saved).runs, method="laplace", likelihood=sj.likelihoods.student_t(5)).save(path)
    return path


def test_laws(capsys):
    assert main(["laws"]) == 0
    assert "chinchilla" in capsys.readouterr().out
    assert main(["laws", "kaplan"]) == 0
    out = capsys.readouterr().out
    assert "alpha_N / alpha_D" in out and "kaplan2020" in out
    assert main(["laws", "bnsl"]) == 0
    assert "c = [0.49, -0.811, 2.1]" in capsys.readouterr().out


def test_main_path(table, tmp_path, capsys):
    saved = tmp_path / "fit.json"
    columns = ["N=params_m", "D=flops/(6*params_m*1e6)", "loss=val_loss"]
    assert main(["fit", str(table), "--columns", *columns, "--scale", "N=1e6", "--bootstrap", "200", "--out", str(saved)]) == 0
    out = capsys.readouterr().out
    assert "converged" in out and "alpha" in out and "bootstrap" in out
    assert main(["allocate", str(saved), "--compute", "1e21", "1e22", "--bootstrap", "200", "--markdown"]) == 0
    assert "| 1e+21 |" in capsys.readouterr().out
    assert main(["allocate", str(saved), "--compute", "1e21", "--inference", "1e12", "--bootstrap", "0"]) == 0
    assert "six_nd_inference" in capsys.readouterr().out
    report = tmp_path / "report.html"
    assert main(["report", str(saved), str(report), "--bootstrap", "200", "--title", "A title"]) == 0
    assert "A title" in report.read_text()


@pytest.mark.parametrize(("arguments", "words"), [
    (["laws", "chinchila"], ["chinchilla"]),
    (["fit", "missing.csv"], ["missing.csv"]),
    (["fit", "TABLE", "--columns", "N=param_m"], ["params_m"]),
    (["fit", "TABLE", "--columns", "N=params_m", "D=flop/(6*params_m)", "loss=val_loss"], ["flop", "flops"]),
    (["fit", "TABLE", "--columns", "N=params_m", "D=__import__('os')"], ["There is no function '__import__'"]),
    (["fit", "TABLE", "--columns", "N"], ["name=value"]),
    (["fit", "TABLE", "--loss", "hubber"], ["huber"]),
    (["fit", "TABLE", "--law", "kaplam"], ["kaplan"]),
    (["allocate", "missing.json", "--compute", "1e21"], ["missing.json"]),
    (["allocate", "SAVED", "--bootstrap", "0"], ["scalejax allocate takes either --compute (a budget) or --loss"]),
    (["allocate", "SAVED", "--compute", "1e21", "--cost", "six_n"], ["six_nd"]),
    (["allocate", "SAVED", "--compute", "1e21", "--bounds", "N=1e6"], ["N=low:high"]),
    (["allocate", "SAVED", "--loss", "0.1", "--bootstrap", "0"], ["cannot be reached"]),
    (["equivalent", "SAVED", "D", "--given", "N=1e9"], ["--loss or --like"]),
    (["regret", "SAVED", "N=1e9", "--bootstrap", "0"], ["'D'"]),
    (["next-runs", "SAVED", "--target", "N=1e11", "D=1e12"], ["--candidates", "--space"]),
    (["mixture", "SAVED", "--bootstrap", "0"], ["simplex"]),
    (["regret", "SAVED", "N=1e9", "D=1e10", "--bootstrap", "0", "--plot", "x.gif"], ["x.gif", ".png"]),
    (["fit", "TABLE", "--loss", "squared:2"], ["takes no number"]),
    (["fit", "TABLE", *COLUMNS, "--where", "1/0 < N"], ["division by zero"]),
    (["sample", "TABLE", "--prior", "alpha"], ["name=value"]),
    (["sample", "TABLE", "--prior", "alpha=Lognormal(-1, 0.3)"], ["did you mean 'LogNormal'"]),
    (["sample", "TABLE", "--prior", "alpha=LogNormal(-1, -0.3)"], ["scale"]),
    (["sample", "TABLE", "--prior", "alpha=LogNormal(-1, 0.3"], ["LogNormal(-1, 0.3)"]),
    (["sample", "TABLE", "--prior", "alpha=__import__('os').getcwd()"], ["is not a distribution"]),
    (["sample", "TABLE", "--prior", "alpha=log(2)"], ["is not a distribution"]),
    (["sample", "TABLE", *COLUMNS, "--prior", "alfa=LogNormal(-1, 0.3)"], ["did you mean 'alpha'"]),
    (["sample", "TABLE", "--likelihood", "norma"], ["did you mean 'normal'"]),
    (["sample", "TABLE", "--likelihood", "normal:3"], ["takes no number"]),
    (["sample", "TABLE", "--likelihood", "huber:small"], ["not a number"]),
    (["sample", "TABLE", "--trials", "n"], ["student_t", "goes with binomial, beta_binomial"]),
    (["sample", "TABLE", *COLUMNS, "--likelihood", "normal", "--evaluation", "se"], ["'se'"]),
    (["sample", "TABLE", "--likelihood", "binomial", "--noise-by", "lab"], ["--noise-by does not go with", "student_t, normal, huber"]),
    (["compare", "POSTERIOR", "SAVED"], ["holds a fit", "sample --out"]),
    (["compare", "POSTERIOR", "POSTERIOR"], ["Two posteriors", "'posterior'"]),
    (["compare", "missing.npz"], ["missing.npz"]),
    (["holdout", "TABLE", *COLUMNS, "--laws", "chinchila", "--largest", "0.2"], ["did you mean 'chinchilla'"]),
    (["holdout", "TABLE", *COLUMNS, "--laws", "chinchilla", "--largest", "2"], ["between 0 and 1"]),
    (["holdout", "TABLE", *COLUMNS, "--laws", "chinchilla", "--groups", "arch"], ["'arch'"]),
    (["holdout", "TABLE", "--laws", "chinchilla", "--largest", "0.2", "--likelihood", "normal"], ["--method laplace"]),
    (["holdout", "TABLE", "--laws", "chinchilla", "--largest", "0.2", "--method", "svi", "--loss", "squared"], ["--likelihood"]),
    (["fit", "TABLE", *COLUMNS, "--fix", "E=1,2"], ["--fix E=[1.0, 2.0]", "one number"]),
    (["allocate", "SAVED", "--compute", "1e21", "--given", "compute=3"], ["--given 'compute' is no input"]),
    (["multiplier", "SAVED", "SAVED", "--compute", "1e21", "--given", "base=3"], ["--given 'base' is no input"]),
    (["regret", "SAVED", "cost=1e9", "D=1e9"], ["input 'cost' is no input"]),
    (["regret", "SAVED", "N=1e9", "D=1e9", "--given", "source=3"], ["source"]),
    (["sample", "TABLE", *COLUMNS, "--prior", "E=Normal('a',1)"], ["is not a distribution"]),
    (["sample", "TABLE", *COLUMNS, "--prior", "E=Distribution()"], ["is not a distribution"]),
    (["fit", "TABLE", "--columns", "N=" + "-" * 5000 + "params_m"], ["is no column and no arithmetic"]),
    (["fit", "TABLE", "--columns", "N=val/loss", "D=flops", "loss=val_loss"], ["'val'", "not a column"]),
    (["fit", "TABLE", "--columns", "N=`params`", "D=flops", "loss=val_loss"], ["params_m"]),
    (["fit", "TABLE", *COLUMNS, "--where", "N * 2"], ["is no comparison"]),
    (["fit", "TABLE", *COLUMNS, "--where", "N < 0"], ["keeps none of the 60 rows"]),
    (["fit", "TABLE", *COLUMNS, "--law", "missing.py:law"], ["Cannot read missing.py"]),
    (["fit", "TABLE", "--columns", "N=params_m", "D=flops", "loss=missing"], ["'missing'"]),
    (["predict", "SAVED"], ["N=... D=...", "--points"]),
    (["predict", "SAVED", "N=7X", "D=1T"], ["'7X' is not a number"]),
    (["predict", "SAVED", "N=7B"], ["'D'"]),
    (["profile", "POSTERIOR"], ["needs a fit"]),
    (["plan", "SAVED", "--compute", "1e21", "--shapes", "lama"], ["did you mean 'llama'"]),
    (["plan", "SAVED", "--compute", "1e21", "--out", "plan.xml"], ["did you mean '.yml'"]),
    (["report", "POSTERIOR", "report.html", "--posterior", "POSTERIOR"], ["give it alone"]),
    (["report", "SAVED", "report.html", "--posterior", "SAVED"], ["holds a fit"]),
    (["report", "SAVED", "report.html", "--posterior", "OTHER", "--bootstrap", "0"], ["'kaplan'"]),
])  # fmt: skip
def test_bad_input_is_one_sentence(table, saved, posterior, other, capsys, arguments, words):
    places = {"TABLE": str(table), "SAVED": str(saved), "POSTERIOR": str(posterior), "OTHER": str(other)}
    assert main([places.get(a, a) for a in arguments]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") <= 2 and "Traceback" not in error
    assert all(word in error for word in words)


@pytest.mark.parametrize(("arguments", "words"), [
    (["allocate", "SAVED", "--loss", "2.2", "--inference", "1e11", "--plot", "PLOT.png"], ["2.2000", "six_nd_inference"]),
    (["allocate", "SAVED", "--compute", "1e21", "--within", "0.01", "--sensitivity"], ["within 1 %", "alpha", "per cent"]),
    (["regret", "SAVED", "N=70e9,8e9", "D=1.4e12,15e12"], ["wasted", "D_inf"]),
    (["multiplier", "SAVED", "SAVED", "--compute", "1e21", "1e22", "--plot", "PLOT.svg"], ["1.000", "multiplier"]),
    (["equivalent", "SAVED", "D", "--like", "N=2e9", "D=1e11", "--given", "N=1e9"], ["ratio"]),
    (["break-even", "SAVED", "SAVED", "--between", "1e20:1e22"], ["compute"]),
    (["choose", "a=SAVED", "b=SAVED", "--compute", "1e20", "1e22"], ["best"]),
    (["front", "SAVED", "--compute", "1e22", "--against", "six_nd_inference", "--given", "D_inf=1e12", "--bounds", "N=1e9:1e11", "--points",
      "5", "--markdown"], ["knee", "|"]),
    (["next-runs", "SAVED", "--target", "N=7e10", "D=1.4e12", "--space", "N=1e7:1e9", "D=1e9:1e11", "--runs", "3", "--plot", "PLOT.pdf"],
     ["target"]),
])  # fmt: skip
def test_verbs_that_decide(saved, tmp_path, capsys, arguments, words):
    filled = [a.replace("SAVED", str(saved)).replace("PLOT", str(tmp_path / "plot")) for a in arguments]
    assert main([*filled, "--bootstrap", "0"]) == 0
    printed = capsys.readouterr().out
    assert all(word in printed for word in words), printed
    assert any(a.startswith("PLOT") for a in arguments) == bool(list(tmp_path.iterdir()))


MIXING = """
import jax.numpy as jnp
import scalejax as sj

@sj.law(h=sj.Simplex(), log_c=sj.Real(), log_k=sj.Real(), t=sj.Real(-5, 5, axis="domain"))
def mixing(h, *, log_c, log_k, t):
    '''Data mixing law M4 of Ye et al.'''
    return jnp.exp(log_c) + jnp.exp(log_k + jnp.sum(t * h, axis=-1))
"""


def test_mixture_of_a_law_of_ones_own(tmp_path, capsys):
    (tmp_path / "laws.py").write_text(MIXING)
    mixing = own_laws.load(str(tmp_path / "laws.py"), "mixing")
    rng = np.random.default_rng(0)
    runs = sj.simulate(mixing, {"log_c": 0.5, "log_k": 0.0, "t": [-2.0, 0.3, -0.5]}, h=rng.dirichlet(np.ones(3), 40), noise=0.004)
    sj.fit(mixing, runs, fix={"log_k": 0.0}, starts=64).save(tmp_path / "web.json")
    arguments = ["mixture", f"web={tmp_path / 'web.json'}", "--domains", "a", "b", "c", "--caps", "0.6", "--bootstrap", "0"]
    assert main(arguments) == 2 and "--law FILE.py:mixing" in capsys.readouterr().err
    with pytest.raises(sj.ScalejaxError, match=r"load_fit\(path, law=mixing\)"):
        sj.load_fit(tmp_path / "web.json")
    arguments += ["--law", f"{tmp_path / 'laws.py'}:mixing"]
    assert main([*arguments, "--plot", str(tmp_path / "mixture.png")]) == 0 and "mixing" not in sj.laws
    assert "0.6000" in capsys.readouterr().out and (tmp_path / "mixture.png").stat().st_size > 5000


def test_filter_uses_a_role(table, capsys):
    columns = ["N=params_m", "D=flops/(6*params_m*1e6)", "loss=val_loss", "C=flops"]
    assert main(["fit", str(table), "--columns", *columns, "--scale", "N=1e6", "--where", "C < 1e21"]) == 0
    flops = sj.read_runs(table)["flops"]
    assert f"{(flops < 1e21).sum()} observations" in capsys.readouterr().out and (flops >= 1e21).any()


def test_no_verb_prints_help(capsys):
    assert main([]) == 0
    assert "from a table of runs to a plan" in capsys.readouterr().out


def numbers(printed, name):
    """Numbers of the first printed row of this name."""
    row = next(line for line in printed.splitlines() if line.split()[:1] == [name])
    return [float(cell) for cell in row.split()[1:] if cell[0].isdigit()]


@pytest.mark.slow
def test_sample_prints_and_saves_what_the_function_gives(table, tmp_path, capsys):
    path = tmp_path / "posterior.npz"
    priors = ["--prior", "alpha=LogNormal(log(0.3), 0.05)", "E=Uniform(1.5, 2)"]
    model = ["--fix", "beta=0.37", "--likelihood", "student_t:5", "--seed", "3", "--level", "0.8"]
    assert main(["sample", str(table), *COLUMNS, "--method", "laplace", "--draws", "500", *priors, *model, "--out", str(path)]) == 0
    printed = capsys.readouterr().out
    found = sj.load_posterior(path)
    low, high = np.quantile(found.params["alpha"], [0.1, 0.9])
    assert numbers(printed, "alpha")[-2:] == pytest.approx([low, high], rel=1e-3)
    assert numbers(printed, "sigma") == pytest.approx(np.quantile(found.sites["sigma"], [0.5, 0.1, 0.9]), rel=1e-3)
    assert "LogNormal(loc=-1.2, scale=0.05)" in printed and "Uniform" in printed and "k-hat" in printed and "Nothing speaks" in printed
    assert len(found) == 2000 and found.request.fix == {"beta": 0.37} and "nu" not in found.sites
    assert found.priors["alpha"].loc == np.log(0.3)  # in double precision
    import numpyro.distributions as dist

    law, runs = sj.laws.chinchilla, found.fit.runs
    same = sj.sample(
        law, runs, method="laplace", draws=500, fix={"beta": 0.37}, likelihood=sj.likelihoods.student_t(5), seed=3,
        priors={"alpha": dist.LogNormal(np.log(0.3), 0.05), "E": dist.Uniform(1.5, 2)},
    )  # fmt: skip
    np.testing.assert_allclose(same.params["A"], found.params["A"], rtol=1e-12)


@pytest.mark.filterwarnings("default::scalejax.ConvergenceWarning")  # three groups of eight runs are few
@pytest.mark.slow
def test_sample_of_groups_and_of_counts(tmp_path, capsys):
    rng, x = np.random.default_rng(0), np.logspace(2, 6, 24)
    loss, groups = 1 + 20 * x**-0.3 * np.exp(0.01 * rng.normal(size=24)), np.repeat(["a", "b", "c"], 8)
    rows = [f"{v},{group},{y}" for v, group, y in zip(x, groups, loss, strict=True)]
    (tmp_path / "groups.csv").write_text("\n".join(["x,arch,loss", *rows]))
    table, quick = str(tmp_path / "groups.csv"), ["--law", "power_law", "--method", "laplace"]
    roles = ["--columns", "x=x", "loss=loss", "arch=arch"]
    assert main(["sample", table, *roles, *quick, "--by", "arch", "--share", "alpha", "E", "--pool", "A", "--on", "log"]) == 0
    printed = capsys.readouterr().out
    assert "A_spread" in printed and "A[b]" in printed and "alpha_spread" not in printed
    assert main(["sample", table, *roles, *quick, "--by", "arch", "--share", "alpha", "E", "--pool"]) == 0
    assert "A_spread" not in capsys.readouterr().out
    assert main(["sample", table, *roles, *quick, "--likelihood", "normal", "--noise-by", "arch"]) == 0
    assert "sigma[b]" in capsys.readouterr().out
    share = rng.binomial(500, 0.05 + 2 * x**-0.4) / 500
    (tmp_path / "counts.csv").write_text("\n".join(["x,error,n", *(f"{v},{e},500" for v, e in zip(x, share, strict=True))]))
    roles = ["--columns", "x=x", "loss=error", "n=n", "--on", "linear"]
    assert main(["sample", str(tmp_path / "counts.csv"), *roles, *quick, "--likelihood", "binomial", "--trials", "n"]) == 0
    printed = capsys.readouterr().out
    assert abs(numbers(printed, "alpha")[0] - 0.4) < 0.2 and "sigma" not in printed


@pytest.mark.parametrize(("text", "same"), [
    ("LogNormal(-1, 0.3)", "LogNormal(-1.0, 0.3)"),
    ("LogNormal(loc=log(1/3), scale=2**-2)", "LogNormal(np.log(1 / 3), 0.25)"),
    ("TruncatedNormal(0.5, 0.1, low=0)", "TruncatedNormal(0.5, 0.1, low=0.0)"),
    ("Dirichlet([1, 2.5, 3])", "Dirichlet(np.array([1, 2.5, 3]))"),
    ("TruncatedDistribution(Cauchy(0, 1), low=-2)", "TruncatedDistribution(dist.Cauchy(0.0, 1.0), low=-2.0)"),
])  # fmt: skip
def test_priors_are_read_as_python_would(text, same):
    import numpyro.distributions as dist

    expected = eval(f"dist.{same}", {"dist": dist, "np": np})
    found, value = distribution(text), np.array([0.2, 0.3, 0.5])
    assert type(found) is type(expected)
    np.testing.assert_allclose(found.log_prob(value), expected.log_prob(value), rtol=1e-6)


def test_a_posterior_goes_where_a_fit_goes(posterior, saved, tmp_path, capsys):
    renamed = tmp_path / "without_ending"
    renamed.write_bytes(posterior.read_bytes())
    assert main(["allocate", str(renamed), "--compute", "1e21", "--level", "0.8"]) == 0
    printed, draws = capsys.readouterr().out, sj.load_posterior(posterior)
    low, high = sj.allocate(draws, compute=1e21).interval(0.8)["N"]
    assert f"{low:.3e} – {high:.3e}" in printed and "posterior (StudentT" in printed
    for arguments in (
        ["regret", "POSTERIOR", "N=70e9", "D=1.4e12"],
        ["multiplier", "POSTERIOR", "SAVED", "--compute", "1e22", "--bootstrap", "100"],
        ["next-runs", "POSTERIOR", "--target", "N=7e10", "D=1.4e12", "--space", "N=1e7:1e9", "D=1e9:1e11", "--runs", "2"],
    ):
        assert main([a.replace("POSTERIOR", str(posterior)).replace("SAVED", str(saved)) for a in arguments]) == 0, arguments
    assert "posterior (StudentT" in capsys.readouterr().out  # the method of next-runs


@pytest.mark.parametrize("arguments", [["POSTERIOR", "REPORT"], ["SAVED", "REPORT", "--posterior", "POSTERIOR"]])
def test_report_shows_the_posterior_beside_the_others(posterior, saved, tmp_path, arguments):
    path = tmp_path / "report.html"
    places = {"POSTERIOR": posterior, "SAVED": saved, "REPORT": path}
    assert main(["report", *(str(places.get(a, a)) for a in arguments), "--bootstrap", "50", "--compute", "1e21"]) == 0
    text = path.read_text()
    assert all(f"<span>{source}</span></td>" in text for source in ("bootstrap", "Laplace", "posterior"))
    assert "Can the posterior be trusted?" in text


def test_compare(posterior, other, capsys):
    assert main(["compare", f"a law={posterior}", str(other), "--markdown"]) == 0
    printed = capsys.readouterr().out
    found = sj.compare({"a law": sj.load_posterior(posterior), "kaplan": sj.load_posterior(other)})
    assert found.table().markdown() in printed and printed.splitlines()[2].startswith("| a law |")


def test_holdout(table, capsys):
    arguments = ["holdout", str(table), *COLUMNS, "--laws", "chinchilla", "kaplan", "--loss", "squared"]
    assert main([*arguments, "--largest", "0.2", "0.4", "--size", "N*D"]) == 0
    printed = capsys.readouterr().out
    runs = sj.read_runs(table, N="params_m", D=lambda t: t["flops"] / (6 * t["params_m"] * 1e6), loss="val_loss", scale={"N": 1e6})
    found = sj.holdout({"chinchilla": "chinchilla", "kaplan": "kaplan"}, runs, largest=[0.2, 0.4], loss=sj.squared())
    assert found.table().text() in printed and found.scores().text() in printed
    bayes = ["--method", "laplace", "--likelihood", "normal", "--prior", "E=Normal(1.8, 0.1)"]
    assert main(["holdout", str(table), *COLUMNS, "--laws", "chinchilla", "--largest", "0.2", *bayes]) == 0
    assert "12 left-out observations, 1 split, posteriors." in capsys.readouterr().out


def test_an_interrupt_leaves_files_whole(table, posterior, tmp_path, capsys, monkeypatch):
    path = tmp_path / "posterior.npz"
    path.write_bytes(posterior.read_bytes())

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("os.fsync", interrupt)  # while the new file is being written
    assert main(["sample", str(table), *COLUMNS, "--method", "laplace", "--draws", "250", "--out", str(path)]) == 130
    assert "interrupted" in capsys.readouterr().err
    assert path.read_bytes() == posterior.read_bytes() and [p.name for p in tmp_path.iterdir() if "posterior" in p.name] == [path.name]


@pytest.mark.filterwarnings("default::scalejax.ConvergenceWarning")
def test_demo(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(demo, "SAMPLER", {"method": "laplace"})  # quicker, and not good enough
    assert main(["demo", str(tmp_path / "demo")]) == 0
    printed = capsys.readouterr()
    assert "held out" in printed.out and "posterior (StudentT" in printed.out and "Use method='nuts'" in printed.err
    made = {path.name for path in (tmp_path / "demo").iterdir()}
    assert {"report.html", "fit.json", "posterior.npz", "holdout.md", "posterior.md", "allocation.tex", "beyond_the_runs.png"} <= made
    assert "<span>posterior</span></td>" in (tmp_path / "demo" / "report.html").read_text()
