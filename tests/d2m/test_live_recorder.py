"""Recordings of ``d2m live``: complete, or absent."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
from clips import write_clip

from d2m.errors import D2MError
from d2m.live.player import BLOCK, RATE
from d2m.live.process import AskedProcess
from d2m.live.recorder import Recorder
from d2m.live.undisturbed import undisturbed
from d2m.live.writer import WriterProcess

NOISE = np.random.default_rng(5).integers(0, 256, (240, 320, 3), np.uint8)
#: Records for ever, in a process that the test ends.
ENDLESS = """
import sys, time
from pathlib import Path
import numpy as np
from d2m.live.recorder import Recorder
recorder = Recorder(Path(sys.argv[1]), patient=True)
with recorder.writing():
    for number in range(10**6):
        recorder.picture(number / 30, np.full((240, 320, 3), number % 256, np.uint8))
        recorder.sound(np.zeros((2, 1470), np.float32))
        time.sleep(0.01)
"""


def until(true: Callable[[], bool]) -> None:
    """Wait for something that happens, however slow the machine is."""
    end = time.monotonic() + 60.0
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


def given(recorder: Recorder, seconds: float) -> None:
    """Record noise."""
    for number in range(round(30 * seconds)):
        recorder.picture(number / 30, np.roll(NOISE, number, axis=1))
        recorder.sound(np.full((2, RATE // 30), 0.1 * (number % 2), np.float32))


def length(path: Path) -> float:
    """Seconds of music in a file, all of which is decoded."""
    with av.open(str(path)) as file:
        return sum(frame.samples for frame in file.decode(audio=0)) / RATE


def kept_process(monkeypatch) -> list[AskedProcess]:
    """List of the processes that recorders start."""
    made: list[AskedProcess] = []

    def make(*given, **more) -> AskedProcess:
        made.append(AskedProcess(*given, **more))
        return made[-1]

    monkeypatch.setattr("d2m.live.recorder.AskedProcess", make)
    return made


@pytest.mark.slow
@pytest.mark.parametrize("name", ["out.mp4", "out.wav"])
def test_a_recording_is_encoded_in_another_process_and_complete(tmp_path, monkeypatch, name):
    made = kept_process(monkeypatch)
    recorder = Recorder(tmp_path / name, patient=True)
    with recorder.writing():
        assert made[0].pid != os.getpid()
        given(recorder, 2.0)
    assert not made[0].alive
    assert length(tmp_path / name) == pytest.approx(2.0, abs=0.05)
    assert recorder.pictures == (60 if name == "out.mp4" else 0)
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.slow
def test_a_recorder_that_is_killed_is_one_error_and_leaves_no_file(tmp_path, monkeypatch):
    made = kept_process(monkeypatch)
    recorder = Recorder(tmp_path / "out.mp4", patient=True)

    def session() -> None:
        with recorder.writing():
            given(recorder, 1.0)
            os.kill(made[0].pid, signal.SIGKILL)
            # The session goes on: what is given now is lost.
            given(recorder, 4.0)

    with pytest.raises(D2MError, match="the process that records has ended"):
        session()
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits of another process are Linux's")
@pytest.mark.parametrize("name", ["out.mp4", "out.wav"])
def test_a_full_disk_is_one_error_and_leaves_no_file(tmp_path, monkeypatch, name):
    import resource

    made = kept_process(monkeypatch)
    recorder = Recorder(tmp_path / name, patient=True)

    def session() -> None:
        with recorder.writing():
            resource.prlimit(made[0].pid, resource.RLIMIT_FSIZE, (100_000, 100_000))
            given(recorder, 4.0)

    with pytest.raises(D2MError, match="the disk is full"):
        session()
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "killpg"), reason="groups of processes are POSIX's")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_session_that_is_ended_by_a_signal_to_all_its_processes_leaves_a_complete_file(tmp_path, number):
    film, out = write_clip(tmp_path / "film.mp4", duration=1.0, rate=10), tmp_path / "out" / "out.mp4"
    command = [sys.executable, "-m", "d2m", "live", "--from", str(film), "--loops", "0", "--no-sound", "-o", str(out)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True) as going:
        try:
            # The second line about what is seen comes after 4 s.
            told = [going.stderr.readline().decode() for _ in range(3)]
            assert told[2].startswith("0:04"), told
            os.killpg(going.pid, number)
            printed, errors = going.communicate(timeout=60)
        finally:
            going.kill()
    assert going.returncode == 0, errors
    assert str(out) in printed.decode()
    assert length(out) > 3.0
    assert [path.name for path in out.parent.iterdir()] == ["out.mp4"]


@pytest.mark.slow
def test_no_file_is_left_when_the_session_itself_is_killed(tmp_path):
    command = [sys.executable, "-c", ENDLESS, str(tmp_path / "out.mp4")]
    with subprocess.Popen(command) as going:
        until(lambda: any(path.stat().st_size > 0 for path in tmp_path.iterdir()))
        going.kill()
    until(lambda: not list(tmp_path.iterdir()))


@pytest.mark.slow
def test_what_goes_wrong_in_a_process_is_raised_here():
    with pytest.raises(D2MError, match="arranger"):
        WriterProcess("nobody")
    writer = WriterProcess()
    with pytest.raises(D2MError, match="TypeError"):
        writer.process.ask("write")
    with pytest.raises(D2MError, match="has ended"):
        writer.process.ask("write")
    writer.process.close()


def test_what_is_loaded_is_not_collected_during_a_session():
    before, frozen = sys.getswitchinterval(), gc.get_freeze_count()
    with undisturbed():
        assert gc.get_freeze_count() > frozen
        assert sys.getswitchinterval() < before
    assert gc.get_freeze_count() == 0
    assert sys.getswitchinterval() == before


def test_there_is_time_to_mix_a_block_before_it_is_needed():
    from d2m.live.options import USUAL

    # Blocks that fill the buffer leave the time of its rest only.
    assert BLOCK / RATE < 0.5 * USUAL / 1000.0
