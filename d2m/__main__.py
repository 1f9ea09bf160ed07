"""Entry point of ``python -m d2m``: the command line without its script."""

from __future__ import annotations

import sys

from d2m.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
