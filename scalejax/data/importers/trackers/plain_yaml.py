"""The scalars of a plain YAML file, such as hparams.yaml and meta.yaml, by names with dots."""

from __future__ import annotations

import re

_PAIR = re.compile(r"( *)([^\s:#][^:]*):(?:\s+(.*))?")


def scalars(text: str) -> dict[str, str]:
    """Keys and texts of mappings of scalars; lists, anchors and texts of several lines are passed by.

    >>> scalars("model:\\n  width: 512  # d\\nlr: '3e-4'\\nsizes:\\n- 1\\n")
    {'model.width': '512', 'lr': '3e-4'}
    """
    found: dict[str, str] = {}
    above: list[tuple[int, str]] = []
    for line in text.splitlines():
        pair = _PAIR.fullmatch(line.rstrip())
        if not pair:
            continue
        indent, key, value = len(pair[1]), pair[2].strip("'\" "), pair[3] or ""
        above = [(depth, name) for depth, name in above if depth < indent]
        value = value.split(" #")[0].strip()
        if value in ("", "|", ">", "{}", "[]") or value[0] in "&*[{!":
            above.append((indent, key))
        else:
            quoted = len(value) > 1 and value[0] in "'\"" and value[-1] == value[0]
            found[".".join([*(name for _, name in above), key])] = value[1:-1] if quoted else value
    return found
