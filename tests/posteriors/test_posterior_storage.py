"""Posteriors as files and as ArviZ objects: every number bit for bit, nothing run, whole or not at all."""

from __future__ import annotations

import io
import json
import os
import pickle
import sys
import types
import warnings
from dataclasses import dataclass, replace
from functools import cache
from zipfile import ZipFile

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import xarray

import scalejax as sj
from scalejax.core.numeric.batching import trace_counts
from scalejax.core.saved import npy
from scalejax.posteriors import storage
from scalejax.posteriors.arviz import to_arviz
from scalejax.posteriors.checks.diagnostics import Importance
from scalejax.posteriors.checks.influence import observed_rows, pointwise
from scalejax.posteriors.likelihoods import Normal
from scalejax.posteriors.priors import Priors
from scalejax.posteriors.storage import load_posterior, save_posterior

TRUTH = {"E": 1.0, "A": 20.0, "alpha": 0.3}
MIXTURE = {"E": 1.5, "t": np.array([0.5, -0.5, 0.2]), "k": 0.3, "c": 2.0}


@sj.law(h=sj.Simplex(), E=sj.Positive(0.5, 3), t=sj.Real(-3, 3, axis="domain"), k=sj.Positive(0.1, 1), c=sj.Positive(1, 3))
def mixed(D, h, *, E, t, k, c):
    """A law of the user's own, with a vector of inputs and one of parameters."""
    return E * c + jnp.exp(jnp.sum(t * h, axis=-1)) * (D / 1e9) ** -k


def drawn(*arguments, **options) -> sj.Posterior:
    """A short posterior; what its draws are worth is not the matter here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", sj.ConvergenceWarning)
        return sj.sample(*arguments, **{"chains": 2, "draws": 30, "warmup": 60} | options)


@cache
def one_law() -> sj.Posterior:
    x = np.logspace(3, 8, 40)
    runs = sj.simulate(sj.laws.power_law, TRUTH, x=x, noise=0.01, seed=1).with_columns(se=np.full(40, 0.003))
    runs = sj.read_runs({**runs.columns, "loss": np.where(np.arange(40) == 7, np.nan, runs["loss"])}, on_bad="flag")
    return drawn("power_law", runs, likelihood=sj.likelihoods.normal(evaluation="se"), weights=np.where(np.arange(40) == 9, 0.0, 0.3),
                 bounds={"alpha": (0.1, 0.7)}, seed=5)  # fmt: skip


@cache
def pooled() -> sj.Posterior:
    """Groups, vectors, a held parameter, a prior of the user's and importance draws, all at once."""
    import numpyro.distributions as dist

    rng = np.random.default_rng(2)
    h, D = rng.dirichlet(np.ones(3), 30), 10 ** rng.uniform(8, 11, 30)
    with jax.enable_x64(True):
        loss = mixed(D, h, **MIXTURE) * np.exp(0.01 * rng.standard_normal(30))
        prior = dist.Normal(0.0, jnp.asarray([1.0, 2.0, 3.0])).to_event(1)
    kind = np.where(np.arange(30) < 14, "dense", "mixture of experts")
    return drawn(mixed, dict(D=D, h=h, loss=loss, kind=kind), by="kind", pool="k", fix={"c": 2.0}, priors={"t": prior}, method="laplace")


MADE = {"one law": (one_law, None), "pooled groups": (pooled, mixed)}


@pytest.fixture(scope="module", params=["one law", pytest.param("pooled groups", marks=pytest.mark.slow)])
def case(request, tmp_path_factory):
    """(posterior, file, posterior from the file)"""
    make, law = MADE[request.param]
    posterior, path = make(), tmp_path_factory.mktemp("saved") / "posterior.npz"
    save_posterior(posterior, path)
    return posterior, path, load_posterior(path, law)


@pytest.fixture(scope="module")
def posterior() -> sj.Posterior:
    return one_law()


@pytest.fixture
def saved(posterior, tmp_path):
    path = tmp_path / "posterior.npz"
    save_posterior(posterior, path)
    return path


def identical(a, b):
    """The same structure, the same types of numbers and the same bits."""
    assert jax.tree.structure(a) == jax.tree.structure(b)
    for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
        assert np.asarray(x).dtype == np.asarray(y).dtype and np.asarray(x).tobytes() == np.asarray(y).tobytes()


# Files


def test_every_number_comes_back(case):
    posterior, _, again = case
    for part in ("theta", "sites", "params", "values", "center", "kind", "failed", "complaints"):
        identical(getattr(posterior, part), getattr(again, part))
    identical(posterior.evidence._replace(priors={}), again.evidence._replace(priors={}))
    identical(vars(posterior.sampler), vars(again.sampler))
    assert type(posterior.sampler) is type(again.sampler)
    identical(posterior.fit.params, again.fit.params)
    assert posterior.fit.runs.digest == again.fit.runs.digest and posterior.fit.versions == again.fit.versions
    with jax.enable_x64(True):
        assert repr(posterior) == repr(again) and repr(posterior.fit) == repr(again.fit) and repr(posterior.priors) == repr(again.priors)


def test_what_is_loaded_computes_the_same_with_the_same_programs(case):
    posterior, _, again = case
    assert again.model == posterior.model and hash(again.model) == hash(posterior.model)
    expected, before = pointwise(posterior), dict(trace_counts())
    assert np.array_equal(pointwise(again), expected)
    assert trace_counts() == before
    with jax.enable_x64(True):
        for name, prior in posterior.priors.items():
            draws = prior.sample(jax.random.key(0), (5,))
            for other in (again.priors[name], again.evidence.priors[name]):
                assert type(other) is type(prior) and np.array_equal(other.log_prob(draws), prior.log_prob(draws))


def test_what_is_loaded_is_saved_as_the_same_bytes(case, tmp_path):
    _, path, again = case
    save_posterior(again, tmp_path / "again.npz")
    assert (tmp_path / "again.npz").read_bytes() == path.read_bytes()


def test_numpy_opens_the_file_without_pickle(saved, posterior):
    with np.load(saved, allow_pickle=False) as arrays:
        assert np.array_equal(arrays["theta"], posterior.theta)
        assert np.array_equal(arrays["sites/sigma"], posterior.sites["sigma"])
        assert json.loads(arrays["posterior.json"])["fit"]["law"]["name"] == "power_law"


def test_an_interrupted_save_leaves_the_old_file_whole(posterior, saved, monkeypatch):
    old = saved.read_bytes()

    def interrupted(handle):
        assert len(list(saved.parent.iterdir())) == 2  # a new file lies beside the old one
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        save_posterior(replace(posterior, kind="another"), saved)
    assert [p.name for p in saved.parent.iterdir()] == ["posterior.npz"]
    assert saved.read_bytes() == old
    identical(load_posterior(saved).theta, posterior.theta)


def refused(path, words, error=sj.DataError, law=None):
    with pytest.raises(error) as caught:
        load_posterior(path, law)
    assert words in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(("keep", "words"), [(0.0, "not a complete saved"), (0.3, "not a complete saved"), (0.9999, "cut short")])
def test_truncated_files(saved, keep, words):
    content = saved.read_bytes()
    saved.write_bytes(content[: int(keep * len(content))])
    refused(saved, words)


@pytest.mark.parametrize("place", np.linspace(0.02, 0.98, 25))
def test_no_flipped_bit_passes(saved, place):
    content = bytearray(saved.read_bytes())
    content[int(place * len(content))] ^= 4
    saved.write_bytes(content)
    with pytest.raises(sj.DataError, match=r"posterior\.npz"):
        load_posterior(saved)


def test_files_that_are_missing_or_of_another_kind(posterior, saved, tmp_path):
    refused(tmp_path / "nothing.npz", "There is no file")
    refused(tmp_path, str(tmp_path))
    posterior.fit.save(tmp_path / "fit.json")
    refused(tmp_path / "fit.json", "not a complete saved posterior")
    np.savez(tmp_path / "other.npz", theta=posterior.theta)
    refused(tmp_path / "other.npz", "not a complete saved posterior")
    with pytest.raises(sj.DataError, match="not a complete saved fit"):
        sj.load_fit(saved)


def rewritten(path, edit, honest=True):
    """Change members of a file; `honest` signs what was changed, as only somebody who wants to deceive would."""
    with ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    edit(members)
    content = storage.archive_of(members)
    path.write_bytes(content if honest else content[:-64] + bytes(64))


def in_document(change):
    def edit(members):
        document = json.loads(members["posterior.json"])
        change(document)
        members["posterior.json"] = json.dumps(document).encode()

    return edit


class Trap:
    """Unpickling it would run code."""

    def __reduce__(self):
        return (sys.exit, ("unpickled",))


def trapped(members):
    buffer = io.BytesIO()
    np.save(buffer, np.array([Trap()], dtype=object), allow_pickle=True)
    members["theta.npy"] = buffer.getvalue()


def huge(members):
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"descr": "<f8", "fortran_order": False, "shape": (10**13,)})
    members["theta.npy"] = buffer.getvalue()


EDITS = {
    "a number": (lambda m: m.update({"theta.npy": m["theta.npy"][:-8] + bytes(8)}), False, "was changed after it was saved"),
    "a draw that is none": (
        lambda m: m.update({"theta.npy": m["theta.npy"][:-8] + np.float64(np.nan).tobytes()}),
        True,
        "draws that are not",
    ),
    "another format": (in_document(lambda d: d.update(format=99)), True, "format 99; this version reads format 2"),
    "other data": (in_document(lambda d: d["fit"]["runs"]["columns"]["loss"].__setitem__(0, 9.0)), True, "digest"),
    "a missing array": (lambda m: m.pop("theta.npy"), True, "not a complete saved posterior"),
    "a missing part": (in_document(lambda d: d["posterior"]["dict"].pop("sampler")), True, "not a complete saved posterior"),
    "a huge array": (huge, True, "has not the size"),
    "pickled objects": (trapped, True, "not a complete saved posterior"),
    "a class of Python": (in_document(lambda d: d["posterior"]["dict"]["sampler"].update({"class": "Popen"})), True, "not a complete"),
    "no distribution": (
        in_document(lambda d: d["posterior"]["dict"]["priors"]["dict"].update(E={"distribution": "biject_to", "arguments": {}})),
        True,
        "'biject_to' is not a distribution",
    ),
}


@pytest.mark.parametrize("name", EDITS)
def test_edited_files(saved, name):
    edit, honest, words = EDITS[name]
    rewritten(saved, edit, honest)
    refused(saved, words)


def test_the_trap_is_one():
    with pytest.raises(SystemExit):
        pickle.loads(pickle.dumps(Trap()))


def test_the_law_must_be_the_one_it_was_made_with(saved):
    refused(saved, "pass the law that it was made with", law=sj.laws.chinchilla)
    own = replace(sj.laws.power_law, name="mine")
    rewritten(saved, in_document(lambda d: d["fit"]["law"].update(name="mine")))
    refused(saved, "'mine', a law of your own that is not registered", error=sj.LawError)
    assert load_posterior(saved, own).law == own
    other = replace(own, parameters=("E", "B", "alpha"))
    refused(saved, "pass the law that it was made with", law=other)


# Priors and likelihoods


MATRIX = np.array([[2.0, 0.3], [0.3, 1.0]])
PRIORS = [
    lambda d: d.LogNormal(np.float64(-1.2), 0.5),
    lambda d: d.Uniform(0.1, 0.7),
    lambda d: d.HalfNormal(0.3),
    lambda d: d.HalfCauchy(0.3),
    lambda d: d.Gamma(2.0, 0.1),
    lambda d: d.InverseGamma(3.0, 1.0),
    lambda d: d.Beta(2.3, 0.7),
    lambda d: d.StudentT(3.0, 0.1, 0.2),
    lambda d: d.Weibull(2.3, 1.7),
    lambda d: d.TruncatedNormal(0.0, 1.0, low=-1.0, high=2.0),
    lambda d: d.LogUniform(0.1, 10.0),
    lambda d: d.Dirichlet(np.array([1.0, 2.0, 3.0])),
    lambda d: d.MultivariateNormal(np.zeros(2), covariance_matrix=MATRIX),
    lambda d: d.MultivariateNormal(np.zeros(2), precision_matrix=MATRIX),
    lambda d: d.Normal(0.0, np.array([1.0, 2.0])).expand([3, 2]).to_event(1),
    lambda d: d.MixtureSameFamily(d.Categorical(np.array([0.3, 0.7])), d.Normal(np.array([0.0, 1.0]), np.array([1.0, 2.0]))),
]


@pytest.mark.parametrize("make", PRIORS)
def test_priors_are_written(make):
    import numpyro.distributions as dist

    with jax.enable_x64(True):
        prior, arrays = make(dist), {}
        document = json.loads(json.dumps(storage._pack(prior, "priors/x", arrays)))
        again = storage._unpack(document, {f"{name}.npy": npy(array) for name, array in arrays.items()})
        support = dist.biject_to(prior.support)
        place = support(np.linspace(-2, 2, 7).reshape(7, *[1] * len(prior.shape())) + np.zeros((7, *support.inverse_shape(prior.shape()))))
        assert type(again) is type(prior) and again.shape() == prior.shape()
        assert np.array_equal(again.log_prob(place), prior.log_prob(place)) and np.isfinite(prior.log_prob(place)).all()


@dataclass(frozen=True)
class Mine(Normal):
    """A likelihood that only its author's program knows."""


def test_what_no_file_can_hold(posterior, saved):
    import numpyro.distributions as dist

    class Own(dist.Normal):
        pass

    old = saved.read_bytes()
    for prior in (dist.TransformedDistribution(dist.Normal(0.0, 1.0), dist.transforms.ExpTransform()), Own(0.0, 1.0)):
        with pytest.raises(
            sj.FitError, match=r"prior of 'alpha' is a (TransformedDistribution|Own), which a file cannot hold; sample with"
        ):
            save_posterior(replace(posterior, priors=Priors({**posterior.priors, "alpha": prior})), saved)
    with pytest.raises(sj.FitError, match="model/likelihood is a Mine, a class of your own"):
        save_posterior(replace(posterior, model=replace(posterior.model, likelihood=Mine())), saved)
    assert saved.read_bytes() == old


# ArviZ


@pytest.fixture(params=["installed", "1.0"])
def arviz(request, monkeypatch):
    """ArviZ as it is here, and as it looks from 1.0 on: InferenceData stands for xarray's DataTree, which takes no groups."""
    if request.param != "installed":
        made = types.ModuleType("arviz")
        made.__version__, made.InferenceData = "1.0.0", xarray.DataTree
        monkeypatch.setitem(sys.modules, "arviz", made)


def test_arviz_has_named_axes(case, arviz):
    posterior, _, _ = case
    made, rows = to_arviz(posterior), observed_rows(posterior)
    chains = 1 if isinstance(posterior.sampler, Importance) else posterior.sampler.count
    assert dict(made["posterior"].sizes)["chain"] == chains
    for name, values in posterior.values.items():
        assert np.array_equal(made["posterior"][name].values, values.reshape(chains, -1, *values.shape[1:]))
    assert made["log_likelihood"]["loss"].dims == ("chain", "draw", "run")
    assert np.array_equal(made["log_likelihood"]["run"].values, rows)
    assert np.array_equal(made["observed_data"]["loss"].values, posterior.fit.runs["loss"][rows])
    for name in posterior.law.inputs:
        assert np.array_equal(made["constant_data"][name].values, posterior.fit.runs[name][rows])
    attributes = made.attrs
    assert attributes["digest"] == posterior.fit.runs.digest and attributes["law"] == repr(posterior.law)
    assert attributes["seed"] == posterior.fit.seed and f"jax {jax.__version__}" in attributes["versions"]


def test_arviz_statistics_of_one_law(arviz, posterior):
    made = to_arviz(posterior)
    assert 7 not in made["observed_data"]["run"] and 9 not in made["observed_data"]["run"]  # not finite; of weight zero
    assert (made["constant_data"]["weight"] == 0.3).all() and (made["constant_data"]["evaluation"] == 0.003).all()
    stats = made["sample_stats"]
    for name, values in (("diverging", "diverging"), ("energy", "energy"), ("n_steps", "steps")):
        assert stats[name].dims == ("chain", "draw") and np.array_equal(stats[name].values, getattr(posterior.sampler, values))


def test_arviz_groups_and_vectors_are_labelled(arviz):
    posterior = pooled()
    made = to_arviz(posterior)
    assert made["posterior"]["k"].dims == ("chain", "draw", "group") and made["posterior"]["k_typical"].dims == ("chain", "draw")
    assert made["posterior"]["t"].dims == ("chain", "draw", "group", "domain") and made["constant_data"]["h"].dims == ("run", "domain")
    assert made["posterior"]["group"].values.tolist() == ["dense", "mixture of experts"]
    assert made["constant_data"]["group"].values.tolist() == posterior.fit.runs["kind"].tolist()
    assert made["constant_data"]["c"] == 2.0 and "c" not in made["posterior"]
    assert made.attrs["by"] == "kind" and made.attrs["khat"] == posterior.sampler.khat
    assert "sample_stats" not in getattr(made, "children", made)  # draws of an approximation have none


def test_arviz_labels_groups_of_the_noise(arviz):
    x, lab = np.tile(np.logspace(3, 8, 12), 2), np.repeat(["careful", "quick"], 12)
    runs = sj.simulate(sj.laws.power_law, dict(E=1.0, A=20.0, alpha=0.3), x=x, noise=0.01).with_columns(lab=lab)
    posterior = sj.sample("power_law", runs, likelihood=sj.likelihoods.normal(by="lab"), method="laplace", draws=100)
    made = to_arviz(posterior)
    assert made["posterior"]["sigma"].dims == ("chain", "draw", "noise_group")
    assert made["posterior"]["noise_group"].values.tolist() == ["careful", "quick"]
    assert made["constant_data"]["noise_group"].values.tolist() == lab.tolist()


def test_netcdf_and_back(case, arviz, tmp_path):
    made = to_arviz(case[0])
    made.to_netcdf(tmp_path / "posterior.nc", engine="h5netcdf")
    for group in ("posterior", "log_likelihood", "observed_data", "constant_data"):
        with xarray.open_dataset(tmp_path / "posterior.nc", group=group, engine="h5netcdf") as again:
            written = made[group]
            assert again.identical(written.to_dataset() if hasattr(written, "to_dataset") else written)
    with xarray.open_dataset(tmp_path / "posterior.nc", engine="h5netcdf") as root:
        assert dict(root.attrs) == made.attrs


def test_arviz_agrees_on_accuracy_and_convergence(posterior):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of few draws, and of a new major version
        import arviz

        rhat = arviz.rhat(to_arviz(posterior))
        rhat = rhat["posterior"] if "posterior" in getattr(rhat, "children", ()) else rhat
    for name, (expected, _, _) in posterior.sampler.convergence(posterior.values).items():
        assert float(rhat[name]) == pytest.approx(expected, rel=1e-12)


def test_without_arviz_it_is_one_sentence(posterior, monkeypatch):
    monkeypatch.setitem(sys.modules, "arviz", None)
    with pytest.raises(sj.FitError, match=r"needs arviz; install scalejax\[arviz\]"):
        to_arviz(posterior)
