"""Random MIDI files are read note for note as their events say and as mido reads them; damaged ones harm nothing."""

from __future__ import annotations

import importlib
import sys

import pytest
from repository import SCRIPTS

pytestmark = pytest.mark.slow

pytest.importorskip("hypothesis")
if not (SCRIPTS / "midi_cases.py").is_file():
    pytest.skip("needs the scripts of the repository", allow_module_level=True)
sys.path.insert(0, str(SCRIPTS))
cases = importlib.import_module("midi_cases")
fuzz = importlib.import_module("fuzz_readers")
sys.path.remove(str(SCRIPTS))

from hypothesis import HealthCheck, given, settings  # noqa: E402

from d2m.symbolic.midi_file import parse  # noqa: E402

SHORT = settings(
    max_examples=150, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)


@SHORT
@given(cases.files())
def test_a_file_holds_the_notes_of_its_events_and_mido_agrees(case):
    data, events, form = case
    file = parse(data, 10_000)
    assert not file.mended or file.mended == ("notes that nothing ends are cut",)
    own = cases.own_notes(file)
    assert cases.differences(own, cases.expected(events, form)) == []
    assert cases.differences(own, cases.mido_notes(data)) == []


@SHORT
@given(cases.mutated())
def test_damaged_files_are_read_or_refused_in_one_line(data):
    fuzz.READERS["midi"].check(data)


def test_a_difference_is_found():
    note = cases.Note(0, 480, 60, 90, 0, 0)
    assert cases.differences([note], [note]) == []
    assert cases.differences([note], [note._replace(length=None)]) == []
    assert cases.differences([note], [note._replace(length=479)]) == [(note, None), (None, note._replace(length=479))]
    assert cases.differences([note, note], [note]) == [(note, None)]


def test_a_long_run_keeps_what_fails_and_goes_on(tmp_path, monkeypatch):
    folder = tmp_path / "run"
    failing = fuzz.Reader(lambda: fuzz.READERS["midi"].make(), fuzz.fails_on_drums)
    monkeypatch.setitem(fuzz.READERS, "failing", failing)
    fuzz.run_batch("failing", 0, 40, folder)
    kept = sorted((folder / "crashes").iterdir())
    assert [path.suffix for path in kept] == [".bin", ".txt"]
    assert b"\x99" in kept[0].read_bytes()
    assert "AssertionError" in kept[1].read_text()
    fuzz.run("midi", 0.0, folder, examples=5, batches=1)
    fuzz.run("midi", 0.0, folder, examples=5, batches=1)
    assert fuzz.State.load(folder).batches == 2
