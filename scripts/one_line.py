"""Error handling of scripts: one line on stderr, and exit status 1."""

from __future__ import annotations

import sys
from collections.abc import Callable

from d2m.errors import D2MError


def run_main(main: Callable[[], None]) -> None:
    """Call a script's ``main``; errors of its input become one line on stderr."""
    try:
        main()
    except D2MError as error:
        sys.exit(f"error: {error}")
    except OSError as error:
        # Without a file it is no matter of the input.
        if error.filename is None:
            raise
        sys.exit(f"error: {error.filename}: {(error.strerror or str(error)).lower()}")
    except KeyboardInterrupt:
        sys.exit(130)
