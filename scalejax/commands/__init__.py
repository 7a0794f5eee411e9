"""The command line: its entry, the verbs, and what they share."""

from __future__ import annotations

import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status: 0, 2 for a question that has no answer, 130 after an interrupt."""
    try:
        from .cli import main as run  # takes long enough to be interrupted

        return run(arguments)
    except KeyboardInterrupt:
        print("scalejax: interrupted; files written before are whole.", file=sys.stderr)
        return 130
