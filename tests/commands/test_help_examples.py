"""Every example of every help text runs as it stands, with the files that `scalejax examples` writes, and again with --json."""

from __future__ import annotations

import argparse
import json
import shlex

import pytest
from example_files import FOLDER, make

from scalejax.commands import cli, main

PARSER = cli.build_parser()
VERBS = cli._verbs(PARSER)


def lines_of(epilog: str | None) -> list[str]:
    """Command lines of a help text."""
    return [line.partition("   (")[0].strip() for line in (epilog or "").splitlines() if line.startswith("  scalejax ")]


LINES = {"": lines_of(PARSER.epilog), **{name: lines_of(verb.epilog) for name, verb in VERBS.items()}}
# Verbs whose examples take a second or two; the others run with the slow tests.
QUICK = ("laws", "examples", "completion", "import", "doctor", "predict", "regret", "plan")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("examples")


_done: set[str] = set()


def run(line: str, folder, monkeypatch) -> int:
    """Run a line once for all verbs: most examples begin with the same fit."""
    monkeypatch.chdir(folder)
    if line in _done:
        return 0
    _done.add(line)
    return main(shlex.split(line)[1:])


@pytest.mark.parametrize("name", [pytest.param(n, marks=[] if n in QUICK else [pytest.mark.slow]) for n in LINES if LINES[n]])
@pytest.mark.filterwarnings("default::scalejax.ScalejaxWarning")
def test_examples_run_as_they_stand(name, folder, monkeypatch, capsys):
    assert run("scalejax examples", folder, monkeypatch) == 0
    for line in LINES[name]:
        assert run(line, folder, monkeypatch) == 0, (line, capsys.readouterr().err)
    printed = capsys.readouterr()
    assert printed.out and "Traceback" not in printed.err
    last = [word for word in shlex.split(LINES[name][-1])[1:] if word not in ("--csv", "--markdown", "--json")]
    if name in ("", "completion"):
        return
    assert main([*last, "--json"]) == 0
    document = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert document["verb"] == last[0] and "error" not in document
    assert document["answer"] or document["files"]
    assert all({"code", "severity", "message"} == set(warning) for warning in document["warnings"])
    if document["tables"]:
        assert main([*last, "--csv"]) == 0
        assert len(capsys.readouterr().out.splitlines()) == 1 + len(document["tables"][0]["rows"])


@pytest.mark.parametrize("name", VERBS)
def test_every_verb_has_examples_that_can_be_parsed(name):
    lines = LINES[name]
    assert lines or name == "demo"
    for line in lines:
        PARSER.parse_args(shlex.split(line)[1:])
    options = {text for action in VERBS[name]._actions for text in action.option_strings}
    assert {"--json", "--csv", "--markdown"} <= options
    assert all(action.help is not None for action in VERBS[name]._actions if action.help is not argparse.SUPPRESS)


def test_shipped_files_are_what_their_maker_makes():
    made = make()
    assert {path.name for path in FOLDER.iterdir()} == set(made)
    for name, text in made.items():
        assert (FOLDER / name).read_text() == text, name
