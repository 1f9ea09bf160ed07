"""Install d2m with the newest version of every package, run the tests, and report newer versions and failures.

    python scripts/try_newest.py                       # a fresh environment in a temporary folder; all tests
    python scripts/try_newest.py -- tests/d2m/features/test_pose.py # only these; what follows -- goes to pytest

Exit status 0 if the tests pass with the newest versions, 1 if not. ``scripts/make_constraints.py`` writes the new pins.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from d2m.errors import D2MError

ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tests", nargs="*", help="arguments for pytest (default: all tests, two processes)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        python = make_environment(Path(folder) / "environment")
        for line in newer(installed(python), pinned(ROOT / "constraints.txt")):
            print(line, flush=True)
        tests = arguments.tests or ["-n", "2", "--dist", "loadfile"]
        run = subprocess.run([str(python), "-m", "pytest", "-rfE", *tests], cwd=ROOT, capture_output=True, text=True)
    broken = [line for line in run.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
    print("\n".join([*broken, *run.stdout.strip().splitlines()[-1:]]))
    if run.returncode:
        print(run.stderr.strip()[-2000:], file=sys.stderr)
    sys.exit(1 if run.returncode else 0)


def make_environment(folder: Path) -> Path:
    """Create a virtual environment with d2m and its test extra, without constraints; return its Python.

    Raises:
        D2MError: if pip cannot install them.
    """
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    python = folder / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    install = [str(python), "-m", "pip", "install", "--quiet", "--upgrade", "--upgrade-strategy", "eager"]
    if subprocess.run([*install, "-e", f"{ROOT}[test]"]).returncode:
        raise D2MError("the newest versions cannot be installed together; pip says why above")
    return python


def installed(python: Path) -> dict[str, str]:
    """Return the version of every package of an environment, by normalised name."""
    command = [str(python), "-m", "pip", "list", "--format", "json", "--disable-pip-version-check"]
    rows = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return {normalised(row["name"]): row["version"] for row in rows}


def pinned(path: Path) -> dict[str, set[str]]:
    """Return the versions that a constraints file names (one for each range of Pythons), by normalised name."""
    versions: dict[str, set[str]] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        match = re.match(r"([\w.-]+)==([^\s;]+)", line)
        if match:
            versions.setdefault(normalised(match[1]), set()).add(match[2])
    return versions


def newer(found: dict[str, str], tested: dict[str, set[str]]) -> list[str]:
    """Return a line for each package whose installed version is none of the tested ones."""
    changed = [name for name in sorted(found) if name in tested and found[name] not in tested[name]]
    return [f"{name} {found[name]} (tested: {', '.join(sorted(tested[name]))})" for name in changed]


def normalised(name: str) -> str:
    """Return a package's name as PyPI compares it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


if __name__ == "__main__":
    from one_line import run_main

    run_main(main)
