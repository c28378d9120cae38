"""The command line as a program: ``python -m radit``, and what the command ``radit`` starts."""

import os
import signal
import sys

INTERRUPTED = 130


def start() -> None:
    """Run the command line and end the process; Ctrl-C ends it at once, also while it loads."""
    try:
        from radit.cli import main

        status = main()
    except KeyboardInterrupt:
        sys.stderr.write("radit: interrupted.\n")
        status = INTERRUPTED
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever presses it now is not answered with a traceback
    if status == INTERRUPTED:
        os._exit(status)  # threads may still be at work
    sys.exit(status)


if __name__ == "__main__":
    start()
