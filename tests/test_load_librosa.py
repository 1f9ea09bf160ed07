"""librosa's compiled parts are made by one process at a time."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

# Says when the lock is taken and left, and which of the modules are there by then.
PROGRAM = """
import sys
import filelock
from d2m import load_librosa

class Told(filelock.FileLock):
    def __enter__(self):
        print("taken", sum(name in sys.modules for name in load_librosa.MODULES))
        return super().__enter__()

    def __exit__(self, *error):
        print("left", sum(name in sys.modules for name in load_librosa.MODULES))
        return super().__exit__(*error)

filelock.FileLock = Told
librosa = load_librosa.load_librosa()
assert load_librosa.load_librosa() is librosa
print(librosa.__name__)
"""


def loaded(environment: dict[str, str]) -> list[str]:
    """The lines printed where librosa is loaded in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, env={**os.environ, **environment}
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_it_is_loaded_under_a_lock_that_every_process_of_the_user_shares(tmp_path: Path):
    assert loaded({"XDG_CACHE_HOME": str(tmp_path)}) == ["taken 0", "left 4", "librosa"]
    assert [path.name for path in (tmp_path / "d2m").iterdir()] == ["librosa.lock"]


def test_the_lock_is_elsewhere_where_the_cache_cannot_be_written(tmp_path: Path):
    blocked = tmp_path / "file"
    blocked.write_text("")
    folder = tmp_path / "temporary"
    folder.mkdir()
    environment = {"XDG_CACHE_HOME": str(blocked), "TMPDIR": str(folder)}
    assert loaded(environment) == ["taken 0", "left 4", "librosa"]
    assert len(list(folder.rglob("librosa.lock"))) == 1


def test_it_is_loaded_even_where_there_can_be_no_lock(tmp_path: Path):
    blocked = tmp_path / "file"
    blocked.write_text("")
    program = PROGRAM.replace(
        "filelock.FileLock = Told", f"load_librosa.tempfile.gettempdir = lambda: {str(blocked)!r}"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        env={**os.environ, "XDG_CACHE_HOME": str(blocked)},
    )
    assert done.stdout.splitlines() == ["librosa"], done.stderr
