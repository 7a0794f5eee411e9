"""Pieces of the command line that the verbs share: reading name=value, numbers, saved fits and posteriors; showing tables."""

from __future__ import annotations

import argparse
import inspect
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.errors import DecisionError, ScalejaxError, suggest
from .shell.output import format_options, picture
from .shell.own_laws import own_law_option

if TYPE_CHECKING:
    import numpy as np

    from ..fitting.result import Fit
    from ..fitting.uncertainty.draws import Draws
    from ..posteriors.posterior import Posterior


def verb(
    verbs: Any, name: str, help_: str, run: Callable[..., None], *options: Callable[[argparse.ArgumentParser], None], epilog: str = ""
) -> None:
    """Add a verb with its options and examples to a subparsers object."""
    about = f"examples, with the files that `scalejax examples` writes:\n\n{epilog}" if epilog else ""
    parser = verbs.add_parser(name, help=help_, description=help_, epilog=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    for add in (*options, format_options):
        add(parser)
    parser.set_defaults(run=run, verb=name)


def pairs(texts: Sequence[str], option: str) -> dict[str, str]:
    """name=value texts as a mapping."""
    found = {}
    for text in texts:
        name, sign, value = text.partition("=")
        if not (sign and name.strip() and value.strip()):
            raise ScalejaxError(f"{option} {text!r} must read name=value.")
        found[name.strip()] = value.strip()
    return found


def number(text: str, option: str) -> float:
    """A number, such as 7e9, or as people write them, 7B, or a sentence."""
    try:
        return float(text)
    except ValueError:
        from ..data.cells import read_cell  # takes a while

        found = read_cell(text)
        if found is None:
            raise ScalejaxError(f"{option}: {text!r} is not a number.") from None
        return found.value


def quantity(text: str) -> float:
    """A number of an option, as `number` reads it."""
    return number(text, "value")


quantity.__name__ = "number"  # as argparse calls what it could not read


def count(text: str) -> int:
    """A whole number from 0, such as a seed."""
    if not text.isdecimal() or len(text) > 18:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0")
    return int(text)


def between(text: str) -> tuple[float, float]:
    """A range, LOW:HIGH."""
    low, sign, high = text.partition(":")
    if not sign:
        raise argparse.ArgumentTypeError(f"{text!r} is not a range LOW:HIGH, such as 1e6:1e12")
    return number(low, "range"), number(high, "range")


def level(text: str) -> float:
    """A level of confidence, between 0 and 1."""
    found = number(text, "level")
    if not 0 < found < 1:
        raise argparse.ArgumentTypeError(f"{text!r} does not lie between 0 and 1, such as 0.9")
    return found


def seed_option(parser: argparse.ArgumentParser, of: str) -> None:
    """--seed."""
    parser.add_argument("--seed", type=count, default=0, help=f"of {of}, a whole number from 0 (default 0)")


def level_option(parser: argparse.ArgumentParser) -> None:
    """--level."""
    parser.add_argument("--level", type=level, default=0.9, help="level of the intervals (default 0.9)")


def plot_option(parser: argparse.ArgumentParser) -> None:
    """--plot."""
    parser.add_argument("--plot", type=Path, metavar="FILE", help="save a picture, .png, .svg or .pdf")


def values(texts: Sequence[str], option: str) -> dict[str, Any]:
    """name=number texts as a mapping; name=1,2,3 gives an array."""
    found = {}
    for name, text in pairs(texts, option).items():
        parts = [number(part, option) for part in text.split(",")]
        found[name] = parts[0] if len(parts) == 1 else _array(parts)
    return found


def _array(parts: Sequence[float]) -> np.ndarray:
    import numpy as np  # takes a while, and help needs none

    return np.asarray(parts)


def ranges(texts: Sequence[str], option: str) -> dict[str, tuple[float, float]]:
    """name=low:high texts as a mapping."""
    found = {}
    for name, text in pairs(texts, option).items():
        try:
            found[name] = between(text)
        except argparse.ArgumentTypeError:
            raise ScalejaxError(f"{option} {name}={text!r} must read {name}=low:high, such as {name}=1e6:1e12.") from None
    return found


def made(text: str, makers: Mapping[str, tuple[Callable[..., Any], str]], option: str, **given: Any) -> Any:
    """What `name` or `name:number` asks for, of a family such as the losses: functions, with the argument that the number is for."""
    name, colon, argument = text.partition(":")
    if name not in makers:
        raise ScalejaxError(f"{option} {name!r} is unknown; {suggest(name, makers)}")
    make, parameter = makers[name]
    if colon and not parameter:
        raise ScalejaxError(f"{option} {text!r}: {name} takes no number.")
    return make(**given, **({parameter: number(argument, option)} if colon else {}))


def common(parser: argparse.ArgumentParser) -> None:
    """Options of every verb that decides."""
    parser.add_argument("--given", nargs="+", default=[], metavar="INPUT=VALUE", help="other inputs of law and cost, such as U=25e9")
    parser.add_argument(
        "--bootstrap", type=count, default=1000, metavar="N", help="replicates for intervals of fits (default 1000; 0: Laplace)"
    )
    parser.add_argument("--group", type=_group, help="which group of a grouped fit; COLUMN=NAME,... where groups cross")
    level_option(parser)
    seed_option(parser, "the bootstrap")
    plot_option(parser)
    own_law_option(parser)


def _group(text: str) -> str | dict[str, str]:
    """A group by its name, or by its columns."""
    parts = text.split(",")
    return pairs(parts, "--group") if all("=" in part for part in parts) else text


def weight_limits(parser: argparse.ArgumentParser) -> None:
    """What training proportions must keep to."""
    parser.add_argument("--worst", action="store_true", help="minimise the worst target")
    ways = "one for all, one for every domain in order, or DOMAIN=VALUE for some"
    for name, text in (("caps", "largest weight"), ("floors", "smallest weight"), ("available", "unique tokens (inf: unlimited)")):
        parser.add_argument(f"--{name}", nargs="+", type=_limit, metavar="VALUE", help=f"{text}: {ways}")
    parser.add_argument("--tokens", type=quantity, help="tokens to train on (default D of the run)")
    parser.add_argument("--epochs", type=float, default=1.0, help="how often a domain may be repeated (default 1)")
    parser.add_argument("--kl-weight", type=float, default=0.0, help="weight of the divergence from equal weights, in units of the loss")


def _limit(text: str) -> float | tuple[str, float]:
    """A number, or DOMAIN=NUMBER."""
    name, _, value = text.rpartition("=")
    try:
        return (name, float(value)) if name else float(value)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is neither a number nor DOMAIN=NUMBER") from None


def limits_of(options: argparse.Namespace) -> dict[str, Any]:
    """What `weight_limits` asks for, as arguments of `optimal_mixture`."""

    def limits(option: str, default: float | None) -> Any:
        given = getattr(options, option)
        named = [isinstance(limit, tuple) for limit in given or []]
        if any(named) and not all(named):
            raise DecisionError(f"--{option} mixes DOMAIN=VALUE with bare numbers; name every one, or none.")
        return default if given is None else dict(given) if any(named) else given[0] if len(given) == 1 else given

    return {
        "worst": options.worst, "caps": limits("caps", 1.0), "floors": limits("floors", 0.0),
        "available": limits("available", None), "tokens": options.tokens, "epochs": options.epochs, "kl_weight": options.kl_weight,
    }  # fmt: skip


def saved(path: Path) -> Fit | Posterior:
    """The saved fit, or the saved posterior, which is a zip file whatever its name."""
    from ..fitting.storage import load_fit
    from ..posteriors.storage import load_posterior

    try:
        with path.open("rb") as file:
            packed = file.read(2) == b"PK"
    except OSError:
        packed = path.suffix == ".npz"  # the reader says what is wrong with the file
    return load_posterior(path) if packed else load_fit(path)


def draws_of(path: Path, options: argparse.Namespace) -> Fit | Draws:
    """A saved posterior; bootstrap draws of a saved fit, or the fit itself with --bootstrap 0."""
    from ..fitting.uncertainty.bootstrap import bootstrap
    from ..fitting.uncertainty.draws import Draws

    found = saved(path)
    if isinstance(found, Draws) or not options.bootstrap:
        return found
    return bootstrap(found, options.bootstrap, seed=options.seed)


def cost_of(name: str) -> Callable[..., Any]:
    """A cost by its name in `sj.costs`."""
    from ..decisions import costs

    known = [n for n in costs.__all__ if callable(getattr(costs, n)) and n not in ("seconds", "dollars")]
    if name not in known:
        raise ScalejaxError(f"There is no cost {name!r}; {suggest(name, known)}")
    return getattr(costs, name)


def show(answer: Any, options: argparse.Namespace, draw: Callable[[], Any] | None = None, table: Any = None) -> None:
    """Print a result by its table, or a table alone, in the form that was asked for, and save the picture."""
    options.output.show(answer, table)
    if draw:
        picture(draw, options)


def asked(function: Callable[..., Any], given: Mapping[str, Any], option: str, reserved: Sequence[str] = ()) -> Mapping[str, Any]:
    """Inputs that are passed on to a function by name, none of which may be the name of an argument of its own."""
    own = {n for n, p in inspect.signature(function).parameters.items() if p.kind is not p.VAR_KEYWORD} | {*reserved}
    for name in given:
        if name in own:
            raise ScalejaxError(f"{option} {name!r} is no input of a law or a cost, but what this verb has an argument of its own for.")
    return given
