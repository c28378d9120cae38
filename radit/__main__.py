"""``python -m radit``: the command line."""

import sys

from radit.cli import main

sys.exit(main())
