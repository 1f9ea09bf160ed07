"""Scripts that print the tables of the documentation, each on as little as it takes."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).resolve().parent.parent / "scripts"


@pytest.fixture
def script(monkeypatch):
    """Runs a script of the repository with words as a user would, in this process."""

    def run(name: str, *words: object) -> None:
        path = SCRIPTS / f"{name}.py"
        if not path.is_file():
            pytest.skip("needs the scripts of the repository")
        monkeypatch.syspath_prepend(str(SCRIPTS))
        monkeypatch.setattr(sys, "argv", [str(path), *map(str, words)])
        spec = importlib.util.spec_from_file_location(name, path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        module.main()

    return run


def test_speed_of_the_beat_scores_is_told_a_file(script, tmp_path, capsys):
    words = ["--pairs", 2, "--seconds", 3, "--rate", 44100, "--channels", 2, "--processes", 1, "--keep", tmp_path]
    script("measure_beats_speed", *words)
    told = capsys.readouterr().out
    assert "2 pairs of 3 s, 44100 Hz, channels 2, 1 processes" in told
    assert "not measured: 0" in told
    assert len(re.findall(r"\d+\.\d s, \d+\.\d ms a file", told)) == 2
    assert len(list(tmp_path.glob("*/*.wav"))) == 4
