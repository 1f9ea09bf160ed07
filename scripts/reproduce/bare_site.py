"""Make a folder of links to the packages that a bare GPU machine has, to try there what trains here.

    python scripts/reproduce/bare_site.py FOLDER
    PYTHONPATH=FOLDER:... python -S -m d2m ...       # -S hides the other installed packages

The packages are torch, lightning, numpy, scipy and safetensors with what they require; librosa, mediapipe, av and the
like are not among them.
"""

from __future__ import annotations

import os
import re
import sys
from importlib import metadata
from pathlib import Path

#: What the machine has.
PACKAGES = ("torch", "lightning", "numpy", "scipy", "safetensors", "setuptools")


def required(names: tuple[str, ...]) -> set[str]:
    """Return the names of packages and of all that they require."""
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        name = re.sub(r"[-_.]+", "-", waiting.pop()).lower()
        if name in found:
            continue
        try:
            requirements = metadata.requires(name) or []
        except metadata.PackageNotFoundError:
            continue  # for another system
        found.add(name)
        waiting += [re.split(r"[ ;<>=!~\[(]", line)[0] for line in requirements if "extra ==" not in line]
    return found


def link(names: set[str], folder: Path) -> None:
    """Link the files of packages below a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        for file in metadata.files(name) or []:
            top = file.parts[0]
            target = folder / top
            if top in ("..", "__pycache__") or target.is_symlink():
                continue
            source = Path(str(file.locate())).parents[len(file.parts) - 1] / top
            if source.exists():
                # Namespaces that several packages fill, such as nvidia, are one folder here, too.
                os.symlink(source, target)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python scripts/reproduce/bare_site.py FOLDER")
    link(required(PACKAGES), Path(sys.argv[1]))
