"""Messages in the language of the command line: options in place of Python's keywords, verbs in place of functions."""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping

# Keywords whose options have other names, and functions whose verbs have.
_OPTIONS = {"scale": "larger_in", "kl": "kl_weight"}
_VERBS = {"compute_multiplier": "multiplier", "pareto": "front", "optimal_mixture": "mixture", "optimal_schedule": "schedule"}
_PHRASES = (
    (re.compile(r"(?:sj\.)?load_fit\(path, law=(\w+)\)"), r"--law FILE.py:\1"),
    (re.compile(r"(?:sj\.)?read_runs\(\.\.\., (\w+)=([^)]*)\)"), r"--columns \1=\2"),
    (re.compile(r"\bread_runs leave such rows out with"), "this verb leave such rows out with"),
    (re.compile(r"(?:sj\.)?(?:fit|draws)\.save\(path\)"), "scalejax fit --out PATH"),
    (re.compile(r"(?:sj\.)?posterior\.save\(path\)"), "scalejax sample --out PATH"),
    (re.compile(r"\bprint\(fit\)"), "the printed fit"),
    (re.compile(r", or a mapping from run names to tables, such as \{[^}]*\}"), ""),
    (re.compile(r"candidates \(a table of runs\)"), "candidates="),
    (re.compile(r" An optax transformation works too\."), ""),
)
_MAPPING = re.compile(r"\b(\w+)=\{'(\w+)': ([^{}()]*|\([^{}()]*\))\}")
_KEYWORD = re.compile(r"(?<![\w.'-])(?<!--columns )(\w+)=(?:'([^']*)'|([\w.+-]+(?<!\.)|\.\.\.)?)")
_CALL = re.compile(r"(?<![\w.])(?:sj\.)?([a-z_]+)\(\)")


def in_options(message: str, parser: argparse.ArgumentParser, verbs: Mapping[str, argparse.ArgumentParser]) -> str:
    """A message of a function, as one who typed a verb would write it.

    Args:
        message: a sentence, such as "allocate() takes either compute= or loss=".
        parser: of the verb. verbs: name to parser of all verbs.
    """
    texts = {text.removeprefix("--").replace("-", "_"): text for action in parser._actions for text in action.option_strings}

    def option(name: str) -> str | None:
        return texts.get(name) or texts.get(_OPTIONS.get(name, ""))

    def mapping(m: re.Match[str]) -> str:
        value = m[3].strip("()").replace(", ", ":") if m[3].startswith("(") else m[3].strip("'")
        return f"{option(m[1])} {m[2]}={value}" if option(m[1]) else m[0]

    def keyword(m: re.Match[str]) -> str:
        value = (m[2] if m[2] is not None else m[3] or "").removesuffix("...")
        bare = not value and m.string[m.end() : m.end() + 1] not in ("[", "{", "(")
        return f"{option(m[1])} {value}".rstrip() + ("" if value or bare else " ") if option(m[1]) else m[0]

    def call(m: re.Match[str]) -> str:
        name = _VERBS.get(m[1], m[1].replace("_", "-"))
        return f"scalejax {name}" if name in verbs else m[0]

    for pattern, said in _PHRASES:
        message = pattern.sub(said, message)
    return _CALL.sub(call, _KEYWORD.sub(keyword, _MAPPING.sub(mapping, message)))
