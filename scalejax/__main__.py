"""`python -m scalejax` is the command line."""

import os
import signal
import sys
from contextlib import suppress
from typing import Any

_INTERRUPTED = b"scalejax: interrupted; files written before are whole.\n"


def run() -> None:
    """The command line as a process: Ctrl-C ends it at once, in one line and with status 130, even while modules are still imported."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # not where a shell has it ignored
        signal.signal(signal.SIGINT, _stop)
    from .commands import main

    status = main()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # all is done but Python's own end, which would not say anything
    sys.exit(status)


def _stop(*_: Any) -> None:
    # No exception, which an import or a callback could swallow, and nothing after it that could fail: files are whole at any time.
    with suppress(Exception):
        sys.stdout.flush()
    with suppress(Exception):
        files = sys.modules.get("scalejax.core.files")
        for path in tuple(getattr(files, "UNFINISHED", ())):
            os.unlink(path)
    with suppress(OSError):
        os.write(2, _INTERRUPTED)
    os._exit(130)


if __name__ == "__main__":
    run()
