"""The laws by subject, one file per family, and the registry `laws`, which imports a family when one of its laws is first asked for."""

from __future__ import annotations

import ast
from pathlib import Path

from ..core.laws.registry import Listed, Registry


def _read() -> dict[str, Listed]:
    """Every function under the decorator `law`, read from the sources: listing the laws does not need JAX."""
    found = {}
    for path in sorted(Path(__file__).parent.glob("*/*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef) and any(ast.unparse(d).startswith("law(") for d in node.decorator_list):
                summary = (ast.get_docstring(node) or node.name).splitlines()[0]
                found[node.name] = Listed(f"{__name__}.{path.parent.name}.{path.stem}", tuple(a.arg for a in node.args.args), summary)
    return found


laws = Registry(_read)

__all__ = ["laws"]
