"""Laws in a chain: the output of one law is an input of the next."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from ..edge.public import edged
from ..errors import LawError, suggest
from ..lazy import late
from ..numeric.kept import remembered
from .domains import Domain
from .law import Law


@dataclass(frozen=True)
class Stage:
    """One law of a chain.

    Attributes:
        name: the column that it predicts.
        law: the law.
        renamed: (input of the law, what it is called in the chain).
        takes: names of the stages whose outputs are inputs of this one.
        parameters: (parameter of the law, what it is called in the chain).
    """

    name: str
    law: Law
    renamed: tuple[tuple[str, str], ...] = ()
    takes: tuple[str, ...] = ()
    parameters: tuple[tuple[str, str], ...] = ()

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the law's inputs in the chain, in the law's order."""
        names = dict(self.renamed)
        return tuple(names.get(name, name) for name in self.law.inputs)

    def value(self, values: Mapping[str, Any], params: Mapping[str, Any]) -> Any:
        """The law at values of its inputs and at parameters of the chain."""
        own = {name: params[called] for name, called in self.parameters}
        return self.law.function(*(values[name] for name in self.inputs), **dict(self.law.bound), **own)


@edged
@dataclass(frozen=True, eq=False, repr=False)
class Chain(Law):
    """Several laws as one: a law of the first stages' inputs and of all parameters, whose value is the last stage's output.

    Made by `chain`. It is a `Law`, so that every decision takes it; `sj.fit` fits all stages at once.

    Attributes:
        stages: in the order in which they are computed.
    """

    stages: tuple[Stage, ...] = ()

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the stages, in the order in which they are computed."""
        return tuple(stage.name for stage in self.stages)

    def stage(self, name: str) -> Stage:
        """The stage that predicts `name`."""
        for stage in self.stages:
            if stage.name == name:
                return stage
        raise LawError(f"The chain has no stage {name!r}; {suggest(name, self.outputs)}")

    def leading_to(self, output: str) -> tuple[Stage, ...]:
        """The stages that `output` is computed from, itself last."""
        needed = {self.stage(output).name}
        for stage in reversed(self.stages):
            needed |= set(stage.takes) if stage.name in needed else set()
        return tuple(stage for stage in self.stages if stage.name in needed)

    def of(self, output: str | None = None, below: float | None = None) -> Law:
        """The law of one stage's output, from the inputs that it needs and all parameters of the chain; default the last stage's.

        Decisions look for the lowest value of a law. Of an accuracy that is to be high, `below=1.0` gives 1 - accuracy.

        >>> import scalejax as sj
        >>> both = sj.chain(nll=sj.laws.llama3_nll, accuracy=sj.laws.llama3_accuracy)
        >>> both.of("nll").inputs
        ('C',)
        """
        output = self.output if output is None else self.stage(output).name
        return self if output == self.output and below is None else _law_of(self, output, below)

    def needs(self, output: str) -> tuple[str, ...]:
        """Inputs of the chain that `output` depends on."""
        return outer_inputs(self.leading_to(output))

    def values(self, inputs: Mapping[str, Any], params: Mapping[str, Any], upto: str | None = None) -> dict[str, Any]:
        """Output of every stage (or of those that lead to `upto`) as plain JAX functions of inputs and parameters."""
        known = dict(inputs)
        for stage in self.stages if upto is None else self.leading_to(upto):
            known[stage.name] = stage.value(known, params)
        return {name: value for name, value in known.items() if name not in inputs}

    def bind(self, **values: float) -> Chain:
        """The same chain with some parameters held at known values."""
        for name in values:
            self.check_parameter("bind()", name)
        bound = []
        for stage in self.stages:
            own = {name: values[called] for name, called in stage.parameters if called in values}
            kept = tuple(pair for pair in stage.parameters if pair[1] not in values)
            bound.append(replace(stage, law=stage.law.bind(**own), parameters=kept))
        return _assembled(tuple(bound), self.output)

    def check_parameter(self, where: str, name: str) -> None:
        """Raise LawError unless `name` is a parameter of the chain; say which are meant where several stages have it."""
        if name in self.parameters:
            return
        meant = [called for stage in self.stages for own, called in stage.parameters if own == name]
        if meant:
            raise LawError(f"{where} names {name!r}, which several stages have; say which: {' or '.join(map(repr, meant))}.")
        raise LawError(f"{where} names {name!r}, which is not a parameter of {self.name!r}; {suggest(name, self.parameters)}")


def chain(**stages: Law | str | tuple[Law | str, Mapping[str, str]]) -> Chain:
    r"""Join laws whose outputs are inputs of others, such as compute -> loss -> accuracy:

        loss = f(x; theta_1),    accuracy = g(loss, z; theta_2),    accuracy(x, z) = g(f(x; theta_1), z; theta_2)

    Args:
        **stages: what a law predicts = the law or its name, the answer last. An output goes by name into every law with an input of
            that name; where the law calls it differently, give (law, {"its input": "output of the chain"}). Several laws may take one
            output, such as eight benchmarks from one loss.

    Returns:
        Chain, a `Law` of the inputs x and z and of all parameters. A parameter name that several laws have is prefixed by the stage,
        `accuracy_alpha`, in all of them; the others keep their names. `sj.fit(chain, table)` fits it to tables with some or all of the
        outputs.

    Raises:
        LawError: if laws need each other in a circle, or a stage neither takes nor gives anything.

    Example:
        >>> import scalejax as sj
        >>> both = sj.chain(nll=sj.laws.llama3_nll, accuracy=sj.laws.llama3_accuracy)
        >>> both
        chain(nll, accuracy)(C; s, t, L_0, r, k, x_0)
        >>> round(both(C=1e24, s=-0.2, t=5.5, L_0=0.25, r=0.8, k=10.0, x_0=0.7), 4)
        0.55

    References: Grattafiori et al. 2024, arXiv:2407.21783, section 3.2.1; Gadre et al. 2024, arXiv:2403.08540.
    """
    if not stages:
        raise LawError("chain() needs laws: sj.chain(loss=law_1, accuracy=law_2).")
    found = {name: _stage(name, given, stages) for name, given in stages.items()}
    if len(found) > 1:
        for name, stage in found.items():
            if not stage.takes and not any(name in other.takes for other in found.values()):
                takes = "; ".join(f"{n} takes {', '.join(s.inputs)}" for n, s in found.items() if n != name)
                raise LawError(f"No law takes {name!r}, and it takes no other's output ({takes}); say (law, {{'its input': {name!r}}}).")
    last = list(stages)[-1]
    taker = next((stage.name for stage in found.values() if last in stage.takes), None)
    ordered = _ordered(found)
    if taker:
        raise LawError(f"The last output {last!r} is an input of {taker!r}; name the stage last whose output the chain is to predict.")
    counts = Counter(p for stage in ordered for p in stage.law.parameters)
    named = tuple(
        replace(stage, parameters=tuple((p, f"{stage.name}_{p}" if counts[p] > 1 else p) for p in stage.law.parameters))
        for stage in ordered
    )
    called = Counter(c for stage in named for _, c in stage.parameters)
    twice = [name for name, count in called.items() if count > 1]
    if twice:
        raise LawError(f"Two parameters of the chain would be called {twice[0]!r}; rename a stage.")
    return _assembled(named, last)


def _stage(name: str, given: Any, stages: Mapping[str, Any]) -> Stage:
    law, renamed = given if isinstance(given, tuple) and len(given) == 2 else (given, {})
    law = late("zoo", "laws")[law] if isinstance(law, str) else law
    if not isinstance(law, Law) or isinstance(law, Chain):
        raise LawError(f"chain({name}={given!r}) is not a law; pass a law such as sj.laws.chinchilla, or (law, {{'its input': 'output'}}).")
    if law.output_axis is not None:
        raise LawError(f"Law {law.name!r} has several values a run and cannot be a stage; chain one law an output.")
    for own in renamed:
        if own not in law.inputs:
            raise LawError(f"chain({name}=...) renames {own!r}, which is not an input of {law.name!r}; {suggest(own, law.inputs)}")
    stage = Stage(name, law, tuple(renamed.items()))
    return replace(stage, takes=tuple(dict.fromkeys(n for n in stage.inputs if n in stages)))


def _ordered(stages: Mapping[str, Stage]) -> tuple[Stage, ...]:
    """Stages so that each comes after those it takes."""
    done: dict[str, Stage] = {}
    while len(done) < len(stages):
        ready = [s for name, s in stages.items() if name not in done and all(t in done for t in s.takes)]
        if not ready:
            circle = [name for name in stages if name not in done]
            raise LawError(f"The laws of {' and '.join(circle)} need each other in a circle, so that none can be computed first; break it.")
        done.update({s.name: s for s in ready})
    return tuple(done.values())


def outer_inputs(stages: tuple[Stage, ...]) -> tuple[str, ...]:
    """Inputs of these stages that none of them predicts."""
    inner = {stage.name for stage in stages}
    return tuple(dict.fromkeys(name for stage in stages for name in stage.inputs if name not in inner))


def chain_domains(stages: tuple[Stage, ...]) -> dict[str, Domain]:
    """Domains of the inputs and parameters of stages by their names in the chain."""
    domains: dict[str, Domain] = {}
    for stage in stages:
        for own, called in (*zip(stage.law.inputs, stage.inputs, strict=True), *stage.parameters):
            domains.setdefault(called, stage.law.domains[own])
    return domains


def _assembled(stages: tuple[Stage, ...], last: str) -> Chain:
    """The chain of these stages."""
    inputs = outer_inputs(stages)
    parameters = tuple(called for stage in stages for _, called in stage.parameters)
    both = [name for name in parameters if name in (*inputs, *(stage.name for stage in stages))]
    if both:
        raise LawError(f"{both[0]!r} is a parameter of one stage and a column of another; rename the column in the chain.")
    if not parameters:
        raise LawError("Every parameter of the chain is bound; leave at least one free.")
    domains = chain_domains(stages)
    name = f"chain({', '.join(stage.name for stage in stages)})"
    return Chain(
        function=_function(stages, last), name=name, inputs=inputs, parameters=parameters, domains=MappingProxyType(domains),
        output=last, reference="; ".join(dict.fromkeys(s.law.reference for s in stages if s.law.reference)), stages=stages,
    )  # fmt: skip


def _law_of(joined: Chain, output: str, below: float | None) -> Law:
    """See `Chain.of`."""
    stages = joined.leading_to(output)
    inputs = outer_inputs(stages)
    domains = {name: d for name, d in joined.domains.items() if name in (*inputs, *joined.parameters)}
    function = _function(stages, output, below)
    return Law(
        function=function, name=joined.name, inputs=inputs, parameters=joined.parameters, domains=MappingProxyType(domains),
        output=output, reference=joined.reference,
    )  # fmt: skip


@remembered
def _function(stages: tuple[Stage, ...], output: str, below: float | None = None) -> Any:
    """The law's function, the same for equal stages, so that compiled programs are found again."""
    inputs = outer_inputs(stages)

    def composed(*values: Any, **params: Any) -> Any:
        known = dict(zip(inputs, values, strict=False)) | {name: params[name] for name in inputs[len(values) :]}
        for stage in stages:
            known[stage.name] = stage.value(known, params)
        return known[output] if below is None else below - known[output]

    links = " -> ".join(stage.name for stage in stages)
    formulas = "\n".join(f"    {stage.name} = {stage.law.name}({', '.join(stage.inputs)})" for stage in stages)
    composed.__doc__ = f"Laws in a chain, {links}.\n\n{formulas}\n\nEvery output is an input of the laws after it."
    return composed
