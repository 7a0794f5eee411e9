"""Laws: what `@law` checks, what a law can be asked, the registry, and a user's own law in six lines."""

from __future__ import annotations

import importlib
import inspect
import math
import pkgutil
import runpy
import tomllib
from pathlib import Path

import jax
import numpy as np
import pytest

import scalejax as sj
from scalejax import zoo
from scalejax.core.laws.registry import Registry

P = sj.Positive(0.1, 10)


def line(x, *, a, b):
    """A line through the origin's neighbour."""
    return a + b * x


def make(function=line, **arguments):
    return sj.law(**{"a": P, "b": P, **arguments})(function)


# What the decorator checks


def with_default(x, *, a=1.0, b):
    return a + b * x


def input_default(x=1.0, *, a, b):
    return a + b * x


def with_star(*xs, a, b):
    return a + b * xs[0]


def no_inputs(*, a, b):
    return a + b


def no_parameters(x, y):
    return x + y


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: sj.law(a=P)(line), ["'line'", "'b'", "no domain", "Positive("]),
        (lambda: make(c=P), ["'line'", "'c'"]),
        (lambda: make(X=P), ["'X'", "did you mean 'x'"]),
        (lambda: make(b=3.0), ["b=3.0", "not a domain"]),
        (lambda: make(with_default), ["default", "def law("]),
        (lambda: make(input_default), ["default", "def law("]),
        (lambda: make(with_star), ["*xs", "def law("]),
        (lambda: make(no_inputs), ["at least one input"]),
        (lambda: sj.law()(no_parameters), ["one parameter"]),
        (lambda: make(published={"p": {"a": 1.0}}), ["published set 'p'", "['a']"]),
        (lambda: make(published={"p": {"a": 1.0, "b": 1.0, "c": 1.0}}), ["published set 'p'", "'c'"]),
    ],
)
def test_a_law_whose_signature_and_domains_disagree_is_refused(build, words):
    with pytest.raises(sj.LawError) as caught:
        build()
    assert all(word in str(caught.value) for word in words), str(caught.value)


def test_what_a_law_knows():
    law = make(x=sj.Unit(), output="error", reference="A paper", published={"p": {"a": 1.0, "b": 2.0}})
    assert (law.name, law.inputs, law.parameters, law.output, law.reference) == ("line", ("x",), ("a", "b"), "error", "A paper")
    assert law.domains["x"] == sj.Unit() and law.domains["a"] == P
    assert law.__doc__ == line.__doc__ and law.summary == "A line through the origin's neighbour."
    assert inspect.signature(law) == inspect.signature(line)
    assert "line" in repr(law) and "x" in repr(law)
    assert law(0.5, **law.published["p"]) == 2.0


def test_inputs_are_positive_unless_said_otherwise():
    assert isinstance(make().domains["x"], sj.Positive)


def test_a_law_is_a_value():
    assert make() == make() and hash(make()) == hash(make())
    assert make() != make(a=sj.Real()) and make() != make(output="error") and make() != make().bind(a=1)
    assert make().bind(a=1) == make().bind(a=1.0)
    assert make() != "line"
    with pytest.raises(AttributeError):
        make().name = "other"


def test_a_fixed_domain_is_no_parameter():
    law = make(a=sj.Fixed(value=3.0), published={"p": {"b": 2.0}})
    assert law.parameters == ("b",)
    assert law(1.0, b=2.0) == 5.0 == law(1.0, **law.published["p"])


def test_no_bound_moves_a_fixed_domain():
    law = make(a=sj.Fixed(value=1.0))
    runs = sj.simulate(make(), {"a": 2.0, "b": 3.0}, x=np.linspace(1, 5, 9))
    with pytest.raises(sj.LawError, match="'a', which is not a parameter of 'line'"):
        sj.fit(law, runs, bounds={"a": (0.5, 4.0)}, starts=16)


def test_jax_transformations():
    law = make()
    assert jax.grad(law)(1.0, a=1.0, b=2.0) == 2.0
    assert jax.jit(law)(1.0, a=1.0, b=2.0) == 3.0
    assert jax.vmap(lambda x: law(x, a=1.0, b=2.0))(np.arange(3.0)).tolist() == [1.0, 3.0, 5.0]


# What a call may be given

CHINCHILLA = dict(E=1.69, A=406.4, alpha=0.34, B=410.7, beta=0.28)
SHARES = dict(C=np.ones(3), gamma=np.full(3, 0.5))


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: make()(1.0, a=1.0), sj.LawError, ["needs the parameter 'b'", "b=..."]),
        (lambda: make()(a=1.0, b=1.0), sj.LawError, ["needs the input 'x'"]),
        (lambda: make()(1.0, a=1.0, b=1.0, c=1.0), sj.LawError, ["no parameter or input 'c'"]),
        (lambda: make()(1.0, a=1.0, b=1.0, x=2.0), sj.LawError, ["'x' twice"]),
        (lambda: make()(1.0, 2.0, 3.0), sj.LawError, ["1 inputs (x), got 3", "by name", "a=..."]),
        (lambda: make()("much", a=1.0, b=1.0), sj.DataError, ["input x", "'much'", "not a number"]),
        (lambda: make()(1.0, a=None, b=1.0), sj.LawError, ["parameter a", "nan", "a positive number"]),
        (lambda: sj.laws.chinchilla(1e9, 1e10, **CHINCHILLA, gamma=1), sj.LawError, ["no parameter or input 'gamma'"]),
        (lambda: sj.laws.chinchilla(1e9, 1e10, **{**CHINCHILLA, "alpah": 1}), sj.LawError, ["'alpah'", "did you mean 'alpha'"]),
        (lambda: sj.laws.chinchilla(-1e9, 1e10, **CHINCHILLA), sj.DataError, ["input N", "-1.e+09", "a positive number"]),
        (lambda: sj.laws.chinchilla([1e9, 0.0], 1e10, **CHINCHILLA), sj.DataError, ["input N", "0. at index 1", "a positive number"]),
        (lambda: sj.laws.chinchilla(1e9, np.nan, **CHINCHILLA), sj.DataError, ["input D", "nan"]),
        (
            lambda: sj.laws.chinchilla(1e9, 1e10, **{**CHINCHILLA, "beta": -0.3}),
            sj.LawError,
            ["parameter beta", "-0.3", "a positive number"],
        ),
        (lambda: sj.laws.mixture_fixed([0.5, 0.5, 0.5], E=1.0, **SHARES), sj.DataError, ["input h", "[0.5 0.5 0.5]", "sum to one"]),
        (lambda: sj.laws.mixture_fixed(0.5, E=1.0, **SHARES), sj.DataError, ["input h", "0.5", "sum to one"]),
        (lambda: sj.laws.chinchilla(np.ones(3), np.ones(4), **CHINCHILLA), sj.LawError, ["N (3,)", "D (4,)", "(n,)"]),
        (
            lambda: sj.laws.multi_power_opl(np.full((5, 10), 0.1), np.full((5, 2), 9), 0, L0=np.full(5, 2.0), A=1.0, alpha=0.5),
            sj.LawError,
            ["eta (5, 10)", "L0 (5,)", "run by run"],
        ),
        (
            lambda: sj.laws.mixture_fixed(np.eye(3), E=1.0, C=np.ones(2), gamma=np.full(3, 0.5)),
            sj.LawError,
            ["h (3, 3)", "C (2,)", "'domain'"],
        ),
    ],
)
def test_a_call_that_cannot_be_meant_gets_one_sentence(call, error, words):
    with pytest.raises(error) as caught:
        call()
    text = str(caught.value)
    assert all(word in text for word in words) and "\n" not in text, text


def test_a_coefficient_of_zero_leaves_its_term_out():
    assert sj.laws.chinchilla(1e9, 1e10, **{**CHINCHILLA, "A": 0.0, "B": 0.0}) == CHINCHILLA["E"]


def test_jax_arrays_are_not_looked_into():
    assert np.isnan(sj.laws.chinchilla(jax.numpy.asarray(-1e9), 1e10, **CHINCHILLA))
    assert jax.jit(sj.laws.chinchilla)(1e9, 1e10, **CHINCHILLA) == pytest.approx(sj.laws.chinchilla(1e9, 1e10, **CHINCHILLA), rel=1e-6)


def test_laws_inside_of_laws_take_what_the_outer_one_makes_of_its_parameters():
    """`time_series_nll` is `henighan` with a constant that may be negative."""
    assert sj.laws.time_series_nll(1e8, L_inf=-0.5, x_0=1.0, alpha_x=0.125) == pytest.approx(-0.4)


# Binding


def test_bind_holds_parameters():
    law = make().bind(a=1)
    assert law.parameters == ("b",) and law.bound == (("a", 1.0),)
    assert law(2.0, b=3.0) == 7.0 == make()(2.0, a=1.0, b=3.0)
    assert law.bind(b=3)(2.0) == 7.0
    assert "a=1" in repr(law)


def test_bind_refuses_unknown_and_bound_names():
    with pytest.raises(sj.LawError, match="did you mean 'alpha'"):
        sj.laws.chinchilla.bind(alfa=0.3)
    with pytest.raises(sj.LawError, match="no parameter 'a'"):
        make().bind(a=1).bind(a=2)


def test_published_sets_are_read_only_mappings():
    published = sj.laws.chinchilla.published["hoffmann2022"]
    assert isinstance(published, sj.Published)
    assert set(published) == set(sj.laws.chinchilla.parameters) == set(dict(published)) and len(published) == 5
    assert published["alpha"] == 0.33917084
    assert dict(zip(published.keys(), published.values(), strict=True)) == dict(published.items())
    with pytest.raises(TypeError):
        published["alpha"] = 1.0
    with pytest.raises(TypeError):
        sj.laws.chinchilla.published["mine"] = published


def test_published_sets_of_a_file_are_read_on_first_use_and_checked(tmp_path):
    (tmp_path / "mine.py").write_text("def mine(x, *, a, b):\n    return a + b * x\n")
    (tmp_path / "mine.toml").write_text("[other.set]\nparams = { a = 1.0 }\n")
    scope = runpy.run_path(str(tmp_path / "mine.py"))
    law = make(scope["mine"], published="mine.toml")
    with pytest.raises(sj.LawError, match=r"mine.toml has no table \[mine\."):
        law.published["first"]
    (tmp_path / "mine.toml").write_text('[mine.first]\ncontext = "here"\nparams = { a = "exp(0.5)", b = 2.0 }\n')
    assert dict(law.published) == {"first": sj.Published({"a": math.exp(0.5), "b": 2.0}, "here")}
    with pytest.raises(TypeError):
        law.published["second"] = law.published["first"]
    (tmp_path / "mine.toml").write_text("[mine.first]\nparams = { a = 1.0 }\n")
    assert dict(law.bind(a=1.0).published["first"]) == {"b": 2.0}  # read already
    with pytest.raises(sj.LawError, match=r"published set 'first' names \['a'\]"):
        len(make(scope["mine"], published="mine.toml").published)
    with pytest.raises(sj.LawError, match="no file 'yours"):
        make(scope["mine"], published="yours.toml")


def test_every_table_of_published_sets_belongs_to_a_law():
    for path in Path(zoo.__file__).parent.rglob("*.toml"):
        for name in tomllib.loads(path.read_text()):
            assert Path(inspect.getfile(inspect.unwrap(sj.laws[name].function))) == path.with_suffix(".py"), (path.name, name)


# The registry


def test_the_registry_can_be_walked_indexed_and_read():
    names = [law.name for law in sj.laws]
    assert names == sorted(names) == sj.laws.names and len(names) == len(sj.laws) == len(set(names))
    assert sj.laws["chinchilla"] is sj.laws.chinchilla
    assert "chinchilla" in sj.laws and "chinchila" not in sj.laws
    assert "chinchilla" in dir(sj.laws)
    text = repr(sj.laws)
    for law in sj.laws:
        assert any(row.startswith(law.name + " ") and ", ".join(law.inputs) in row and law.summary in row for row in text.splitlines())


def test_the_registry_lists_every_law_of_the_zoo_as_it_is():
    """The listing is read from the sources, before anything is imported."""
    for module in pkgutil.walk_packages(zoo.__path__, "scalejax.zoo."):
        for name, value in vars(importlib.import_module(module.name)).items():
            if isinstance(value, sj.Law):
                assert name == value.name and sj.laws[name] is value
    for law in sj.laws:
        listed = sj.laws._listed[law.name]
        assert (listed.inputs, listed.summary) == (law.inputs, law.summary), law.name


def test_the_registry_suggests_the_nearest_name():
    with pytest.raises(sj.LawError, match="did you mean 'chinchilla'"):
        sj.laws["chinchila"]
    with pytest.raises(AttributeError, match="did you mean 'chinchilla'"):
        _ = sj.laws.chinchila


def test_the_registry_refuses_a_second_law_of_the_same_name():
    registry = Registry()
    first = registry.register(make())
    assert registry.register(make()) == first and len(registry) == 1
    with pytest.raises(sj.LawError, match="'line' is registered already"):
        registry.register(make(a=sj.Real()))
    assert registry["line"] == first


# A law of the user's own


def test_a_law_of_ones_own_works_everywhere():
    @sj.law(E=sj.Positive(0.5, 5), A=sj.Positive(1, 1e4), a=sj.Positive(0.1, 1))
    def mine(N, D, *, E, A, a):
        return E + A * (N**-a + D**-a)

    rng = np.random.default_rng(1)
    N, D = 10 ** rng.uniform(6, 9, 40), 10 ** rng.uniform(8, 11, 40)
    true = {"E": 1.5, "A": 300.0, "a": 0.3}
    fitted = sj.fit(mine, sj.simulate(mine, true, N=N, D=D, noise=0.001), starts=128)
    assert fitted.params["a"] == pytest.approx(0.3, rel=0.02)
    assert fitted.predict(N=1e9, D=1e11) == pytest.approx(mine(1e9, 1e11, **true), rel=0.005)
    low, high = sj.bootstrap(fitted, 50).interval(0.99)["a"]
    assert low < 0.3 < high
    plan = sj.allocate(fitted, compute=6e19)
    # The terms are symmetric in N and D, so that the budget is split evenly.
    np.testing.assert_allclose([plan.N, plan.D], 1e19**0.5, rtol=1e-6)
    np.testing.assert_allclose(plan.N * plan.D, 1e19, rtol=1e-9)
