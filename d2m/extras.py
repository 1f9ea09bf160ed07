"""Packages that only some commands need, and the error for one that is not installed."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from d2m.errors import D2MError

#: Name of the project on PyPI.
DISTRIBUTION = "d2m-music"


def require(module: str, extra: str, purpose: str) -> None:
    """Check that a package of an extra of setup.cfg is installed.

    Args:
        module: import name of the package.
        extra: name of the extra that installs it.
        purpose: subject of the error message, in the singular: what needs the package.

    Raises:
        D2MError: if the package is not installed; the message contains the command that installs the extra.
    """
    if find_spec(module) is None:
        raise D2MError(
            f"{purpose} needs the packages of the extra '{extra}'; install with pip install {_requirement(extra)}"
        )


def _requirement(extra: str) -> str:
    """Return pip's argument: the checkout that d2m is imported from, or else the distribution."""
    checkout = Path(__file__).resolve().parent.parent
    return f'-e ".[{extra}]"' if (checkout / "setup.cfg").is_file() else f'"{DISTRIBUTION}[{extra}]"'
