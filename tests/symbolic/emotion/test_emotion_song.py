"""A song's melody gets another feeling at its own length and in its own time, and is played as the table says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from d2m.errors import D2MError
from d2m.symbolic.emotion.emotions import attributes, load_emotions
from d2m.symbolic.emotion.mode import in_mode, keys_of
from d2m.symbolic.emotion.performance import perform
from d2m.symbolic.emotion.rewrite import rewrite
from d2m.symbolic.emotion.similarity import tune_similarity
from d2m.symbolic.emotion.song import Song, find_song, perform_song, recolour_song
from d2m.symbolic.emotion.statistics import describe, sounding
from d2m.symbolic.melody import HOLD, NOTE_OFF, from_notes, to_notes
from d2m.types import BeatGrid, Part, Score

TABLE = load_emotions()
MAJOR = (60, 62, 64, 65, 67, 69, 71, 72)


def scale(bars: int, keys=MAJOR) -> np.ndarray:
    """Up and down a scale in quarters, on and on."""
    line = [*keys, *keys[-2:0:-1]]
    return from_notes(np.array([(4 * i, 4 * i + 4, line[i % len(line)]) for i in range(4 * bars)]), 16 * bars)


class Octave:
    """A model that moves a melody by semitones, in place of its vectors the melody itself; it renders it ``flat``
    semitones lower than it is."""

    table = TABLE

    def __init__(self, semitones: float = 12.0, flat: int = 0):
        self.vae, self.asked, self.semitones, self.flat = self, [], semitones, flat

    def encode(self, melodies):
        return np.where(melodies > NOTE_OFF, melodies - float(self.flat), melodies).astype(np.float32), None

    def aim(self, z, targets, strength):
        self.asked.append((targets, strength))
        return np.where(z > NOTE_OFF, z + self.semitones, z).astype(np.float32)

    def decode(self, z, temperature=0.0, rng=None):
        return z.round().astype(np.uint8)


class Rewriter(Octave):
    """A model that forgets a tenth of a melody's notes, and rewrites the others by rule on the way to the targets."""

    def encode(self, melodies):
        rows = melodies.copy()
        for row in rows:
            row[np.flatnonzero(row > NOTE_OFF)[::10]] = HOLD
        return rows.astype(np.float32), None

    def aim(self, z, targets, strength):
        self.start, self.targets = z, targets
        return z + 1000.0

    def decode(self, z, temperature=0.0, rng=None):
        rows = []
        for part in np.split(z, len(z) // len(self.start)):
            share = (part[0] - self.start[0]).mean() / 1000.0
            for row, target in zip(self.start.astype(np.uint8), self.targets, strict=True):
                own = attributes(row)
                rows.append(rewrite(row, *(own + share * (target - own))) if share else row)
        return np.stack(rows)


def song(*melodies: np.ndarray, tempo: float = 100.0) -> Song:
    firsts = np.cumsum([0, *(len(melody) // 4 for melody in melodies)])
    duration = float(firsts[-1]) * 60 / tempo
    return Song(BeatGrid.steady(tempo, duration), duration, melodies, tuple(map(float, firsts[:-1])))


@pytest.mark.parametrize("bars", [(1,), (5,), (16,), (17,), (32,), (45, 3)])
def test_songs_of_any_length_keep_their_notes(bars):
    before = song(*(scale(length) for length in bars))
    model, bright = Octave(flat=5), TABLE.find("bright")
    same = recolour_song(model, before, bright, 0.0)
    for old, new in zip(before.melodies, same.melodies, strict=True):
        np.testing.assert_array_equal(new, old)
    after = recolour_song(model, before, bright, 0.7)
    mean = attributes(np.concatenate(before.melodies))[0]
    for old, new in zip(before.melodies, after.melodies, strict=True):
        moved = to_notes(new) - to_notes(old)
        assert np.ptp(moved, axis=0).tolist() == [0, 0, 0]
        assert moved[0].tolist() == [0, 0, pytest.approx(0.7 * (bright.pitch - mean), abs=1)]


def test_no_more_is_done_than_the_model_does():
    bright = TABLE.find("bright")
    for semitones, moved in ((0, 0), (1, 2), (-2, 4), (12, 11)):
        after = recolour_song(Octave(semitones), song(scale(16)), bright).melodies[0]
        np.testing.assert_array_equal(to_notes(after), to_notes(scale(16)) + [0, 0, moved])


def tunes(count: int = 6) -> list[np.ndarray]:
    """Melodies in C major with different lengths of notes, and steps more often than leaps."""
    rng, found = np.random.default_rng(5), []
    for _ in range(count):
        starts = np.flatnonzero(rng.random(128) < 0.55) * 2
        degrees = np.cumsum(rng.choice([-2, -1, -1, 0, 1, 1, 2], len(starts))) % 14
        keys = 55 + 12 * (degrees // 7) + np.array([0, 2, 4, 5, 7, 9, 10])[degrees % 7]
        found.append(from_notes(np.column_stack([starts, np.append(starts[1:], 256), keys])))
    return found


@pytest.mark.slow
@pytest.mark.parametrize("emotion", TABLE.emotions, ids=lambda emotion: emotion.name)
def test_the_stronger_the_feeling_the_less_is_left_of_the_tune(emotion):
    for tune in tunes():
        goal, values, alike = np.array([emotion.pitch, emotion.density]), [], []
        for strength in (0.0, 0.25, 0.5, 0.75, 1.0):
            after = recolour_song(Rewriter(), song(tune), emotion, strength).melodies[0]
            if strength == 0:
                np.testing.assert_array_equal(after, tune)
            values.append(attributes(after))
            alike.append(float(tune_similarity(tune[None], after[None])[0]))
            wanted = values[0] + strength * (goal - values[0])
            assert abs(values[-1][0] - wanted[0]) < 0.9
            assert abs(values[-1][1] - wanted[1]) < 0.1
            assert describe(after[None])["in key"][0] == 1.0
        assert (np.diff(alike) <= 1e-9).all()
        assert 0.5 < alike[-1] <= 2 * min(values[0][1], goal[1]) / (values[0][1] + goal[1]) + 0.01


class Halves(Octave):
    """A model that strikes nothing on the second and fourth beat any more, and moves the second half up by a fifth."""

    def aim(self, z, targets, strength):
        return z + 1000.0

    def decode(self, z, temperature=0.0, rng=None):
        rows = np.where(z >= 1000.0, z - 1000.0, z)
        rows = np.where((z < 1000.0) & (z >= 249.0), z % 250.0, rows)
        moved = z >= 249.0
        rows[moved & (np.arange(256) % 8 == 4)] = HOLD
        rows[moved & (rows > NOTE_OFF) & (np.arange(256) >= 128)] += 9.0
        return rows.astype(np.uint8)


def test_what_the_model_leaves_out_is_left_out_and_what_it_moves_further_is_moved_further():
    tune, low = scale(16), replace(TABLE.find("gloomy"), density=3.0, pitch=70.5)
    after = to_notes(recolour_song(Halves(), song(tune), low).melodies[0])
    assert len(after) == 48
    assert np.isin(np.arange(0, 256, 8), after[:, 0]).all()
    assert attributes(from_notes(after))[0] == pytest.approx(low.pitch, abs=0.9)
    before = dict(zip(to_notes(tune)[:, 0], to_notes(tune)[:, 2], strict=True))
    moved = np.array([key - before[start] for start, _, key in after.tolist()])
    assert moved[after[:, 0] >= 128].mean() > moved[after[:, 0] < 128].mean() + 1


def test_the_song_as_a_whole_is_moved_and_its_contrasts_halved():
    verse, chorus = scale(16), scale(16, tuple(key + 8 for key in MAJOR))
    model, bright = Octave(), TABLE.find("bright")
    recolour_song(model, song(np.concatenate([verse, chorus])), bright)
    targets, _ = model.asked[0]
    assert targets[:, 0].mean() == pytest.approx(bright.pitch)
    assert targets[1, 0] - targets[0, 0] == pytest.approx(4)


def test_silent_windows_stay_silent_and_notes_ring_over_seams_only_where_they_did():
    melody = np.zeros(48 * 16, np.uint8)
    melody[: 16 * 16] = scale(16)
    melody[16 * 16] = NOTE_OFF
    melody[32 * 16 :] = scale(16)
    after = recolour_song(Octave(), song(melody), TABLE.find("clear")).melodies[0]
    assert not sounding(after)[16 * 16 : 32 * 16].any()
    # Here a note is held over the bar line where one window ends.
    held = from_notes(np.array([(0, 250, 60), (250, 300, 64), (300, 512, 67)]), 512)
    after = to_notes(recolour_song(Octave(), song(held), TABLE.find("clear")).melodies[0])
    np.testing.assert_array_equal(after[:, :2], to_notes(held)[:, :2])


def test_a_note_held_over_a_seam_is_struck_again_before_it_only():
    held = from_notes(np.array([*([8 * i, 8 * i + 4, 60 + i % 5] for i in range(31)), [248, 400, 67]]), 32 * 16)
    again = from_notes(np.array([[8 * i, 8 * i + 4, 60 + i % 5] for i in range(20)]), 16 * 16)
    before = song(np.where(np.arange(512) < 400, held, np.concatenate([np.zeros(256, np.uint8), again])))
    after = to_notes(recolour_song(Rewriter(), before, TABLE.find("intense"), 1.0).melodies[0])
    assert (np.diff(after[:, 0]) > 0).all()
    struck = to_notes(before.melodies[0])[:, 0]
    # The second window plays nothing until beat 100 but what rings into it.
    assert not [start for start in after[:, 0] if 256 <= start < struck[struck >= 256].min()]
    ringing = after[after[:, 0] < 256][-1]
    assert ringing[1] > 300


def test_the_tempo_map_is_kept_and_scaled():
    beats = np.cumsum([0.0, *([0.5] * 32), *([1.0] * 33)])
    before = Song(BeatGrid(beats, np.arange(0, 66, 4), 120.0, 1.0), float(beats[-2]), (scale(16),), (0.0,))
    gloomy = TABLE.find("gloomy")
    score = perform_song(before, gloomy)
    assert np.diff(score.grid.beats)[40] / np.diff(score.grid.beats)[3] == pytest.approx(2.0)
    assert 60 * 64 / score.duration == pytest.approx(gloomy.tempo, rel=0.02)
    same = perform_song(before, gloomy, 0.0)
    np.testing.assert_allclose(same.grid.beats, beats)
    half = perform_song(before, gloomy, 0.5)
    assert same.duration < half.duration < score.duration


def test_mode_changes_the_third_the_sixth_and_the_seventh_alone():
    major = scale(16)
    assert (keys_of(major) == 0).all()
    minor = in_mode(major, "minor")
    assert set(to_notes(minor)[:, 2] % 12) == {0, 2, 3, 5, 7, 8, 10}
    np.testing.assert_array_equal(in_mode(major, "major"), major)
    assert set(to_notes(in_mode(scale(16, (60, 63, 67, 71, 72)), "major"))[:, 2] % 12) == {0, 4, 7, 11}
    np.testing.assert_array_equal(in_mode(np.zeros(32, np.uint8), "minor"), np.zeros(32, np.uint8))


def test_a_melody_is_played_as_the_table_says():
    melody = scale(4)
    gloomy, lively, intense = (TABLE.find(name) for name in ("gloomy", "lively", "intense"))
    low, short = perform(melody, gloomy).parts[0], perform(melody, lively).parts[0]
    assert low.pitches.mean() < short.pitches.mean() - 11
    assert (low.program, short.program) == (gloomy.program, lively.program)
    assert (low.ends - low.starts).mean() > 1.8 * (short.ends - short.starts).mean()
    assert low.velocities.mean() < perform(melody, intense).parts[0].velocities.mean() - 20
    plain = perform(melody, gloomy, 0.0)
    np.testing.assert_array_equal(plain.parts[0].pitches, to_notes(melody)[:, 2])
    assert plain.grid.tempo == pytest.approx(100.0)


def part(notes, track="piano", program=0):
    starts, ends, pitches = np.array(notes, dtype=float).T
    return Part(track, program, starts, ends, pitches.astype(np.int64), np.full(len(starts), 90))


def score_of(*parts, beats=64):
    return Score(parts, BeatGrid.steady(120.0, beats / 2), beats / 2)


def test_what_has_no_melody_is_refused_in_one_line():
    tune = part([(i, i + 1, MAJOR[i % 8]) for i in range(64)])
    chords = part([(4 * i, 4 * i + 4, key) for i in range(16) for key in (48 + i % 3, 52, 55)])
    drums = part([(i, i + 0.5, 36) for i in range(64)], "drums")
    assert len(find_song(score_of(tune, chords)).melodies) == 1
    with pytest.raises(D2MError, match="drums only"):
        find_song(score_of(drums))
    with pytest.raises(D2MError, match="several notes at a time; --skyline"):
        find_song(score_of(chords, drums))
    assert len(to_notes(find_song(score_of(chords), skyline=True).melodies[0])) == 16
    with pytest.raises(D2MError, match="shorter than a bar"):
        find_song(score_of(part([(0, 1, 60), (1, 2, 62), (2, 3, 64), (3, 3.5, 65)]), beats=4))


def test_files_that_count_in_quarters_are_read_in_fours():
    tune = part([(i, i + 1, MAJOR[i % 8]) for i in range(64)])
    grid = BeatGrid(np.arange(66) / 2, np.arange(65), 120.0, 1.0, 1)
    found = find_song(Score((tune,), grid, 32.0))
    assert found.firsts == (0.0,)
    assert found.grid.downbeats[:3].tolist() == [0, 4, 8]
    assert len(found.melodies[0]) == 256


def test_a_tune_rewritten_by_hand_has_the_pitch_and_density_asked_for():
    tune = from_notes(np.array([(4 * i, 4 * i + 3, MAJOR[(3 * i) % 8]) for i in range(64)]))
    for emotion in TABLE.emotions:
        pitch, density = attributes(rewrite(tune, emotion.pitch, emotion.density))
        assert abs(pitch - emotion.pitch) <= 0.5 + 1e-6
        assert abs(density - emotion.density) <= 1 / 32
        assert tune_similarity(tune[None], rewrite(tune, emotion.pitch, emotion.density)[None]) > 0.6
    # The strong beats are left, and hold until the next one.
    fewer = to_notes(rewrite(tune, attributes(tune)[0], 2.0))
    assert (fewer[:, 0] % 8 == 0).all()
    assert (fewer[:, 1] - fewer[:, 0] >= 3).all()
    dense = rewrite(from_notes(np.array([(i, i + 1, 60) for i in range(256)])), 60, 16)
    np.testing.assert_array_equal(rewrite(dense, 60.4, 99), dense)
    np.testing.assert_array_equal(rewrite(np.zeros(256, np.uint8), 70, 5), 0)
    assert attributes(rewrite(tune, 200.0, 4.0))[0] > 100
