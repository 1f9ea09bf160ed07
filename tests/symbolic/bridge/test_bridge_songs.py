"""Songs for mixing: tracks, bars and keys of any file, and where one song leads into the next."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from d2m.errors import D2MError
from d2m.symbolic.bridge import find_mix_points, read_song
from d2m.symbolic.bridge.matching import by_warping, distributions, jsd
from d2m.symbolic.bridge.mixpoints import METHODS, seam
from d2m.symbolic.bridge.song import Song, in_fours, song_of
from d2m.symbolic.five_tracks import track_for
from d2m.symbolic.keys import changes, fifths_apart, find_keys, key_name, scale, signature, transposed
from d2m.symbolic.pianoroll import Metre, PianoRoll, fill, to_score
from d2m.symbolic.pianoroll_file import save_npz
from d2m.symbolic.pianoroll_midi import write_roll

DRUMS, PIANO, GUITAR, BASS, STRINGS = range(5)
#: Triads on C, A minor, F, G, D minor, E minor.
CHORDS = {"C": (0, 4, 7), "a": (9, 0, 4), "F": (5, 9, 0), "G": (7, 11, 2), "d": (2, 5, 9), "e": (4, 7, 11)}


def bars_of(chords: str, seed: int, style: int = 0, key: int = 0) -> np.ndarray:
    """Notes of bars, one chord each, as rows (track, start, stop, key): a band that plays in one of three styles."""
    rng = np.random.default_rng(seed)
    notes = []
    rhythm = [(0, 4, 8, 12), (0, 3, 6, 10, 12), (0, 2, 8, 14)][style]
    for bar, chord in enumerate(chords):
        at = 16 * bar
        tones = [(tone + key) % 12 for tone in CHORDS[chord]]
        notes += [(BASS, at + s, at + s + 2, 36 + tones[0]) for s in rhythm]
        notes += [(PIANO, at + s, at + s + 3, 60 + tone) for s in rhythm for tone in tones]
        notes += [(DRUMS, at + s, at + s + 1, 36) for s in rhythm]
        notes += [(DRUMS, at + s, at + s + 1, 42) for s in range(0, 16, 2 + style)]
        for s in range(0, 16, 4):
            tone = int(rng.choice(tones))
            notes.append((STRINGS, at + s, at + s + 4, 72 + tone))
    return np.array(notes)


def roll_of(notes: np.ndarray, bars: int, tempo: float = 120.0, name: str = "song", lines=None) -> PianoRoll:
    steps = 16 * bars
    held, onsets = fill([notes[notes[:, 0] == track][:, 1:] for track in range(5)], steps)
    lines = np.arange(0, steps, 16) if lines is None else lines
    return PianoRoll(held, onsets, 4, np.full(steps, tempo), lines, (Metre(0, 4, 4),), (0, 0, 24, 32, 48), name)


def song(chords: str, seed: int = 0, style: int = 0, key: int = 0, tempo: float = 120.0, name: str = "song") -> Song:
    roll = roll_of(bars_of(chords, seed, style, key), len(chords), tempo, name)
    return song_of(to_score(roll), roll, name)


@pytest.mark.parametrize(
    ("name", "program", "drums", "keys", "track"),
    [
        ("Fretless Bass", 0, False, [40], BASS),
        ("Bassoon", 70, False, [50], STRINGS),
        ("MELODY", 0, False, [70], STRINGS),
        ("E-Gtr clean", 0, False, [60], GUITAR),
        ("", 0, False, [60, 64], PIANO),
        ("", 0, False, [36, 38, 40], BASS),
        ("", 27, False, [60], GUITAR),
        ("", 118, False, [60], None),
        ("piano", 0, True, [36], DRUMS),
    ],
)
def test_instruments_go_to_tracks_by_name_then_family_then_register(name, program, drums, keys, track):
    assert track_for(name, program, drums, np.array(keys)) == track


def test_names_in_a_file_decide_and_programs_are_kept(tmp_path):
    from symusic import Note, Track
    from symusic import Score as File

    file = File(480, ttype="Tick")
    for name, program, key in (("Bass", 0, 60), ("lead vocal", 53, 72), ("whatever", 5, 64)):
        track = Track(name, program, False, ttype="Tick")
        track.notes.extend([Note(480 * i, 480, key, 90 + i % 3, ttype="Tick") for i in range(16)])
        file.tracks.append(track)
    (tmp_path / "x.mid").write_bytes(file.dumps_midi())
    read = read_song(tmp_path / "x.mid")
    assert [track for track in range(5) if read.roll.held[track].any()] == [PIANO, BASS, STRINGS]
    assert read.roll.programs == (0, 5, 24, 0, 53)
    assert len(read) == 4
    assert read.held.shape == (4, 16, 72, 5)
    # Repeated notes are set off by a step of silence.
    assert read.held[1, :4, 60 - 24, BASS].tolist() == [True, True, True, False]


def test_keys_are_found_and_their_changes_to_the_bar():
    chords = "CaFGCFGC" * 2
    found = song(chords + chords).keys
    assert [key_name(int(key)) for key in np.unique(found)] == ["C:maj"]
    both = np.concatenate([song(chords).bars.chroma.sum(1), song(chords, key=4).bars.chroma.sum(1)])
    found = find_keys(both)
    assert changes(found).tolist() == [0, 16]
    assert [key_name(int(found[bar])) for bar in (0, 16)] == ["C:maj", "E:maj"]
    assert find_keys(np.zeros((3, 12))).shape == (3,)
    assert len(find_keys(np.zeros((0, 12)))) == 0


def test_one_stray_chord_is_no_change_of_key():
    chroma = song("CaFGCFGCaFGCCFGC").bars.chroma.sum(1)
    chroma[8] = np.roll(chroma[8], 1)
    assert len(changes(find_keys(chroma))) == 1


def test_keys_know_their_relatives():
    a_minor, c_major, g_major = 12 + 9, 0, 7
    assert signature(a_minor) == c_major
    assert fifths_apart(a_minor, c_major) == 0
    assert fifths_apart(c_major, g_major) == 1
    assert fifths_apart(c_major, 6) == 6
    assert transposed(a_minor, 5) == 12 + 2
    assert set(np.flatnonzero(scale(g_major))) == {7, 9, 11, 0, 2, 4, 6}


def test_bars_tell_what_is_played():
    bars = song("CaFG").bars
    assert set(np.flatnonzero(bars.chroma[1].sum(0))) == {9, 0, 4}
    assert bars.bass[:, 0].argmax(1).tolist() == [0, 9, 5, 7]
    assert bars.strokes[0, :, 0].nonzero()[0].tolist() == [0, 4, 8, 12]
    assert bars.playing[:, GUITAR].max() == 0
    assert np.isnan(bars.register[0, GUITAR])
    assert bars.edges[0, 0, 0] == 36
    assert not bars.empty.any()


def test_positions_follow_the_file_also_where_the_tempo_changes(tmp_path):
    roll = roll_of(bars_of("CaFGCaFG", 0), 8)
    tempo = np.where(np.arange(roll.steps) < 64, 120.0, 90.0)
    write_roll(replace(roll, tempo=tempo), tmp_path / "x.mid")
    read = read_song(tmp_path / "x.mid")
    assert [round(read.position(bar), 6) for bar in (0, 4, 7, 8)] == [0, 16, 28, 32]
    assert read.tempo(3) == pytest.approx(120, abs=0.01)
    assert read.tempo(4) == pytest.approx(90, abs=0.01)


def test_piano_rolls_are_songs_too(tmp_path):
    roll = roll_of(bars_of("CaFGCaFG", 0), 8)
    save_npz(roll.resampled(24), tmp_path / "x.npz")
    save = read_song(tmp_path / "x.npz")
    assert np.array_equal(save.held, song("CaFGCaFG").held)


def test_bars_of_one_quarter_are_joined_by_four():
    roll = roll_of(bars_of("CaFG", 0), 4, lines=np.arange(0, 64, 4))
    roll = replace(roll, metres=(Metre(0, 1, 4),))
    assert in_fours(roll).downbeats.tolist() == [0, 16, 32, 48]
    waltz = replace(roll, downbeats=np.arange(0, 64, 12), metres=(Metre(0, 3, 4),))
    assert in_fours(waltz) is waltz


@pytest.mark.parametrize("kind", ["waltz", "short", "text", "missing"])
def test_what_cannot_be_mixed_is_told_in_one_line(tmp_path, kind):
    path = tmp_path / "x.mid"
    roll = roll_of(bars_of("CaFG", 0), 4)
    if kind == "waltz":
        write_roll(replace(roll, downbeats=np.arange(0, 64, 12), metres=(Metre(0, 3, 4),)), path)
    elif kind == "short":
        write_roll(roll_of(bars_of("Ca", 0), 2), path)
    elif kind == "text":
        path.write_text("no music")
    with pytest.raises(D2MError) as told:
        read_song(path)
    assert "x.mid" in str(told.value)
    assert "\n" not in str(told.value)


@pytest.mark.slow
def test_drums_alone_are_a_song_that_can_be_mixed():
    notes = bars_of("CaFGCaFG", 0)
    roll = roll_of(notes[notes[:, 0] == DRUMS], 8)
    drums = song_of(to_score(roll), roll, "drums")
    for method in METHODS:
        assert find_mix_points(drums, song("CaFGCaFG"), method, 2)


def test_divergence_of_distributions_is_that_of_its_definition():
    first, second = np.array([[0.5, 0.5, 0.0]]), np.array([[0.0, 0.5, 0.5], [0.5, 0.5, 0.0]])
    middle = (first[0] + second[0]) / 2
    expected = 0.5 * (0.5 * np.log2(0.5 / 0.25)) * 2
    assert middle.tolist() == [0.25, 0.5, 0.25]
    assert jsd(first, second)[0] == pytest.approx([expected, 0.0], abs=1e-9)
    assert jsd(np.eye(3)[:1], np.eye(3)[1:2])[0, 0] == pytest.approx(1.0)


def test_warping_follows_the_alignment_of_the_songs():
    one = song("CaFGCaFGCaFG", seed=1)
    finite = np.isfinite(by_warping(one, one))
    assert finite.diagonal().all()
    assert finite.sum() <= 2 * len(one)
    assert distributions(one).sum(axis=1) == pytest.approx(np.ones(12))


@pytest.mark.parametrize("method", METHODS)
def test_mix_points_come_in_order_and_leave_out_the_outermost_bars(method):
    a, b = song("CaFGCaFGdG", 1), song("FGCaFGCadG", 2, style=1, key=5)
    points = find_mix_points(a, b, method, 6, rng=np.random.default_rng(3))
    assert [p.cost for p in points] == sorted(p.cost for p in points)
    assert len({(p.bar_a, p.bar_b) for p in points}) == len(points)
    assert all(0 < p.bar_a < len(a) - 1 and 0 < p.bar_b < len(b) - 1 for p in points)
    again = find_mix_points(a, b, method, 6, rng=np.random.default_rng(3))
    assert points == again


def test_points_in_silence_or_another_metre_are_none():
    roll = roll_of(bars_of("CaFGCaFG", 0), 8)
    held, onsets = roll.held.copy(), roll.onsets.copy()
    held[:, 32:48] = onsets[:, 32:48] = False
    quiet = song_of(to_score(replace(roll, held=held, onsets=onsets)), replace(roll, held=held, onsets=onsets), "quiet")
    for method in ("harmonic", "jsd"):
        assert all(p.bar_b != 2 for p in find_mix_points(song("CaFGCaFG"), quiet, method, 20))


def _cut_song(moved: int) -> tuple[Song, Song]:
    """A song of 16 bars played twice, cut in the middle; other music follows the first half and leads to the second."""
    whole = bars_of("CaFGCaFGFGeaFGCC", 5)
    after = bars_of("edaedaed", 9, style=1) + [0, 256, 256, 0]
    before, later = bars_of("dedaeade", 11, style=2), whole + [0, 128, 128, 0]
    joined = np.concatenate([before, later])
    joined[joined[:, 0] != DRUMS, 3] += moved
    rolls = [roll_of(np.concatenate([whole, after]), 24, name="a"), roll_of(joined, 24, name="b")]
    first, second = (song_of(to_score(roll), roll, roll.name) for roll in rolls)
    return first, second


@pytest.mark.parametrize("moved", [0, 3])
def test_harmony_goes_on_as_the_song_did_and_undoes_its_transposition(moved):
    a, b = _cut_song(moved)
    best = find_mix_points(a, b, "harmonic", 1)[0]
    assert best.transpose == -moved
    assert best.bar_a < 16
    assert (best.bar_a + 1) % 16 == (best.bar_b - 8) % 16
    still = find_mix_points(a, b, "harmonic", 3, transpose=0)
    assert all(p.transpose == 0 for p in still)
    assert set(best.terms) > {"goes on", "key", "phrase start"}


def test_the_seam_is_measured_after_the_transposition():
    a, b = song("CaFGCaFG"), song("CaFGCaFG", key=2)
    point = find_mix_points(a, b, "harmonic", 1)[0]
    figures = seam(a, b, replace(point, bar_a=4, bar_b=4, transpose=-2))
    assert figures["tonal distance"] == pytest.approx(0, abs=1e-9)
    assert figures["fifths apart"] == 0
    assert seam(a, b, replace(point, bar_a=4, bar_b=4, transpose=0))["fifths apart"] == 2


@pytest.mark.parametrize("method", ["harmonic", "dtw"])
def test_long_songs_are_looked_at_where_they_meet(method, monkeypatch):
    monkeypatch.setattr("d2m.symbolic.bridge.mixpoints.MOST_BARS", 24)
    long = song("CaFG" * 20)
    points = find_mix_points(long, long, method, 4)
    assert all(56 < p.bar_a < 79 and 0 < p.bar_b < 23 for p in points)


def test_songs_are_spared_as_asked():
    a, b = song("CaFG" * 5), song("CaFG" * 5, 2)
    points = find_mix_points(a, b, "harmonic", 8, spare=0.6)
    assert all(p.bar_a >= 12 and p.bar_b <= 8 for p in points)
    assert find_mix_points(a, song("CaFG"), "jsd", 1, spare=0.9)


def test_wrong_requests_are_told():
    a = song("CaFGCaFG")
    with pytest.raises(D2MError, match="no method 'best'.*harmonic"):
        find_mix_points(a, a, "best")
    with pytest.raises(D2MError, match="0 to 6"):
        find_mix_points(a, a, transpose=7)
    with pytest.raises(D2MError, match="one bar|two bars|no bar"):
        song("Ca")
