"""Check the static types of every installed package with mypy.

    python scripts/check_types.py [options of mypy]

mypy finds a package by its folder's name, but ``package_dir`` in setup.cfg keeps some folders elsewhere. The folder
``.mypy_cache/tree`` therefore gets links in the layout of the installed packages, and mypy runs there with the settings
of setup.cfg.
"""

from __future__ import annotations

import configparser
import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / ".mypy_cache"
TREE = CACHE / "tree"


def main() -> None:
    folders = package_folders()
    link(folders)
    command = [sys.executable, "-m", "mypy", "--config-file", str(ROOT / "setup.cfg"), "--cache-dir", str(CACHE)]
    finished = subprocess.run([*command, *sys.argv[1:]], cwd=TREE, capture_output=True, text=True)
    sys.stderr.write(finished.stderr)
    sys.stdout.write(in_checkout(finished.stdout, folders))
    raise SystemExit(finished.returncode)


def package_folders() -> dict[str, Path]:
    """Return the folder of each package that ``package_dir`` in setup.cfg names, relative to the checkout."""
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg", encoding="utf-8")
    lines = config["options"]["package_dir"].strip().splitlines()
    pairs = (line.split("=") for line in lines)
    return {name.strip(): Path(folder.strip()) for name, folder in pairs}


def link(folders: dict[str, Path]) -> None:
    """Fill :data:`TREE` with links, in place of those of an earlier run.

    A package that contains another one of ``folders`` becomes a folder of links to its files, because links to the
    packages inside it stand beside them.
    """
    _remove_links()
    for package, folder in sorted(folders.items()):
        place = TREE.joinpath(*package.split("."))
        if any(name.startswith(f"{package}.") for name in folders):
            place.mkdir(parents=True, exist_ok=True)
            for path in (ROOT / folder).iterdir():
                if path.name != "__pycache__":
                    (place / path.name).symlink_to(path)
        else:
            place.parent.mkdir(parents=True, exist_ok=True)
            place.symlink_to(ROOT / folder)


def _remove_links() -> None:
    for folder, subfolders, files in os.walk(TREE):
        for name in (*subfolders, *files):
            if (path := Path(folder, name)).is_symlink():
                path.unlink()


def in_checkout(report: str, folders: dict[str, Path]) -> str:
    """Return mypy's report with the paths of the checkout in place of those in :data:`TREE`."""
    for package, folder in folders.items():
        linked = package.replace(".", "/")
        report = re.sub(rf"^{re.escape(linked)}/", f"{folder.as_posix()}/", report, flags=re.MULTILINE)
    return report


if __name__ == "__main__":
    main()
