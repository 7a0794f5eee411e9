"""Programs that a second process runs at once: what was compiled is kept whole, under a name that says all that it depends on.

JAX's own cache spares the compiler's work but not the tracing, which finds out what to look up and takes as long as the answers do. A
program of ours is known without it: by the function and the laws that it is made of, which are those of this version of the package, by
the shapes of its arguments, and by JAX and its settings. What a user wrote has no such name, as it may change with anything beside it:
programs of own laws are traced. (Who changes numbers of the package itself while it runs sets SCALEJAX_CACHE=off.)
"""

from __future__ import annotations

import hashlib
import os
import pickle
import secrets
import sys
import zlib
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import fields, is_dataclass
from functools import lru_cache, partial
from importlib.metadata import version
from inspect import Signature
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

import jax
import numpy as np
from jax.experimental import serialize_executable

from ..files import write_bytes

_PACKAGE = Path(__file__).parents[2]
SUFFIX = "-ready"  # of the files
_OURS = _PACKAGE.name
_VERSIONS = ("jax", "jaxlib", "numpy", "numpyro", "optax")
_LIBRARIES = (_OURS, *_VERSIONS, "builtins", "math", "functools", "operator", "collections")


class Nameless(Exception):
    """Something that has no name that holds in another process."""


class Broken(Exception):
    """A kept program that does not run."""


class Ready:
    """A compiled program; of one from the disk the first answer is waited for, as only then it is known to be whole."""

    def __init__(self, run: jax.stages.Compiled, path: Path | None = None) -> None:
        self.run, self.path = run, path

    def __call__(self, *moving: Any) -> Any:
        """The answer.

        Raises:
            Broken: the file is gone by then.
        """
        if self.path is None:
            return self.run(*moving)
        try:
            answer = jax.block_until_ready(self.run(*moving))
        except jax.errors.JaxRuntimeError as error:
            _forget(self.path)
            raise Broken from error
        self.path = None
        return answer


def find(
    folder: Path, made_of: tuple[Any, ...], moving: tuple[Any, ...], function: Callable[..., Any], options: dict[str, Any]
) -> Ready | None:
    """A program from the folder, or compiled and left there for others; None if it has no name.

    Args:
        made_of: all that decides what it is, beside the shapes of its arguments `moving`. function: what is compiled. options: with which.
    """
    try:
        key = repr((signature(made_of), shapes(moving), _surroundings()))
        name = hashlib.sha256(_clean(key).encode()).hexdigest()
    except Nameless:
        return None
    path = folder / (name + SUFFIX)
    try:
        return Ready(_read(path, moving), path)
    except OSError:  # most often it is not there
        pass
    except Exception:  # damaged, whatever it is that is damaged: made anew
        _forget(path)

    def named(*moving: Any) -> Any:
        return function(*moving)

    # A name that was never used before: what JAX finds in its own cache runs, but cannot be kept a second time.
    named.__name__ = f"{getattr(function, '__name__', 'program')}_{secrets.token_hex(8)}"
    made = jax.jit(named, compiler_options=options or None).lower(*moving).compile()
    with suppress(Exception):  # a program with constants inside, a full disk: it runs all the same
        _write(path, made)
        for copy in folder.glob(f"jit_{named.__name__}-*"):  # JAX's own, which nobody will ask for
            copy.unlink()
    return Ready(made)


def _read(path: Path, moving: tuple[Any, ...]) -> Any:
    outer, content = pickle.loads(zlib.decompress(path.read_bytes()))
    found = serialize_executable.deserialize_and_load(content, jax.tree.structure((moving, {})), jax.tree.structure(outer))
    os.utime(path)
    return found


def _forget(path: Path) -> None:
    with suppress(OSError):
        path.unlink()


def _write(path: Path, made: Any) -> None:
    content, _, outer = serialize_executable.serialize(made)
    outer = jax.tree.unflatten(outer, range(outer.num_leaves))
    write_bytes(path, zlib.compress(pickle.dumps((outer, content)), 1))


def shapes(moving: tuple[Any, ...]) -> tuple[Any, ...]:
    """Structure, shapes and types of a program's arguments."""
    leaves, structure = jax.tree.flatten(moving)
    return structure, tuple(map(_shape, leaves))


def _shape(leaf: Any) -> Any:
    if isinstance(leaf, jax.Array):
        return leaf.shape, leaf.dtype.name, getattr(leaf, "weak_type", False)
    return (leaf.shape, leaf.dtype.name) if isinstance(leaf, np.ndarray | np.generic) else type(leaf).__name__


def signature(value: Any) -> Any:
    """A text, or tuples of texts, that are the same in every process for what gives the same program.

    Raises:
        Nameless: where there is no such thing.
    """
    if value is None or value is ... or isinstance(value, bool | int | float | complex | str | bytes | np.generic | np.dtype):
        return f"{type(value).__name__} {value!r}"
    if isinstance(value, slice):
        return ("slice", *map(signature, (value.start, value.stop, value.step)))
    if isinstance(value, tuple | list):
        return (type(value).__name__, *map(signature, value))
    if isinstance(value, frozenset | set):
        return ("set", *sorted(map(repr, map(signature, value))))
    if isinstance(value, Mapping):
        return ("mapping", *((signature(name), signature(part)) for name, part in value.items()))
    if isinstance(value, np.ndarray) and not value.dtype.hasobject:
        return f"{value.dtype.str} {value.shape} {hashlib.sha256(np.ascontiguousarray(value).tobytes()).hexdigest()}"
    if isinstance(value, Signature | jax.tree_util.PyTreeDef):
        return _clean(str(value))
    if isinstance(value, type):
        return _named(value)
    if isinstance(value, FunctionType):
        return _of_function(value)
    if isinstance(value, partial):
        return ("partial", *map(signature, (value.func, value.args, value.keywords)))
    if is_dataclass(value):
        key = getattr(value, "_key", None)
        parts = tuple((field.name, getattr(value, field.name)) for field in fields(value)) if key is None else key
        return (_named(type(value)), signature(parts))
    if callable(value) and hasattr(value, "__qualname__"):
        return _named(value)
    raise Nameless(type(value))


def _of_function(function: FunctionType) -> Any:
    """Of this package, with what it closes over."""
    code = function.__code__
    if not _inside(code.co_filename):
        return _named(function)
    try:
        inner = [cell.cell_contents for cell in function.__closure__ or ()]
    except ValueError:  # not there yet
        raise Nameless(function) from None
    if any(part is function for part in inner):
        raise Nameless(function)
    held = (inner, function.__defaults__, function.__kwdefaults__)
    return (function.__module__, function.__qualname__, _of_code(code), signature(held))


def _of_code(code: CodeType) -> Any:
    """What tells functions of one line and name apart."""
    constants = tuple(_of_code(one) if isinstance(one, CodeType) else signature(one) for one in code.co_consts)
    return (code.co_firstlineno, code.co_code.hex(), code.co_names, constants)


def _named(value: Any) -> str:
    """What a library has under a name."""
    module, name = getattr(value, "__module__", None) or "", value.__qualname__
    found: Any = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    if found is not value or module.partition(".")[0] not in _LIBRARIES:
        raise Nameless(value)
    return f"{module}.{name}"


def _clean(text: str) -> str:
    """Without addresses."""
    if " at 0x" in text:
        raise Nameless(text)
    return text


@lru_cache(maxsize=1024)
def _inside(filename: str) -> bool:
    return Path(filename).is_relative_to(_PACKAGE)


def _surroundings() -> tuple[Any, ...]:
    """What programs depend on beside themselves: this package as it is, JAX and its settings."""
    settings: Any = jax.config
    own = tuple((name, repr(getattr(settings, name, None))) for name in sorted(settings.values) if "cache" not in name)
    return _sources(), own, os.environ.get("XLA_FLAGS", ""), sys.version


@lru_cache(maxsize=1)
def _sources() -> str:
    """A fingerprint of the package's files and of the libraries that its programs call."""
    found = hashlib.sha256(" ".join(map(version, _VERSIONS)).encode())
    for path in sorted(_PACKAGE.rglob("*.py")):
        known = path.stat()
        found.update(f"{path.relative_to(_PACKAGE)} {known.st_size} {known.st_mtime_ns}\n".encode())
    return found.hexdigest()
