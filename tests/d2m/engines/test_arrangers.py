"""Who writes the music: MuseGAN for a dancer, and a user's own MIDI fitted to the dancer's beats."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from d2m import engines
from d2m.engines import kinds
from d2m.engines.arrangers import MuseGanArranger, RuleArranger, load_arranger
from d2m.engines.arrangers_midi import fit, read_piece
from d2m.errors import D2MError
from d2m.generator.band import playable
from d2m.symbolic.composer.style import PROGRAMS
from d2m.types import BeatGrid, Dance, Part, Score


def dance(tempo: float = 110.0, seconds: float = 12.0, first_beat: float = 0.3, wobble: float = 0.0) -> Dance:
    grid = BeatGrid.steady(tempo, seconds, first_beat)
    drift = wobble * np.sin(np.arange(len(grid.beats)))
    grid = replace(grid, beats=grid.beats + drift)
    count = len(grid.beats)
    return Dance(seconds, None, grid, np.full(count, 0.7, np.float32), np.full(count, 0.4, np.float32), "gPO")


def midi(path: Path, notes, *, tempo=120.0, signatures=((0, 4, 4),), programs=(0,), drums=()) -> Path:
    """A file of (track, start, end, key) in quarters."""
    from symusic import Note, Tempo, TimeSignature, Track
    from symusic import Score as File

    file = File(480, ttype="Tick")
    file.tempos.append(Tempo(0, qpm=tempo, ttype="Tick"))
    for at, numerator, denominator in signatures:
        file.time_signatures.append(TimeSignature(round(at * 480), numerator, denominator, ttype="Tick"))
    for number, program in enumerate(programs):
        track = Track(str(number), program, number in drums, ttype="Tick")
        for of, start, end, key in notes:
            if of == number:
                track.notes.append(Note(round(start * 480), round((end - start) * 480), key, 90, ttype="Tick"))
        file.tracks.append(track)
    path.write_bytes(file.dumps_midi())
    return path


def quarters(count: int, start: float = 0.0) -> list[tuple[int, float, float, int]]:
    """Rising quarter notes, so that each tells which one it is."""
    return [(0, start + i, start + i + 1, 40 + i) for i in range(count)]


def first_line(moves: Dance) -> int:
    """The first downbeat of a dance that is in the video."""
    lines = moves.grid.downbeats
    return int(lines[moves.grid.beats[lines] >= 0][0])


def heard(score: Score) -> dict[int, float]:
    """Seconds of the first note of each key."""
    part = score.parts[0]
    times = score.grid.time_of(part.starts)
    return {int(key): float(times[part.pitches == key].min()) for key in np.unique(part.pitches)}


def test_beats_of_the_file_are_the_dancers_however_they_sway(tmp_path):
    moves = dance(wobble=0.03)
    score = fit(read_piece(midi(tmp_path / "a.mid", quarters(32), tempo=97)), moves)
    begin = first_line(moves)
    found = heard(score)
    for i in range(12):
        assert found[40 + i] == pytest.approx(moves.grid.beats[begin + i], abs=1e-6)
    assert np.array_equal(score.grid.beats, moves.grid.beats)
    assert score.duration == moves.duration


@pytest.mark.parametrize(("tempo", "beats"), [(118, 1), (58, 2), (215, 0.5), (140, 1), (30, 4)])
def test_half_and_double_time_are_taken_where_they_are_nearer(tmp_path, tempo, beats):
    moves = dance(115)
    score = fit(read_piece(midi(tmp_path / "a.mid", quarters(32), tempo=tempo)), moves)
    starts = score.parts[0].starts
    assert np.allclose(np.diff(starts[starts >= first_line(moves)])[:4], beats)


def test_short_music_goes_round_and_ends_with_its_last_chord(tmp_path):
    notes = [*quarters(8), (1, 0, 4, 36), (1, 4, 8, 43), (2, 0, 1, 36), (2, 4, 5, 36)]
    path = midi(tmp_path / "a.mid", notes, programs=(0, 33, 0), drums=(2,))
    moves = dance(120, 20.0)
    score = fit(read_piece(path), moves)
    melody = next(part for part in score.parts if part.track == "piano")
    inside = melody.starts < melody.starts.max() - 1e-6
    assert set(melody.pitches[inside]) == set(range(40, 48))
    assert np.allclose(np.diff(melody.starts[inside])[1:], 1)
    final = melody.starts.max()
    assert melody.pitches[melody.starts == final].tolist() == [47]
    bass = next(part for part in score.parts if part.track == "bass")
    assert bass.pitches[bass.starts == final].tolist() == [43]
    drums = next(part for part in score.parts if part.is_drum)
    assert sorted(drums.pitches[drums.starts == final]) == [36, 49]
    assert 0 < moves.duration - score.grid.time_of(final) < 2.5
    assert all(part.ends.max() <= score.grid.position_of(moves.duration) + 1e-6 for part in score.parts)


def test_before_the_first_bar_line_the_round_is_under_way(tmp_path):
    moves = dance(120, 10.0, first_beat=0.25)
    moves = replace(moves, grid=replace(moves.grid, downbeats=np.arange(3, len(moves.grid.beats), 4)))
    score = fit(read_piece(midi(tmp_path / "a.mid", quarters(8))), moves)
    part = score.parts[0]
    before = part.pitches[part.starts < first_line(moves) - 1e-6].tolist()
    assert len(before) >= 2
    assert before == list(range(48 - len(before), 48))


def test_music_that_ends_with_the_dance_is_left_alone(tmp_path):
    moves = dance(120, 16.0, first_beat=0.0)
    notes = [*quarters(31), (0, 31, 32, 90)]
    score = fit(read_piece(midi(tmp_path / "a.mid", notes)), moves)
    assert score.parts[0].pitches.tolist() == [key for *_, key in notes]


def test_a_waltz_keeps_its_bars_of_three(tmp_path):
    path = midi(tmp_path / "a.mid", quarters(30), tempo=230, signatures=((0, 3, 4),))
    score = fit(read_piece(path), dance(115))
    assert score.grid.beats_per_bar == 3
    assert set(np.diff(score.grid.downbeats)) == {3}
    downbeats = score.parts[0].pitches[np.isin(score.parts[0].starts, score.grid.downbeats)]
    assert set((downbeats[:-1] - 40) % 3) == {0}


def test_six_eight_is_felt_in_two_and_twelve_eight_in_four(tmp_path):
    eighths = [(0, i / 2, (i + 1) / 2, 40 + i) for i in range(24)]
    for numerator in (6, 12):
        path = midi(tmp_path / "a.mid", eighths, tempo=165, signatures=((0, numerator, 8),))
        score = fit(read_piece(path), dance(110))
        assert np.allclose(np.diff(score.parts[0].starts)[3:9], 1 / 3, atol=1e-6)
        assert score.grid.beats_per_bar == 4


def test_bars_of_one_and_two_quarters_are_counted_in_fours(tmp_path):
    for numerator in (1, 2):
        path = midi(tmp_path / "a.mid", quarters(10), tempo=118, signatures=((0, numerator, 4),))
        assert read_piece(path).bars.tolist() == [0, 4, 8, 12]
        score = fit(read_piece(path), dance(115, 20.0))
        assert score.grid.beats_per_bar == 4


def test_seven_eight_keeps_whole_beats(tmp_path):
    eighths = [(0, i / 2, (i + 1) / 2, 40 + i) for i in range(28)]
    score = fit(read_piece(midi(tmp_path / "a.mid", eighths, tempo=60, signatures=((0, 7, 8),))), dance(115))
    assert set(np.diff(score.grid.downbeats)) == {7}
    assert np.allclose(np.diff(score.parts[0].starts)[1:8], 1)


def test_a_pickup_leads_into_the_first_bar_line(tmp_path):
    moves = dance(120, 10.0, first_beat=0.1)
    moves = replace(moves, grid=replace(moves.grid, downbeats=np.arange(2, len(moves.grid.beats), 4)))
    stated = midi(tmp_path / "a.mid", quarters(17), signatures=((0, 1, 4), (1, 4, 4)))
    unstated = midi(tmp_path / "b.mid", quarters(17, start=3.0))
    for path in (stated, unstated):
        found = heard(fit(read_piece(path), moves))
        assert found[41] == pytest.approx(moves.grid.beats[first_line(moves)])
        assert found[40] == pytest.approx(moves.grid.beats[first_line(moves) - 1])


def test_silence_before_the_music_is_left_out(tmp_path):
    moves = dance()
    late, early = (heard(fit(read_piece(midi(tmp_path / "a.mid", quarters(16, start=at))), moves)) for at in (8.0, 0.0))
    assert late == early


def test_instruments_of_one_kind_are_one_part_and_few_are_left_out(tmp_path):
    notes = [(track, i, i + 1, 60) for track in range(40) for i in range(track + 1)]
    piece = read_piece(midi(tmp_path / "a.mid", notes, programs=tuple(range(20)) * 2))
    assert len(piece.parts) == 16
    assert min(len(part.starts) for part in piece.parts) > 20


def test_music_too_long_or_too_dense_is_refused(tmp_path):
    far = midi(tmp_path / "far.mid", [(0, 0, 1, 60), (0, 30_000, 30_001, 60)])
    with pytest.raises(D2MError, match="longer than 20000 beats"):
        read_piece(far)
    dense = midi(tmp_path / "dense.mid", [(0, 0, 1, key % 128) for key in range(20_000)])
    with pytest.raises(D2MError, match="too many notes"):
        fit(read_piece(dense), dance(120, 3000.0))


def test_arrangers_are_found_by_name_and_notes_by_file(tmp_path):
    song = str(midi(tmp_path / "song.mid", quarters(4)))
    assert isinstance(load_arranger(), RuleArranger)
    assert isinstance(load_arranger("composer"), RuleArranger)
    assert load_arranger(sketch=song).name == "song.mid"
    assert isinstance(load_arranger(sketch="composer"), RuleArranger)
    with pytest.raises(D2MError, match="unknown arranger 'jazz'; choose composer or musegan"):
        load_arranger("jazz")
    with pytest.raises(D2MError, match="no MIDI file jazz; give --sketch a file"):
        load_arranger(sketch="jazz")
    with pytest.raises(D2MError, match=r"cannot read none.mid"):
        load_arranger(sketch="none.mid")
    with pytest.raises(D2MError, match="leave out --sketch or --arranger"):
        load_arranger("composer", song)


@pytest.mark.slow
def test_both_engines_play_a_midi_file(tmp_path):
    moves = dance(112, 4.0)
    notes = [*quarters(16), *((1, i, i + 1, 36) for i in range(16))]
    path = str(midi(tmp_path / "song.mid", notes, programs=(46, 33)))
    for name in ("symbolic", "vq"):
        engine = engines.load(name, sketch=path)
        music = engine.compose(moves, seed=1)
        assert music.waveform.shape[1] == round(4.0 * music.sample_rate)
        assert np.abs(music.waveform).max() > 0.1
        assert music.provenance["details"]["arranger"] == "song.mid"
        assert {part.track for part in music.score.parts} == {"strings", "bass"}


def test_the_generator_gets_instruments_that_it_knows():
    notes = (np.array([0.0]), np.array([1.0]), np.array([60]), np.array([90]))
    parts = (Part("strings", 41, *notes), Part("piano", 4, *notes), Part("drums", 48, *notes))
    score = playable(Score(parts, BeatGrid.steady(120, 2.0), 2.0))
    assert all(part.program in PROGRAMS[part.track] for part in score.parts)
    assert [part.program for part in score.parts] == [48, 4, 40]


@pytest.mark.slow
def test_musegan_plays_for_both_engines():
    moves = dance(112, 4.0)
    arranger = MuseGanArranger()
    engine = engines.load("symbolic", arranger="musegan")
    music = engine.compose(moves, seed=2)
    assert engine.weights == ("studio-musegan",)
    assert music.provenance["weights"] == ["studio-musegan"]
    assert [part.pitches.tolist() for part in music.score.parts] == [
        part.pitches.tolist() for part in arranger.write(moves, 2).parts
    ]
    assert "studio-musegan" in engines.load("vq", arranger="musegan").weights


def test_a_d2m_gan_takes_neither_sketch_nor_soundfont(monkeypatch):
    monkeypatch.setattr(kinds, "_d2m_gan", lambda names: object())
    with pytest.raises(D2MError, match="--soundfont is for --engine symbolic"):
        engines.load("vq", weights=["netG.pt"], soundfont="FluidR3_GM.sf2")
    with pytest.raises(D2MError, match="leave out --sketch"):
        engines.load("vq", weights=["netG.pt"], sketch="song.mid")


@pytest.mark.slow
def test_musegan_plays_with_weights_of_the_users_own(tmp_path):
    import shutil

    from d2m import weights

    own = tmp_path / "mine.safetensors"
    shutil.copy(weights.find("studio-musegan")[0], own)
    arranger = load_arranger(f"musegan:{own}")
    assert arranger.name == f"musegan:{own}"
    with pytest.raises(D2MError, match="missing"):
        load_arranger("musegan:missing.safetensors")


def test_weights_for_an_arranger_without_any_are_refused():
    with pytest.raises(D2MError, match="composer takes no weights"):
        load_arranger("composer:some.safetensors")
