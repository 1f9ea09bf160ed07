"""Where the repository and its folders are."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS, DATA, HELPERS = ROOT / "scripts", ROOT / "tests" / "data", ROOT / "tests" / "helpers"
#: A dance of ten seconds.
EXAMPLE = ROOT / "examples" / "dance.mp4"
