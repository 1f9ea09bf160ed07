"""Scripts that are given nothing, or files that are not there, say so in one line and end with status 1."""

from __future__ import annotations

import runpy
import sys

import pytest
from repository import SCRIPTS

pytestmark = pytest.mark.slow


def said(monkeypatch, name: str, *words: object) -> str:
    """What a script ends with; a text makes the status 1, and goes to stderr."""
    monkeypatch.syspath_prepend(str(SCRIPTS))
    monkeypatch.setattr(sys, "argv", [name, *map(str, words)])
    with pytest.raises(SystemExit) as end:
        runpy.run_path(str(SCRIPTS / f"{name}.py"), run_name="__main__")
    assert isinstance(end.value.code, str)
    assert "\n" not in end.value.code
    return end.value.code


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("measure_codec", ["{}"]),
        ("measure_generated", ["{}"]),
        ("measure_outputs", ["{}"]),
        ("measure_speed", ["{}", "x"]),
        ("measure_roundtrip", ["{}"]),
        ("fit_forms", ["{}"]),
        ("measure_musicvae", ["studio-musicvae", "--data", "{}"]),
    ],
)
def test_a_file_that_is_not_there_is_named(tmp_path, monkeypatch, name, words):
    monkeypatch.chdir(tmp_path)
    line = said(monkeypatch, name, *[word.format(tmp_path / "nowhere") for word in words])
    assert line.startswith("error: ")
    assert "nowhere" in line


def test_no_script_has_a_function_of_that_name_itself():
    # It is imported last, and would take the place of the script's own.
    own = [path.name for path in SCRIPTS.glob("*.py") if "def run_main(" in path.read_text(encoding="utf-8")]
    assert own == ["one_line.py"]
