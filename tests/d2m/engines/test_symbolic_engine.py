"""The symbolic engine: stereo music from a soundfont, on the dancer's beats."""

from __future__ import annotations

import numpy as np
import pytest
from repository import EXAMPLE

from d2m import engines
from d2m.audio.loudness import loudness
from d2m.errors import D2MError
from d2m.load_librosa import load_librosa
from d2m.types import BeatGrid, Dance

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def dance() -> Dance:
    grid = BeatGrid.steady(112, 9.0, first_beat=0.005)
    beats = len(grid.beats)
    return Dance(9.0, None, grid, np.full(beats, 0.7, np.float32), np.full(beats, 0.5, np.float32), "gPO")


@pytest.fixture(scope="module")
def soundtrack(dance):
    return engines.load("symbolic").compose(dance, seed=3)


def test_it_is_stereo_as_long_as_the_dance_and_clean(soundtrack, dance):
    assert soundtrack.waveform.shape == (2, round(dance.duration * 44100))
    assert soundtrack.sample_rate == 44100
    assert np.abs(soundtrack.waveform).max() <= 10 ** (-1 / 20) + 1e-6
    assert -20 < loudness(soundtrack.waveform, 44100) < -11
    assert np.abs(soundtrack.waveform[0] - soundtrack.waveform[1]).max() > 0.01


def test_the_score_behind_it_comes_along(soundtrack, dance):
    assert {part.track for part in soundtrack.score.parts} >= {"drums", "bass"}
    assert soundtrack.score.grid is dance.grid or np.array_equal(soundtrack.score.grid.beats, dance.grid.beats)


def test_tracked_beats_are_the_dancers(soundtrack, dance):
    librosa = load_librosa(beat=True)
    mir_eval = pytest.importorskip("mir_eval")
    mono = librosa.resample(soundtrack.waveform.mean(0), orig_sr=44100, target_sr=22050)
    tracked = librosa.beat.beat_track(y=mono, sr=22050, units="time", start_bpm=112)[1]
    truth = dance.grid.beats[(dance.grid.beats >= 0) & (dance.grid.beats < 9)]
    assert mir_eval.beat.f_measure(mir_eval.beat.trim_beats(truth, 1), mir_eval.beat.trim_beats(tracked, 1)) > 0.8


def test_a_beat_on_the_first_frame_is_played(soundtrack):
    first = np.abs(soundtrack.waveform[:, : int(0.1 * 44100)]).max()
    assert first > 0.05


def test_same_seed_same_music_other_seed_other_music(dance, soundtrack):
    engine = engines.load("symbolic")
    assert np.array_equal(engine.compose(dance, seed=3).waveform, soundtrack.waveform)
    assert not np.array_equal(engine.compose(dance, seed=4).waveform, soundtrack.waveform)


def test_a_soundfont_that_is_not_there_is_named():
    with pytest.raises(D2MError, match="no soundfont 'none.sf2'"):
        engines.load("symbolic", soundfont="none.sf2")


def test_the_command_line_writes_the_notes_too(tmp_path, capsys):
    import json

    from d2m.cli.main import main
    from d2m.symbolic.midi import read_midi

    assert main(["generate", str(EXAMPLE), "-o", str(tmp_path), "--engine", "symbolic", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["engine"], report["codec"], report["sample_rate"]) == ("symbolic", None, 44100)
    assert report["soundfont"].endswith(".sf3")
    assert {path.suffix for path in tmp_path.iterdir()} == {".wav", ".mp4", ".json", ".png", ".mid"}
    score = read_midi(tmp_path / "dance.d2m.mid")
    assert sum(len(part.starts) for part in score.parts) > 50
    assert main(["generate", str(EXAMPLE), "-o", str(tmp_path), "--engine", "symbolic", "--weights", "x"]) == 1
    assert main(["generate", str(EXAMPLE), "-o", str(tmp_path), "--engine", "vq", "--soundfont", "x.sf2"]) == 1
    assert "--soundfont is for --engine symbolic" in capsys.readouterr().err
