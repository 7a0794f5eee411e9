"""A small share of the attack, and what it found once, kept from coming back. The whole is `make attack`."""

from __future__ import annotations

import argparse
import io
import pickle
import sys
import threading
import time
import warnings
from contextlib import redirect_stderr

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

import scalejax as sj
from scalejax.commands.cli import build_parser
from scalejax.core import progress
from scalejax.core.edge import public as edge
from scalejax.core.edge.accepted import accepted, said
from scalejax.core.errors import LONGEST, CallError, UnforeseenError, one_line, suggest

from . import verbs
from .attack import Score, inputs, run
from .calls import MORE, Call, good_calls, public
from .ends import BAD, end_of, readable
from .odd import VALUES

LAW = sj.laws.chinchilla
KNOWN = LAW.published["besiroglu2024"]
X = np.geomspace(1e3, 1e8, 12)
TABLE = {"x": X, "loss": 1.5 + 20 * X**-0.3 * 1.01 ** np.cos(X)}
CHEAP = (
    "costs.",
    "schedules.",
    "statistics.",
    "formulas.critical",
    "papers.bits",
    "papers.pass_at_k",
    "papers.landauer",
    "law",
    "read_runs",
)


def test_a_share_of_the_attack(tmp_path, monkeypatch):
    """Every kind of odd value, on functions that cost little: no end is raw, silent or hanging, and none is unreadable."""
    monkeypatch.chdir(tmp_path)
    functions = {name: function for name, function in public().items() if name.startswith(CHEAP)}
    calls, missing = good_calls(list(functions), functions)
    score = Score()
    for call in calls:
        run(call, score, seed=1, count=5)
    assert not missing
    assert score.total.total() > 250 and len(functions) > 55
    assert not score.bad and not score.poor, "\n".join(score.bad + score.poor)


CALLS = {
    "fit": lambda: Call("fit", sj.fit, ("power_law", TABLE), {"starts": 16, "fix": {"E": 1.5}, "seed": 0}),
    "allocate": lambda: Call("allocate", sj.allocate, ((LAW, KNOWN),), {"compute": 1e21, "bounds": {"N": (1e6, 1e12)}}),
    "read_curves": lambda: Call("read_curves", sj.read_curves, ({"a": {"step": [0, 1, 2], "loss": [3.0, 2.5, 2.2], "lr": [1e-3] * 3}},),
                                {"lr": "lr", "first": 0, "every": 1, "warmup": 0}),
}  # fmt: skip


@pytest.mark.parametrize("name", CALLS)
def test_the_main_functions(name):
    call, score = CALLS[name](), Score()
    run(call, score, seed=2, count=25, share=4.0)
    assert not score.bad and not score.poor, "\n".join(score.bad + score.poor)


@pytest.mark.parametrize("odd", VALUES, ids=lambda odd: odd.name)
def test_every_odd_value_is_told_without_harm(odd):
    """What a sentence says of it is short and on one line, and the checks themselves never fail."""
    assert len(said(odd.value)) <= 60 and said(odd.value).isprintable()
    edge.foreign(odd.value), edge.odd(odd.value), edge.nan_in(odd.value)
    end = end_of(lambda: sj.allocate((LAW, KNOWN), compute=odd.value), odd.name, senseless=odd.senseless, seconds=20.0)
    assert end.kind not in BAD, end


@settings(max_examples=40)
@given(st.text(max_size=700), st.lists(st.text(max_size=80), max_size=40))
def test_messages_are_one_short_line(text, names):
    error = sj.DataError(f"{text!r} and {text}; {suggest(text, names)}")
    assert len(str(error)) <= LONGEST and str(error).isprintable()
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
    assert one_line(one_line(text)) == one_line(text)


def test_unknown_laws_are_not_all_listed():
    with pytest.raises(sj.LawError) as caught:
        sj.fit("qqq", TABLE)
    assert len(str(caught.value)) <= LONGEST and "more" in str(caught.value)


# What the edge knows


def test_public_functions_are_one_object_and_can_be_sent_to_other_processes():
    for name, function in public().items():
        home = sys.modules[function.__module__]
        assert getattr(home, function.__name__) is function, name
        assert pickle.loads(pickle.dumps(function)) is function, name


SENTENCES = {
    "no such argument": (lambda: sj.fit("power_law", TABLE, start=3), CallError, ["'start'", "did you mean 'starts'"]),
    "argument missing": (lambda: sj.allocate(), CallError, ["source"]),
    "masked": (lambda: sj.allocate((LAW, KNOWN), compute=np.ma.array([1e21, 2e21], mask=[0, 1])), sj.DecisionError, ["masked", "np.nan"]),
    "masked in a table": (lambda: sj.fit("power_law", {**TABLE, "loss": np.ma.array(TABLE["loss"], mask=np.arange(12) == 3)}),
                          sj.DataError, ["'loss'", "row 3"]),
    "a date": (lambda: sj.allocate((LAW, KNOWN), compute=np.datetime64("2024-01-01")), sj.DecisionError, ["compute", "date"]),
    "complex": (lambda: sj.costs.six_nd(1e9 + 1j, 1e10), sj.DecisionError, ["N=", "complex"]),
    "yes as truth": (lambda: sj.papers.reused_holdout(50, 10, 2, reusable="yes", repeats=2), sj.DataError,
                     ["reusable='yes'", "True or False"]),
    "NaN in parameters": (lambda: sj.allocate((LAW, {**KNOWN, "E": np.nan}), compute=1e21), sj.DecisionError, ["E", "nan", "positive"]),
    "negative parameter": (lambda: sj.allocate((LAW, {**KNOWN, "E": -1.0}), compute=1e21), sj.DecisionError, ["E", "-1", "positive"]),
    "failing cost": (lambda: sj.allocate((LAW, KNOWN), compute=1e21, cost=lambda N, D: [N][1]), sj.DecisionError,
                     ["a function", "<lambda>", "index out of range"]),
    "NumPy in a cost": (lambda: sj.allocate((LAW, KNOWN), compute=1e21, cost=lambda N, D: np.log(N) * D), sj.LawError, ["jax.numpy"]),
    "negative seed": (lambda: sj.simulate(LAW, KNOWN, N=1e9, D=1e10, seed=-1), sj.DataError, ["seed=-1", "from 0"]),
    "too many": (lambda: sj.schedules.cosine(10**12), sj.DataError, ["steps", "100,000,000"]),
    "no value": (lambda: sj.costs.total_params(-5.0), sj.DecisionError, ["total_params", "N=-5.0", "negative"]),
    "every=None": (lambda: sj.read_curves({"a": {}}, lr="lr", every=None), sj.DataError, ["every", "whole number"]),
}  # fmt: skip


@pytest.mark.parametrize("case", SENTENCES)
def test_sentences_name_what_and_why(case):
    call, kind, words = SENTENCES[case]
    with pytest.raises(kind) as caught:
        call()
    assert readable(caught.value) and all(word in str(caught.value) for word in words), str(caught.value)


def test_the_words_of_a_function_go_before_those_of_its_annotations():
    with pytest.raises(sj.DataError, match=r"A schedule needs a whole number of steps"):
        sj.schedules.cosine("four")


def test_errors_of_ours_that_nobody_foresaw_keep_their_cause():
    def broken(x: float) -> float:
        return x + len([1, 2][5])  # type: ignore[arg-type]

    broken.__module__ = "scalejax.fitting.nowhere"
    with pytest.raises(
        sj.FitError, match=r"a function that failed: broken, test_attack\.py"
    ) as caught:  # this file is not part of scalejax
        edge.edge(broken)(1.0)
    assert isinstance(caught.value.__cause__, IndexError)
    try:
        np.linalg.inv(np.zeros((2, 2)))
    except np.linalg.LinAlgError as error:
        told = edge.explained("broken", [], error.with_traceback(error.__traceback__.tb_next), sj.FitError)
    assert isinstance(told, UnforeseenError) and "Singular matrix" in str(told) and "report it" in str(told)


def test_names_of_laws_and_tables_stand_for_both():
    """Wherever a law alone is worked on, its name does; a table does in the place of runs."""
    law, params = sj.laws.power_law, {"E": 1.0, "A": 20.0, "alpha": 0.3}
    runs = sj.simulate("power_law", params, x=np.geomspace(1e3, 1e9, 20), noise=0.01)
    assert runs.digest == sj.simulate(law, params, x=np.geomspace(1e3, 1e9, 20), noise=0.01).digest
    table = {"x": runs["x"], "loss": runs["loss"]}
    assert sj.audit("power_law", table, params).objective == sj.audit(law, runs, params).objective
    with pytest.raises(sj.LawError, match="no law 'power_laws'; did you mean 'power_law'"):
        sj.simulate("power_laws", params, x=1e3)


def test_annotations_are_understood():
    kinds = accepted(sj.fit)
    assert kinds["misfit"].holds(True) and kinds["misfit"].holds(0.1) and not kinds["misfit"].surely("yes")
    assert kinds["share"].surely("E") and kinds["share"].surely(["E"]) and not kinds["share"].surely(3)
    assert not kinds["tie"].surely(["a"]) and kinds["tie"].surely(None)


def test_warnings_point_at_the_caller():
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        sj.read_runs({"N": [1.0, 2.0, 3.0], "D": [1e9, 2e9, 3e9], "loss": [3.0, 2.0, 1.9]})
    assert [w.filename for w in heard if issubclass(w.category, sj.DataWarning)] == [__file__]


# Signs of life


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_known_steps_show_the_time_left():
    with redirect_stderr(Terminal()) as terminal:
        show = progress.reporter("bootstrap", True)
        for done in range(1, 5):
            show(done, 4)
            time.sleep(0.15)  # tqdm writes ten times a second
    assert "bootstrap" in terminal.getvalue() and "<00:0" in terminal.getvalue()


def test_nothing_is_silent_for_long(monkeypatch):
    monkeypatch.setattr(progress, "_SILENT", 0.5)
    with redirect_stderr(Terminal()) as terminal, progress.watched("allocate"):
        time.sleep(1.5)
    assert "allocate: 1 s spent" in terminal.getvalue() and terminal.getvalue().endswith("\r")
    assert not any(thread.name == "scalejax progress" for thread in threading.enumerate())


@pytest.mark.parametrize("wanted", [False, print])
def test_nobody_is_told_who_does_not_want_to_be(monkeypatch, wanted):
    monkeypatch.setattr(progress, "_SILENT", 0.0)
    with redirect_stderr(Terminal()) as terminal, progress.watched("allocate", wanted):
        time.sleep(1.2)
    assert not terminal.getvalue()


def test_every_public_function_has_a_good_call_to_start_from():
    lost = [name for name, function in public().items() if ">>>" not in (function.__doc__ or "") and name not in (*MORE, "law")]
    assert not lost, "give them an example, or a line in calls.py"


def test_every_verb_is_attacked():
    actions = [action for action in build_parser()._actions if isinstance(action, argparse._SubParsersAction)]
    assert set(verbs.GOOD) == set(actions[0].choices)


def test_inputs_are_the_same_every_time():
    call = CALLS["allocate"]()
    assert [i.what for i in inputs(call, 3, 30)] == [i.what for i in inputs(call, 3, 30)] != [i.what for i in inputs(call, 4, 30)]
