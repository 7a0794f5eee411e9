"""Run every benchmark and write one table: `python -m benchmarks [folder]`."""

from __future__ import annotations

import sys
from pathlib import Path

from scalejax.core.files import write_text

from . import (
    calibration,
    chain,
    chinchilla,
    crossed,
    decisions,
    derive,
    embedded,
    linear,
    loss_curves,
    many,
    mixtures,
    posteriors,
    procedure,
    schedules,
    simulators,
    terms,
)

# Longer ones run by themselves: `python -m benchmarks.coverage`, `.design`, `.hierarchy`, `.laws`, `.scaling`.
BENCHMARKS = (
    embedded,
    chinchilla,
    procedure,
    many,
    chain,
    crossed,
    terms,
    linear,
    decisions,
    derive,
    loss_curves,
    schedules,
    mixtures,
    posteriors,
    simulators,
    calibration,
)

if __name__ == "__main__":
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path("benchmarks/results")
    tables = [table.markdown() for module in BENCHMARKS for table in module.main()]
    print(f"wrote {write_text(folder / 'benchmarks.md', chr(10).join(t + chr(10) for t in tables))}")
