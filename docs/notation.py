"""Formulas as docstrings write them, `L = E + A N^-alpha`, as LaTeX."""

from __future__ import annotations

import re

GREEK = {
    "alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa", "lambda", "mu", "nu", "xi", "pi", "rho", "sigma",
    "tau", "phi", "chi", "psi", "omega", "Gamma", "Delta", "Lambda", "Phi", "Omega",
}  # fmt: skip
NAMED = {"lam": r"\lambda", "eps": r"\epsilon", "ell": r"\ell", "inf": r"\infty", "sum": r"\sum", "prod": r"\prod"}
FUNCTIONS = {name: rf"\{name}" for name in ("exp", "log", "ln", "min", "max", "tanh", "argmin", "argmax")} | {
    name: rf"\operatorname{{{name}}}" for name in ("sech", "asin", "softmin", "sigm", "sqrt", "median", "Cov", "Var", "mean", "sd")
}
WORDS = {"if", "for", "else", "where", "that", "is", "over", "the", "with", "as", "before", "both", "scaled", "to", "subject", "at", "of"}
SIGNS = {"<=": r"\le ", ">=": r"\ge ", "..": r"\dots ", "||": r"\,\|\,", "->": r"\to ", "±": r"\pm "}

TOKEN = re.compile(
    r"(?P<gap>\s+)|(?P<number>\d+(?:\.\d+)?(?:e-?\d+)?)|(?P<sign><=|>=|\.\.|\|\||->)"
    r"|(?P<hat>[^\W\d_]+\^(?=[\s)]))|(?P<name>[^\W\d_]\u0302?[^\W_]*(?:_[^\W_]+(?:,[a-z])?)*[*']?)|(?P<other>.)"
)


def latex(text: str) -> str:
    """One line of a docstring's formula as LaTeX."""
    tokens = [(m.lastgroup or "other", m.group()) for m in TOKEN.finditer(text.strip())]
    return "".join(_joined(tokens)).replace("  ", " ").strip()


def display(formula: list[str]) -> str:
    """All lines of a formula, what stands apart on lines of its own, aligned at the left."""
    lines = [part.strip() for line in formula for part in re.split(r",?\s{3,}", line) if part.strip()]
    if len(lines) == 1:
        return latex(lines[0])
    return r"\begin{array}{l} " + r" \\ ".join(latex(line) for line in lines) + r" \end{array}"


def _joined(tokens: list[tuple[str, str]]) -> list[str]:
    out: list[str] = []
    at = 0
    while at < len(tokens):
        kind, word = tokens[at]
        at += 1
        if kind == "other" and word in "^_":
            piece, at = _argument(tokens, at)
            out.append(f"{word}{{{piece}}}")
        elif kind == "gap":
            out.append(" " if len(word) < 3 else r" \quad ")
        else:
            out.append(_one(kind, word))
    return out


def _argument(tokens: list[tuple[str, str]], at: int) -> tuple[str, int]:
    """What a `^` or a `_` raises or lowers: a sign with a name, a number, or a bracket, whose own brackets go where they are round."""
    sign = ""
    if at < len(tokens) and tokens[at][1] in "-+":
        sign, at = tokens[at][1], at + 1
    if at >= len(tokens):
        return sign, at
    if tokens[at][1] not in "({":
        return sign + _one(*tokens[at]), at + 1
    close, depth, end = {"(": ")", "{": "}"}[tokens[at][1]], 0, at
    while end < len(tokens):
        depth += (tokens[end][1] == tokens[at][1]) - (tokens[end][1] == close)
        if depth == 0:
            break
        end += 1
    inside = "".join(_joined(tokens[at + 1 : end]))
    return (f"{sign}({inside})" if sign else inside), end + 1


def _one(kind: str, word: str) -> str:
    if kind == "number":
        mantissa, _, power = word.partition("e")
        return (f"{mantissa} \\cdot 10^{{{power}}}" if mantissa != "1" else f"10^{{{power}}}") if power else word
    if kind == "sign":
        return SIGNS[word]
    if kind == "hat":
        return rf"\hat{{{_name(word[:-1])}}}"
    if kind == "name":
        return rf"\;\text{{{word}}}\;" if word in WORDS else _name(word) + " "
    return {"{": r"\{", "}": r"\}", "%": r"\%", "&": r"\&", "~": r"\sim ", "#": r"\#"}.get(word, word)


def _name(word: str) -> str:
    """A name with its subscripts, hat, prime and star."""
    mark = {"'": "'", "*": "^{*}"}.get(word[-1], "")
    base, *below = (word[:-1] if mark else word).split("_")
    hat = base in ("Â", "Ê", "B̂", "B\u0302", "A\u0302", "E\u0302")
    base = {"Â": "A", "Ê": "E"}.get(base, base.replace("\u0302", ""))
    if match := re.fullmatch(r"([^\W\d]+?)(\d+)", base):
        base, below = match[1], [match[2], *below]
    core = FUNCTIONS.get(base) or NAMED.get(base) or (rf"\{base}" if base in GREEK else base if len(base) == 1 else rf"\mathrm{{{base}}}")
    core = rf"\hat{{{core}}}" if hat else core
    subscript = ",".join(_below(part) for part in below)
    whole = core + (f"_{{{subscript}}}" if subscript else "") + mark
    return f"{{{whole}}}" if mark else whole  # what is raised next is raised over the mark, too


def _below(part: str) -> str:
    pieces = part.split(",")
    return ",".join(NAMED.get(p) or (rf"\{p}" if p in GREEK else p if len(p) < 2 or p.isdigit() else rf"\mathrm{{{p}}}") for p in pieces)
