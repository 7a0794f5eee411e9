"""Posteriors as files: plain arrays and a JSON document in one zip, written atomically, read back without running code."""

from __future__ import annotations

import hashlib
import inspect
import io
import os
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any
from zipfile import ZIP_STORED, ZipFile, ZipInfo

import jax
import numpy as np

from ..core.errors import DataError, FitError
from ..core.files import write_bytes
from ..core.laws.law import Law
from ..core.lazy import whole
from ..core.numeric.precision import double
from ..core.saved import array_of, from_json, npy, to_json
from ..fitting.objective.problem import Spec
from ..fitting.storage import check_format, fit_document, fit_from_document, reading
from . import likelihoods
from .checks.diagnostics import Chains, Importance
from .model.arguments import PriorArguments
from .model.density import Evidence, Model
from .model.level import Level, sentence
from .model.setup import group_layout
from .posterior import Posterior
from .priors import Priors

FORMAT = 2
_DOCUMENT, _DIGITS = "posterior.json", 64
_LIKELIHOODS = (c for c in vars(likelihoods).values() if isinstance(c, type) and issubclass(c, likelihoods.Likelihood))
# A file names classes; no others than these, and NumPyro's distributions, are ever made from it.
_CLASSES = {c.__name__: c for c in (Chains, Importance, Evidence, Level, *_LIKELIHOODS)}
_DERIVED = {"covariance_matrix", "precision_matrix"}  # a multivariate normal has them beside its scale_tril, but takes only one
_ARGUMENTS = (int, float, str, tuple, np.ndarray, np.generic, jax.Array)

Arrays = dict[str, np.ndarray]


@double
def save_posterior(posterior: Posterior, path: str | os.PathLike[str]) -> None:
    """Write a posterior with its data, priors and provenance to one file, atomically; `load_posterior` reads it back bit for bit.

    The file is a zip of NumPy arrays (`numpy.load` opens it too) and "posterior.json", without pickle.

    Args:
        posterior: from `sample`.
        path: such as "posterior.npz".

    Raises:
        DataError: if the file cannot be written.
        FitError: if a prior or the likelihood is of a class of your own, which a file cannot hold.
    """
    arrays: Arrays = {}
    parts = {f.name: getattr(posterior, f.name) for f in fields(posterior) if f.name not in ("fit", "model")}
    parts["priors"] = dict(posterior.priors)
    parts["model"] = {f.name: getattr(posterior.model, f.name) for f in fields(Model) if f.name != "spec"}
    document = {"format": FORMAT, "posterior": _pack(parts, "", arrays), "fit": fit_document(posterior.fit)}
    members = {_DOCUMENT: to_json(document).encode(), **{f"{name}.npy": npy(array) for name, array in arrays.items()}}
    write_bytes(path, archive_of(members))


@double
def load_posterior(path: str | os.PathLike[str], law: Law | None = None) -> Posterior:
    """Read a posterior that `Posterior.save` wrote: the same draws, priors, data and diagnostics. Nothing in the file is run.

    Args:
        path: the file.
        law: needed only for a law of your own that is not registered.

    Returns:
        Posterior.

    Raises:
        DataError: if the file is missing, incomplete, changed after it was saved, or no posterior.
        LawError: if the law is unknown.

    Example:
        >>> import numpy as np, scalejax as sj
        >>> runs = sj.simulate(sj.laws.power_law, dict(E=1.0, A=20.0, alpha=0.3), x=np.logspace(3, 9, 40), noise=0.01)
        >>> posterior = sj.sample("power_law", runs, likelihood="normal", draws=250)
        >>> posterior.save("posterior.npz")
        >>> bool((sj.load_posterior("posterior.npz").theta == posterior.theta).all())
        True
    """
    with reading(path, "posterior"):
        raw = Path(path).read_bytes()
        with ZipFile(io.BytesIO(raw)) as archive:
            if any(member.compress_type != ZIP_STORED for member in archive.infolist()):
                raise DataError(f"{path} is compressed, which no saved posterior is; save it again with posterior.save(path).")
            members = {name: archive.read(name) for name in archive.namelist()}
        document = from_json(members[_DOCUMENT])
        check_format(path, document, FORMAT)
        if raw[-_DIGITS:] != _digest(raw[:-_DIGITS]):
            raise DataError(f"{path} is cut short or was changed after it was saved; load another copy, or sample again.")
        fit = fit_from_document(document["fit"], law)
        parts = _unpack(document["posterior"], members)
        parts["evidence"] = parts["evidence"]._replace(priors=PriorArguments(parts["evidence"].priors))
        spec = Spec(fit.law, group_layout(fit.request), fit.request.loss, fit.request.on)
        model, priors = Model(spec, **parts.pop("model")), Priors(parts.pop("priors"), sentence(parts["evidence"].level))
        if np.shape(parts["theta"])[:2] != fit.theta.shape or not np.isfinite(parts["theta"]).all():
            raise DataError(f"{path} holds draws that are not those of its fit; sample again.")
        return Posterior(fit=fit, model=model, priors=priors, **parts)


def archive_of(members: Mapping[str, bytes]) -> bytes:
    """A zip of these members, whose comment is the checksum of all bytes before it."""
    buffer = io.BytesIO()
    with ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(ZipInfo(name), content)
        archive.comment = bytes(_DIGITS)
    content = buffer.getvalue()[:-_DIGITS]
    return content + _digest(content)


def _digest(content: bytes) -> bytes:
    """SHA-256 in hexadecimal."""
    return hashlib.sha256(content).hexdigest().encode()


def _pack(value: Any, name: str, arrays: Arrays) -> Any:
    """`value` as JSON, with its arrays moved to `arrays` under names that begin with `name`.

    Numbers, texts and lists stand for themselves, whatever else is a mapping from its kind to its content.
    """

    def inside(content: Mapping[str, Any]) -> dict[str, Any]:
        return {key: _pack(v, f"{name}/{key}".lstrip("/"), arrays) for key, v in content.items()}

    kind = type(value)
    if value is None or kind in (bool, int, float, str):
        return value
    if isinstance(value, np.ndarray | np.generic | jax.Array):
        arrays[name] = np.asarray(value)
        return {"array": name}
    if _CLASSES.get(kind.__name__) is kind:
        return {"class": kind.__name__, "fields": inside(_fields(value))}
    if isinstance(value, Mapping):
        return {"dict": inside(value)}
    if kind in (list, tuple):
        items = list(inside({str(i): v for i, v in enumerate(value)}).values())
        return items if kind is list else {"tuple": items}
    return {"distribution": kind.__name__, "arguments": inside(_arguments(value, name))}


def _fields(value: Any) -> dict[str, Any]:
    return {f.name: getattr(value, f.name) for f in fields(value)} if is_dataclass(value) else value._asdict()


def _arguments(prior: Any, name: str) -> dict[str, Any]:
    """What to call the class of a distribution with to make it again: NumPyro keeps arguments under their names."""
    dist = whole("numpyro.distributions")

    kind = type(prior)
    if not isinstance(prior, dist.Distribution):
        raise FitError(f"{name} is a {kind.__name__}, a class of your own, which a file cannot hold; save posterior.params instead.")
    names = set(inspect.signature(kind).parameters) - {"validate_args"}
    names -= _DERIVED if "scale_tril" in names else set()
    arguments = {key: getattr(prior, key, None) for key in sorted(names)}
    known = getattr(dist, kind.__name__, None) is kind
    if not (known and all(isinstance(v, (*_ARGUMENTS, dist.Distribution)) for v in arguments.values())):
        raise FitError(
            f"The prior of {name.split('/')[1]!r} is a {kind.__name__}, which a file cannot hold; sample with a distribution of "
            "numpyro.distributions that is made from numbers, such as LogNormal(0.0, 1.0)."
        )
    return arguments


def _unpack(packed: Any, members: Mapping[str, bytes]) -> Any:
    """The value that `_pack` turned into JSON and arrays."""
    dist = whole("numpyro.distributions")

    if isinstance(packed, list):
        return [_unpack(v, members) for v in packed]
    if not isinstance(packed, dict):
        return packed
    if "array" in packed:
        return array_of(members[f"{packed['array']}.npy"])
    if "tuple" in packed:
        return tuple(_unpack(packed["tuple"], members))
    if "dict" in packed:
        return {key: _unpack(v, members) for key, v in packed["dict"].items()}
    content = {key: _unpack(v, members) for key, v in packed["fields" if "fields" in packed else "arguments"].items()}
    if "class" in packed:
        return _CLASSES[packed["class"]](**content)
    kind = getattr(dist, packed["distribution"])
    if not (isinstance(kind, type) and issubclass(kind, dist.Distribution)):
        raise DataError(f"{packed['distribution']!r} is not a distribution of NumPyro.")
    return kind(**content)
