"""Does the law that small runs choose predict the large ones? The embedded suite, its largest runs held out.

Figures that papers state are not here but in `make claims`.
"""

from __future__ import annotations

import scalejax as sj
from scalejax.commands.demo import choose, holdout, split
from scalejax.core.table import Table


def main() -> list[Table]:
    """Print the table and return it."""
    train, held = split(sj.datasets.load("pylib"))
    own = holdout(choose(train), train, held)
    print(own.text() + "\n")
    return [own]


if __name__ == "__main__":
    main()
