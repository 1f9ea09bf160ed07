"""Check that a wheel is small enough for PyPI and contains every file of the packages.

    python -m build --no-isolation --outdir dist && python scripts/check_wheel.py dist

Weights, sounds and pages are data files: setup.cfg lists their patterns, and a file that no pattern matches would be
missing from the wheel without an error of the build.
"""

from __future__ import annotations

import argparse
import configparser
import zipfile
import zlib
from pathlib import Path

from check_types import ROOT, package_folders

from d2m.errors import D2MError

#: PyPI takes files up to 100 MB.
MOST_BYTES = 95_000_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="folder with one wheel and its sdist")
    folder = parser.parse_args().folder
    wheel, sdist = only(folder, "*.whl"), only(folder, "*.tar.gz")
    for path in (wheel, sdist):
        check_size(path)
    files = check_content(wheel, installed_files(ROOT, package_folders(), packages()))
    sizes = ", ".join(f"{path.suffix[1:]} {path.stat().st_size / 1e6:.1f} MB" for path in (wheel, sdist))
    print(f"{wheel.name}: {files} files of the packages ({sizes})")


def only(folder: Path, pattern: str) -> Path:
    """Return the one file of a pattern in a folder.

    Raises:
        D2MError: if there is none, or more than one.
    """
    found = sorted(folder.glob(pattern))
    if len(found) != 1:
        raise D2MError(f"{folder} contains {len(found)} files '{pattern}'; build into an empty folder")
    return found[0]


def packages() -> list[str]:
    """Return the packages that setup.cfg lists."""
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg", encoding="utf-8")
    return config["options"]["packages"].split()


def installed_files(root: Path, folders: dict[str, Path], names: list[str]) -> dict[str, Path]:
    """Return every file of the packages in the checkout.

    Args:
        root: the checkout.
        folders: folder of each package of ``package_dir``, relative to the checkout.
        names: packages that are installed, such as ``d2m.symbolic.musegan``.

    Returns:
        Path in the wheel -> path in the checkout.
    """
    files = {}
    for name in names:
        top = max((package for package in folders if f"{name}.".startswith(f"{package}.")), key=len)
        folder = root / folders[top] / Path(*name.split(".")[len(top.split(".")) :])
        for path in sorted(folder.rglob("*")):
            # Folders without an __init__.py, such as a page, belong to the package above.
            inner = path.relative_to(folder)
            own = not any((folder / parent / "__init__.py").is_file() for parent in list(inner.parents)[:-1])
            if path.is_file() and own and "__pycache__" not in path.parts:
                files["/".join((*name.split("."), *inner.parts))] = path
    return files


def check_size(path: Path) -> None:
    """Check the size of a distribution file.

    Raises:
        D2MError: if it has more than :data:`MOST_BYTES`.
    """
    size = path.stat().st_size
    if size > MOST_BYTES:
        raise D2MError(
            f"{path.name} has {size / 1e6:.1f} MB, more than {MOST_BYTES / 1e6:.0f} MB; "
            "move weights out of the package and list them for 'd2m models fetch'"
        )


def check_content(wheel: Path, files: dict[str, Path]) -> int:
    """Compare the files of a wheel with those of the checkout by CRC-32.

    Args:
        wheel: the wheel.
        files: path in the wheel -> path in the checkout.

    Returns:
        Number of compared files.

    Raises:
        D2MError: if files are missing or differ.
    """
    with zipfile.ZipFile(wheel) as archive:
        checksums = {entry.filename: entry.CRC for entry in archive.infolist()}
    missing = [name for name in files if name not in checksums]
    if missing:
        raise D2MError(
            f"{wheel.name} lacks {', '.join(missing)}; add the pattern to [options.package_data] in setup.cfg"
        )
    changed = [name for name, path in files.items() if checksums[name] != zlib.crc32(path.read_bytes())]
    if changed:
        raise D2MError(f"{wheel.name} contains another version of {', '.join(changed)}; build it again")
    return len(files)


if __name__ == "__main__":
    from one_line import run_main

    run_main(main)
