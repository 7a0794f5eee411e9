"""Compiled programs: how the compiler makes them, and where they are kept for the next process.

Programs for a CPU are compiled with the plain loops of the compiler and little optimisation: they run as fast as with its defaults and are
made in a third of the time (`benchmarks/first_answers.py`). Those that run a few times only are made without any optimisation.

They are kept on disk, so that a second process compiles nothing. Who has a cache of JAX's own (`jax_compilation_cache_dir`) keeps that one;
else it is a folder of the user's cache, or the one that the environment variable SCALEJAX_CACHE names; "off" keeps nothing.
"""

from __future__ import annotations

import hashlib
import os
import platform
import sys
import warnings
import zlib
from collections.abc import Callable
from functools import lru_cache, wraps
from pathlib import Path
from threading import RLock
from typing import Any, cast

import jax

from .kept import Kept, kept
from .ready import SUFFIX, Broken, Ready, find, shapes

VARIABLE = "SCALEJAX_CACHE"
_OFF = ("", "0", "off", "none", "false")
_MOST = 2**28  # bytes of kept programs of all versions together
_LEFT = 0.75  # of them, once there were more: the least recently used go
_SUFFIX = "-cache"  # of the files that JAX writes
_STAMP = "checked"  # touched when all files were looked at
_FEW = 2**16  # numbers
_LOOPS, _EFFORT = "xla_cpu_use_fusion_emitters", "xla_backend_optimization_level"
_WITHOUT_LOOPS = (0, 11, 1)  # JAX 0.11.0 knows the first, 0.11.2 does not


def compiled(*static: int, once: bool = False) -> Callable[[Callable[..., Any]], Any]:
    """A decorator as `jax.jit`, for programs that are called from outside of others.

    Args:
        static: places of the arguments that are part of the program.
        once: is it run a few times only? On few numbers the compiler's work then takes longer than the program's.
    """

    def decorate(function: Callable[..., Any]) -> Any:
        def of(arguments: tuple[Any, ...], options: dict[str, Any]) -> tuple[_Program, tuple[Any, ...]]:
            """The program for these static arguments and options of the compiler, and the other arguments."""
            parts = tuple(arguments[place] for place in static)
            rest = tuple(argument for place, argument in enumerate(arguments) if place not in static)
            key = (parts, tuple(options.items()))
            return kept(function, key, lambda own: _Program(own, function, static, parts, options)), rest

        @wraps(function)
        def program(*arguments: Any) -> Any:
            leaves = jax.tree.leaves(arguments)
            if any(isinstance(leaf, jax.core.Tracer) for leaf in leaves):  # inside another program, which is compiled as a whole
                run, rest = of(arguments, {})
                return run.jitted(*rest)
            few = once and sum(getattr(leaf, "size", 1) for leaf in leaves) < _FEW
            options = {name: value for name, value in _options(0 if few else 1).items() if name not in _REFUSED}
            run, rest = of(arguments, options)
            try:
                return run(*rest)
            except jax.errors.JaxRuntimeError as error:
                unknown = [name for name in options if "compile option" in str(error) and name in str(error)]
                if not unknown:
                    raise
                _REFUSED.extend(unknown)
                return program(*arguments)

        def lower(*arguments: Any) -> Any:
            run, rest = of(arguments, {})
            return run.jitted.lower(*rest)

        program.lower = lower  # type: ignore[attr-defined]
        return program

    return decorate


class _Program:
    """A function with its static arguments: as JAX traces and compiles it, and what is kept whole for arguments of some shapes."""

    def __init__(
        self, own: Kept, function: Callable[..., Any], static: tuple[int, ...], parts: tuple[Any, ...], options: dict[str, Any]
    ) -> None:
        @wraps(function)
        def traced(*moving: Any) -> Any:
            own.grow()
            given = iter(moving)
            fixed = dict(zip(static, parts, strict=True))
            return function(*(fixed[i] if i in fixed else next(given) for i in range(len(parts) + len(moving))))

        self.own, self.traced, self.options, self.made_of = own, traced, options, (function, parts, options)
        self.jitted = jax.jit(traced, compiler_options=options or None)
        self.ready: dict[Any, Ready | None] = {}
        self.lock = RLock()

    def __call__(self, *moving: Any) -> Any:
        shape = shapes(moving)
        with self.lock:
            if shape not in self.ready:
                self.ready[shape] = self._find(moving)
                if self.ready[shape] is None:
                    return self.jitted(*moving)  # threads that want the same wait, and find it compiled
            ready = self.ready[shape]
        if ready is not None:
            try:
                return ready(*moving)
            except Broken:
                self.ready[shape] = None
        return self.jitted(*moving)

    def _find(self, moving: tuple[Any, ...]) -> Ready | None:
        """The program for these arguments that is kept whole; None where JAX is to see to it."""
        folder, settings = keep_programs(), cast(Any, jax.config)
        if folder is None or jax.default_backend() != "cpu" or jax.device_count() > 1 or not settings.jax_enable_x64:
            return None
        found = find(folder, self.made_of, moving, self.traced, self.options)
        if found is not None and found.path is not None:
            self.own.grow()  # as tracing does
        return found


_REFUSED: list[str] = []  # names of options that this compiler does not know


def _options(effort: int) -> dict[str, Any]:
    """Of the compiler, but for those that the user sets; none for other devices."""
    if jax.default_backend() != "cpu":
        return {}
    flags = os.environ.get("XLA_FLAGS", "")
    options: dict[str, Any] = {_EFFORT: effort}
    if jax.__version_info__ < _WITHOUT_LOOPS:
        options[_LOOPS] = False
    return {name: value for name, value in options.items() if name not in flags}


@lru_cache(maxsize=1)
def keep_programs() -> Path | None:
    """See to it that compiled programs are kept; the folder, or None where JAX's own settings hold or nothing can be kept."""
    settings: Any = jax.config
    if settings.jax_compilation_cache_dir or not settings.jax_enable_compilation_cache:
        return None
    root = _root()
    if root is None:
        return None
    folder = root / _kind()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not (_own(folder) and os.access(folder, os.R_OK | os.W_OK | os.X_OK)):
            return None
        tidy(root)
    except OSError:  # a home that cannot be written
        return None
    jax.config.update("jax_compilation_cache_dir", str(folder))
    if "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS" not in os.environ:
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    # A file that cannot be read is compiled anew, one that cannot be written is done without: nothing for the user to do.
    warnings.filterwarnings("ignore", message="Error (reading|writing) persistent compilation cache entry")
    return folder


def _root() -> Path | None:
    """The folder of all kept programs."""
    named = os.environ.get(VARIABLE)
    if named is not None:
        return None if named.strip().lower() in _OFF else Path(named).expanduser()
    try:
        home = Path.home()
    except RuntimeError:
        return None
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = home / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache")
    return base / "scalejax" / "programs"


def _kind() -> str:
    """A name for what programs depend on beside themselves: JAX, and the processor, as homes are shared between computers."""
    processor = platform.machine()
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
            processor += next((line for line in file if line.startswith(("flags", "Features"))), "")
    except OSError:
        processor += platform.processor()
    return f"jax-{jax.__version__}-{hashlib.sha256(processor.encode()).hexdigest()[:12]}"


def _own(folder: Path) -> bool:
    """Is it this user's? Kept programs are run as they are."""
    return not hasattr(os, "getuid") or folder.stat().st_uid == os.getuid()


def tidy(root: Path) -> None:
    """Remove what was not written to its end since the last look, and the least recently used of too many bytes."""
    stamp = root / _STAMP
    looked = stamp.stat().st_mtime if stamp.exists() else 0.0
    found, fresh = [], False
    for path in (path for suffix in (_SUFFIX, SUFFIX) for path in root.glob(f"*/*{suffix}")):
        try:
            known = path.stat()
            if known.st_mtime >= looked:
                fresh = True
                if not _whole(path):
                    path.unlink()
                    continue
        except FileNotFoundError:  # another process was here
            continue
        found.append((max(known.st_atime, known.st_mtime), known.st_size, path))
    total = sum(size for _, size, _ in found)
    if total > _MOST:
        for _, size, path in sorted(found):
            path.unlink(missing_ok=True)
            total -= size
            if total <= _LEFT * _MOST:
                break
    if fresh:
        stamp.touch()


def _whole(path: Path) -> bool:
    """Does the file end where it should? A process that was killed, or a full disk, leaves less."""
    content = path.read_bytes()
    if content[:1] != b"\x78":  # not zlib's: JAX found a better compressor
        return bool(content)
    try:
        zlib.decompress(content)
    except zlib.error:
        return False
    return True
