"""A law is a function: positional arguments are inputs, keyword-only arguments are parameters."""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from importlib import import_module
from types import MappingProxyType
from typing import Any, overload

import jax
import jax.numpy as jnp
import numpy as np

from ..edge.accepted import said
from ..edge.public import edged
from ..errors import DataError, LawError, ScalejaxError, suggest
from ..numeric.precision import double, plain
from .arguments import checked, misshapen, named
from .compilable import compilable
from .domains import Data, Domain, Fixed, Interval, Positive
from .published import Published, published_sets


def at_place(module: str, name: str) -> Any:
    """What a module has under a name, None if nothing; the module is imported."""
    return getattr(import_module(module), name, None)


@edged
@dataclass(frozen=True, eq=False)
class Law:
    """A scaling law: a JAX function together with what is known of its inputs and parameters.

    Made by the decorator `law`. Calling it evaluates the formula. With JAX arrays or tracers it is a plain JAX function (`jax.grad`,
    `vmap`, `jit` work); with Python numbers or NumPy arrays it computes in double precision and returns a float or a NumPy array.

    Laws are equal if they have the same function, kinds and hard bounds of inputs and parameters, bound values and output. Plausible
    ranges and published sets are data: laws that differ in nothing else share their compiled programs.

    Attributes:
        name: the function's name.
        inputs: names of the inputs, in order.
        parameters: names of the parameters, in order.
        domains: name to `Domain`, for inputs and parameters.
        output: the column of the runs that the law predicts.
        output_axis: the axis along which the law has several values a run, such as "target"; its length is that of the column.
        reference: the paper.
        published: name to `Published` parameter set.
        bound: values of the parameters that `bind` holds.
        linear: parameters in which the law is linear, all of them together.
    """

    function: Callable[..., Any]
    name: str
    inputs: tuple[str, ...]
    parameters: tuple[str, ...]
    domains: Mapping[str, Domain]
    output: str = "loss"
    reference: str = ""
    published: Mapping[str, Published] = field(default_factory=dict)
    bound: tuple[tuple[str, float], ...] = ()
    linear: tuple[str, ...] = ()
    output_axis: str | None = None

    @property
    def _key(self) -> tuple[Any, ...]:
        # Neither plausible ranges nor published sets: a program that was compiled for one law serves all that differ in them alone.
        kinds = tuple((name, d.transform if isinstance(d, Interval) else (type(d), d.axis)) for name, d in self.domains.items())
        return (self.function, kinds, self.positive_inputs, self.bound, self.output, self.output_axis)

    @cached_property
    def positive_inputs(self) -> tuple[bool, ...]:
        """Of every input, whether it holds positive numbers alone."""
        return tuple(self.domains[x].above_zero and not self.domains[x].contains(0.0) for x in self.inputs)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Law) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)

    def __post_init__(self) -> None:
        object.__setattr__(self, "__doc__", self.function.__doc__)  # so that help(law) shows the formula

    @property
    def __signature__(self) -> inspect.Signature:
        return inspect.signature(self.function)

    @property
    def outcomes(self) -> tuple[str, ...]:
        """Columns that say what came out of a run, along which residuals follow from themselves."""
        return (self.output,)

    @property
    def shown(self) -> tuple[str, ...]:
        """Names of the parameters that a reader asks about: all but `Data`."""
        return tuple(name for name in self.parameters if not isinstance(self.domains[name], Data))

    @property
    def formula(self) -> str:
        """The docstring's formula block (its first indented lines), or the first line if there is none."""
        lines = inspect.cleandoc(self.function.__doc__ or "").splitlines()
        block: list[str] = []
        for line in lines[1:]:
            if line.startswith("    "):
                block.append(line)
            elif block and line.strip():
                break
        return textwrap.dedent("\n".join(block)).strip() or (lines[0] if lines else self.name)

    @property
    def summary(self) -> str:
        """First line of the docstring."""
        return inspect.cleandoc(self.function.__doc__ or self.name).splitlines()[0]

    def __call__(self, *inputs: Any, **arguments: Any) -> Any:
        """Evaluate the law; see the class for what is returned.

        Raises:
            LawError: if an input or a parameter is missing, unknown or given twice, shapes do not fit together, or a parameter lies outside
                its support. DataError: if an input does. JAX arrays are not looked into, only names are checked.
        """
        for name in dict(self.bound).keys() & arguments.keys():
            raise LawError(f"Law {self.name!r} has {name} bound to {dict(self.bound)[name]:g}; leave {name}= out of the call.")
        # Whole numbers become floats first: 6 N D overflows 64 bits, and JAX would wrap N silently at 32.
        values = {name: jax.tree.map(_as_float, value) for name, value in named(self, inputs, arguments).items()}
        if any(isinstance(leaf, jax.Array) for leaf in jax.tree.leaves(values)):
            return self._evaluate(values)
        return self._numpy(checked(self, values))

    def _evaluate(self, values: Mapping[str, Any]) -> Any:
        parameters = {name: values[name] for name in self.parameters}
        return self.function(*(values[name] for name in self.inputs), **dict(self.bound), **parameters)

    @double
    def _numpy(self, values: Mapping[str, np.ndarray]) -> Any:
        # JAX arrays, so that laws that call laws are not checked again: what a law makes of its parameters may lie outside of others'.
        arrays = {name: jnp.asarray(value) for name, value in values.items()}
        try:
            return plain(self._evaluate(arrays))
        except (TypeError, ValueError) as error:
            if isinstance(error, ScalejaxError) or not re.search("shape|broadcast|dimension", str(error)):
                raise
            raise misshapen(self, values) from None

    def __deepcopy__(self, memo: Any) -> Law:
        return self  # nothing of it changes

    def __reduce__(self) -> tuple[Any, ...]:
        place = (self.function.__module__, self.function.__qualname__)
        if at_place(*place) is not self:
            raise LawError(f"Only laws at the top of a module can be pickled, and {self.name!r} is not what {'.'.join(place)} is.")
        return at_place, place

    def check_inputs(self, given: Iterable[str]) -> None:
        """Raise DataError unless `given` names all inputs and nothing else."""
        given = list(given)
        for name in given:
            if name not in self.inputs:
                raise DataError(f"Law {self.name!r} has no input {name!r}; {suggest(name, self.inputs)}")
        for name in self.inputs:
            if name not in given:
                raise DataError(f"Law {self.name!r} needs the input {name!r}; pass {name}=...")

    def check_params(self, given: Iterable[str]) -> None:
        """Raise LawError unless `given` names all parameters and nothing else."""
        if set(given) != set(self.parameters):
            raise LawError(f"Law {self.name!r} has the parameters {list(self.parameters)}, got {sorted(given)}.")

    def bind(self, **values: float) -> Law:
        """The same law with some parameters held at known values.

        >>> from scalejax import laws
        >>> laws.chinchilla.bind(E=1.69).parameters
        ('A', 'alpha', 'B', 'beta')
        """
        for name in values:
            if name not in self.parameters:
                raise LawError(f"Law {self.name!r} has no parameter {name!r}; {suggest(name, self.parameters)}")
        kept_sets = {k: replace(p, params={n: v for n, v in p.items() if n not in values}) for k, p in self.published.items()}
        bound = tuple(sorted({**dict(self.bound), **{k: float(v) for k, v in values.items()}}.items()))
        kept = tuple(p for p in self.parameters if p not in values)
        return replace(self, parameters=kept, bound=bound, published=MappingProxyType(kept_sets))

    def __repr__(self) -> str:
        held = "".join(f", {k}={v:g}" for k, v in self.bound)
        return f"{self.name}({', '.join(self.inputs)}; {', '.join(self.parameters)}{held})"


def _as_float(value: Any) -> Any:
    if isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if isinstance(value, np.ndarray | np.generic) and value.dtype.kind in "iu":
        # One number stays a Python float, which leaves the precision to the JAX arrays beside it.
        return float(value) if value.ndim == 0 else value.astype(np.float64)
    return value


@overload
def law(
    *,
    output: str = "loss",
    reference: str = "",
    published: str | Mapping[str, Published | Mapping[str, Any]] | None = None,
    linear: Sequence[str] | str = (),
    output_axis: str | None = None,
    **domains: Domain,
) -> Callable[[Callable[..., Any]], Law]: ...


@overload  # a dictionary of domains unpacked among other keywords
def law(
    **mixed: Domain | str | Sequence[str] | Mapping[str, Published | Mapping[str, Any]] | None,
) -> Callable[[Callable[..., Any]], Law]: ...


def law(
    *,
    output: Any = "loss",
    reference: Any = "",
    published: Any = None,
    linear: Any = (),
    output_axis: Any = None,
    **domains: Any,
) -> Callable[[Callable[..., Any]], Law]:
    """Turn a plain JAX function into a `Law`.

    Positional arguments of the function are inputs (columns of the runs), keyword-only arguments are parameters. Write it for one run.

    Args:
        output: name of the predicted column.
        reference: the paper.
        published: parameter sets by name, or the name of a TOML file beside the module of the function that has them as tables
            `[law.name]` with the fields of `Published`; it is read on first use. Numbers may be written as "exp(0.5)" there.
        linear: parameters in which the law is linear, all of them together; `solver="varpro"` needs some.
        output_axis: for a law with several values a run, such as one loss for every target: the axis of its parameters along which these
            lie, so that the width of the output column gives the length of the parameters.
        **domains: a `Domain` for every parameter and, where it is not `Positive()`, for inputs.

    Raises:
        LawError: if signature and domains disagree.

    Example:
        >>> import scalejax as sj
        >>> @sj.law(E=sj.Positive(0.1, 5), A=sj.Positive(1, 1e4), alpha=sj.Unit())
        ... def mine(N, *, E, A, alpha):
        ...     return E + A * N**-alpha
        >>> mine(100.0, E=1.0, A=10.0, alpha=0.5)
        2.0
    """

    def decorate(function: Callable[..., Any]) -> Law:
        name = getattr(function, "__name__", "law")
        inputs, parameters = _signature(function, name)
        missing = [p for p in parameters if p not in domains]
        if missing:
            raise LawError(f"Law {name!r}: parameter {missing[0]!r} has no domain; add {missing[0]}=Positive(low, high) to @law.")
        for key, domain in domains.items():
            if key not in inputs + parameters:
                raise LawError(f"Law {name!r}: no argument is called {key!r}; {suggest(key, inputs + parameters)}")
            if not isinstance(domain, Domain):
                raise LawError(f"Law {name!r}: {key}={domain!r} is not a domain; write for instance {key}=Positive(0.1, 10).")
        straight = (linear,) if isinstance(linear, str) else linear
        if not isinstance(straight, list | tuple) or not all(isinstance(key, str) for key in straight):
            raise LawError(f"Law {name!r}: linear={said(linear)} must name parameters, such as linear=('E', 'A').")
        straight = tuple(straight)
        for key in straight:
            if key not in parameters:
                raise LawError(f"Law {name!r}: linear names {key!r}, which is not a parameter; {suggest(key, parameters)}")
        if output_axis is not None and output_axis not in {d.axis for d in domains.values()}:
            raise LawError(f"Law {name!r}: output_axis={output_axis!r} is the axis of no parameter; give one of them axis={output_axis!r}.")
        full = {key: domains.get(key, Positive(1.0, 1e12)) for key in inputs + parameters}
        fixed = tuple((p, domain.value) for p in parameters if isinstance(domain := full[p], Fixed))
        sets = published_sets(published, function, name, frozenset(parameters) - dict(fixed).keys())
        return Law(
            function=compilable(function, name), name=name, inputs=inputs, parameters=tuple(p for p in parameters if p not in dict(fixed)),
            domains=MappingProxyType(full), output=output, reference=reference, published=sets, bound=fixed,
            linear=straight, output_axis=output_axis,
        )  # fmt: skip

    return decorate


def _signature(function: Callable[..., Any], name: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names of inputs and parameters, read from the signature."""
    inputs, parameters = [], []
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind is parameter.KEYWORD_ONLY and parameter.default is parameter.empty:
            parameters.append(parameter.name)
        elif parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD) and parameter.default is parameter.empty:
            inputs.append(parameter.name)
        else:
            raise LawError(
                f"Law {name!r}: {parameter} is neither an input (positional) nor a parameter (keyword-only, after *), or has a default; "
                "write def law(N, D, *, E, A): ..."
            )
    if not inputs or not parameters:
        raise LawError(f"Law {name!r} needs at least one input before the * and one parameter after it: def law(N, D, *, E, A): ...")
    return tuple(inputs), tuple(parameters)
