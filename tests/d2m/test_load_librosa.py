"""librosa's compiled parts are made by one process at a time."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from repository import ROOT

from d2m.load_librosa import BEAT, MODULES

pytestmark = pytest.mark.slow

# Says when the lock is taken and left, and which of the modules are there by then.
PROGRAM = """
import sys
import filelock
from d2m import load_librosa

def there():
    return sum(name in sys.modules for name in (*load_librosa.MODULES, load_librosa.BEAT))

class Told(filelock.FileLock):
    def __enter__(self):
        print("taken", there())
        return super().__enter__()

    def __exit__(self, *error):
        print("left", there())
        return super().__exit__(*error)

filelock.FileLock = Told
librosa = load_librosa.load_librosa()
assert load_librosa.load_librosa(beat=True) is librosa
assert load_librosa.load_librosa() is librosa
print(librosa.__name__)
"""

TOLD = ["taken 0", "left 3", "taken 3", "left 4", "librosa"]


@pytest.fixture
def empty(tmp_path: Path) -> dict[str, str]:
    """Environment in which librosa is a package of empty modules: where the lock is does not depend on them."""
    for name in (*MODULES, BEAT):
        path = tmp_path / "packages" / f"{name.replace('.', '/')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        (path.parent / "__init__.py").touch()
    return {"PYTHONPATH": str(tmp_path / "packages")}


def loaded(environment: dict[str, str]) -> list[str]:
    """The lines printed where librosa is loaded in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, env={**os.environ, **environment}
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_it_is_loaded_under_a_lock_that_every_process_of_the_user_shares(tmp_path: Path):
    assert loaded({"XDG_CACHE_HOME": str(tmp_path)}) == TOLD
    assert [path.name for path in (tmp_path / "d2m").iterdir()] == ["librosa.lock"]


def test_the_lock_is_elsewhere_where_the_cache_cannot_be_written(tmp_path: Path, empty: dict[str, str]):
    blocked = tmp_path / "file"
    blocked.write_text("")
    folder = tmp_path / "temporary"
    folder.mkdir()
    environment = {"XDG_CACHE_HOME": str(blocked), "TMPDIR": str(folder)} | empty
    assert loaded(environment) == TOLD
    assert len(list(folder.rglob("librosa.lock"))) == 1


def test_it_is_loaded_even_where_there_can_be_no_lock(tmp_path: Path, empty: dict[str, str]):
    blocked = tmp_path / "file"
    blocked.write_text("")
    program = PROGRAM.replace(
        "filelock.FileLock = Told", f"load_librosa.tempfile.gettempdir = lambda: {str(blocked)!r}"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        env={**os.environ, "XDG_CACHE_HOME": str(blocked)} | empty,
    )
    assert done.stdout.splitlines() == ["librosa"], done.stderr


def test_nobody_goes_past_the_lock():
    folders = ("d2m", "evaluation", "symbolic", "datasets", "scripts", "tests")
    files = [path for folder in folders for path in ROOT.glob(f"{folder}/**/*.py") if path != Path(__file__)]
    texts = {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in files}
    # Plain imports are refused by the linter.
    assert [name for name, text in texts.items() if re.search(r"""importorskip\(["']librosa""", text)] == []
    trackers = {name: text for name, text in texts.items() if "librosa.beat." in text}
    assert {"evaluation/beats.py", "evaluation/rhythm_features.py"} <= set(trackers)
    assert [name for name, text in trackers.items() if "load_librosa(beat=True)" not in text] == []
