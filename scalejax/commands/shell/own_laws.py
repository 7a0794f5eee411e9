"""Laws of the user's own, named on the command line as FILE.py:NAME."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

from ...core.errors import LawError, suggest

if TYPE_CHECKING:
    from ...core.laws.law import Law

_PLACE = re.compile(r"(.+\.py):(\w+)")


def own_law_option(parser: argparse.ArgumentParser) -> None:
    """Laws that saved fits are of."""
    parser.add_argument("--law", nargs="+", default=[], metavar="FILE.py:NAME", help="your own laws, which saved fits are of")


def own_laws(options: argparse.Namespace) -> AbstractContextManager[Any]:
    """A block in which laws that --law and --laws name by a file are known; the options then hold their names alone."""
    loaded = []
    for option in ("law", "laws"):
        given = getattr(options, option, None)
        texts = given if isinstance(given, list) else [given] if given else []
        names = []
        for text in texts:
            place = _PLACE.fullmatch(text)
            if place:
                loaded.append(load(place[1], place[2]))
            names.append(place[2] if place else text)
        if texts:
            setattr(options, option, names if isinstance(given, list) else names[0])
    return _known(loaded) if loaded else nullcontext()


@contextmanager
def _known(loaded: list[Law]) -> Iterator[None]:
    from ...zoo import laws

    with laws.known(*loaded):
        yield


def load(path: str, name: str) -> Law:
    """The law `name` of a Python file, which is run.

    Raises:
        LawError: if the file cannot be run, or has no such law.
    """
    from importlib.util import module_from_spec, spec_from_file_location

    from ...core.laws.law import Law

    try:
        spec = spec_from_file_location(f"own_laws_{abs(hash(path))}", path)
        assert spec is not None and spec.loader is not None  # as of every .py
        module = sys.modules[spec.name] = module_from_spec(spec)
        spec.loader.exec_module(module)
    except OSError as error:
        raise LawError(f"Cannot read {path}: {error.strerror or error}; --law takes a Python file and a name, FILE.py:NAME.") from None
    except Exception as error:  # whatever a file of the user's does
        raise LawError(f"{path} does not run: {type(error).__name__}: {error}") from error
    laws = {key: value for key, value in vars(module).items() if isinstance(value, Law)}
    if name not in laws:
        raise LawError(f"{path} has no law {name!r}, which `@scalejax.law(...)` makes of a function; {suggest(name, laws)}")
    if laws[name].name != name:
        raise LawError(f"{path}:{name} is the law {laws[name].name!r}; name the law by its own name.")
    return laws[name]
