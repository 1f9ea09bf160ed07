"""Control words of the symbolic commands: key, chords, tempo, swing, length, tracks, stems and tracks to regenerate."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path

import mido
import numpy as np
import pytest
from test_accompany_file import mine, played
from test_bridge import POINT, Repeater
from test_bridge_songs import song
from test_emotion_cli import models  # noqa: F401
from test_midi_field import control, name, program
from test_musegan_cli import piano_piece, weights  # noqa: F401

from d2m.cli.main import main
from d2m.errors import D2MError
from d2m.options import described
from d2m.symbolic.bridge.joining import join
from d2m.symbolic.chords import chord_at, chord_name, find_chords, read_chords
from d2m.symbolic.control_options import (
    AccompanyControls,
    BridgeControls,
    EmotionControls,
    GenerateControls,
    RenderControls,
    StreamControls,
)
from d2m.symbolic.fit_notes import bar_chroma, chords_of, into_key, main_key, onto_chords
from d2m.symbolic.instrument_names import INSTRUMENTS, instrument_name, program_called
from d2m.symbolic.keys import key_name, key_number, scale, signature
from d2m.symbolic.midi import read_midi, write_midi
from d2m.symbolic.midi_file import parse
from d2m.symbolic.musegan.accompaniment import accompany_roll
from d2m.symbolic.musegan.files import load
from d2m.symbolic.pianoroll_tensor import COMPACT, from_tensor
from d2m.symbolic.score_edit import at_tempo, first_bars, semitones_to, swing, swung, transposed, without
from d2m.symbolic.shape import Shape
from d2m.types import BeatGrid, Part, Score

PROGRESSIONS = ("Am F C G", "Dm7 G7 Cmaj7 A7", "C/E F G7sus4 C", "F#m7b5:2 B7:2 Em", "Csus2 Gdim Abaug F")
CONTROLS = (GenerateControls, AccompanyControls, BridgeControls, EmotionControls, RenderControls, StreamControls)


def score(seed: int = 0, bars: int = 8, tempo: float = 120.0) -> Score:
    """Random notes in every track, on sixteenths and in every key."""
    rng = np.random.default_rng(seed)
    parts = []
    for track, number, low, high in (("drums", 0, 35, 50), ("piano", 0, 48, 84), ("guitar", 24, 45, 76),
                                     ("bass", 33, 30, 52), ("strings", 73, 60, 84)):  # fmt: skip
        starts = np.sort(rng.integers(0, 16 * bars, 12 * bars)) / 4
        ends = starts + rng.choice([0.25, 0.5, 1.0, 3.0, 6.0], len(starts))
        keys = rng.integers(low, high, len(starts))
        parts.append(Part(track, number, starts, ends, keys, np.full(len(starts), 80)))
    duration = bars * 4 * 60 / tempo
    return Score(tuple(parts), BeatGrid.steady(tempo, duration, confidence=1.0), duration)


def scale_piece(key: int, bars: int = 8) -> Score:
    """The chords of degrees 1, 4, 5 and 1 of a key with its scale above."""
    tonic, minor = key % 12, key >= 12
    steps = (0, 2, 3, 5, 7, 8, 10) if minor else (0, 2, 4, 5, 7, 9, 11)
    rows = []
    for bar in range(bars):
        root = (0, 3, 4, 0)[bar % 4]
        rows += [(4.0 * bar, 4.0 * bar + 4, 48 + tonic + steps[(root + i) % 7]) for i in (0, 2, 4)]
        rows += [(4.0 * bar + i / 2, 4.0 * bar + i / 2 + 0.5, 60 + tonic + steps[(root + i) % 7]) for i in range(8)]
    table = np.array(sorted(rows))
    part = Part("piano", 0, table[:, 0], table[:, 1], table[:, 2].astype(np.int64), np.full(len(table), 80))
    return Score((part,), BeatGrid.steady(120.0, bars * 2.0, confidence=1.0), bars * 2.0)


def test_chord_symbols_in_their_usual_spellings():
    found = read_chords("C Cm C7 Cmaj7 CM7 Cm7 C-7 Cdim C° Caug C+ Csus2 Csus4 Csus C6 Cm7b5 Cø F#m7/C# B♭ | Eb,A:1.5")
    laid = found.lay_out(np.arange(0, 400, 4), 100)
    assert [chord_name(chord) for chord in laid[:21]] == [
        *("C", "Cm", "C7", "Cmaj7", "Cmaj7", "Cm7", "Cm7", "Cdim", "Cdim", "Caug", "Caug", "Csus2", "Csus4", "Csus4"),
        *("C6", "Cm7b5", "Cm7b5", "F#m7/C#", "Bb", "Eb", "A"),
    ]
    assert laid[20].end - laid[20].start == 1.5
    assert laid[21].start == 81.5
    assert laid[21].end == 84.0


@pytest.mark.parametrize("text", ["H", "Am7x", "c", "Am:x", "Am:0", "C/H", "", "Am//C", "A" * 3000])
def test_an_unknown_chord_is_named_in_one_line(text):
    with pytest.raises(D2MError) as error:
        read_chords(text)
    assert "\n" not in str(error.value)
    assert text.split("//")[0] in str(error.value) or not text


def test_chords_are_repeated_and_follow_bar_lines():
    laid = read_chords("Am F:2 C:2").lay_out(np.array([0.0, 4, 7, 11]), 15.0)
    assert [(chord_name(c), c.start, c.end) for c in laid] == [
        ("Am", 0, 4), ("F", 4, 6), ("C", 6, 8), ("Am", 8, 11), ("F", 11, 13), ("C", 13, 15),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "key"),
    [("Am F C G", "A:min"), ("C G Am F", "C:maj"), ("Em B7 C D", "E:min"), ("Am F", "A:min"), ("G7 C", "C:maj")],
)
def test_key_of_a_progression(text, key):
    assert key_name(read_chords(text).key()) == key


@pytest.mark.parametrize("seed", range(5))
def test_notes_on_beats_belong_to_the_chord(seed):
    made = score(seed)
    shape = Shape(chords=read_chords(PROGRESSIONS[seed]))
    fitted, chords = shape.fit(made), shape.lay_out(made)
    for part, before in zip(fitted.parts, made.parts, strict=True):
        if part.is_drum:
            assert part is before
            continue
        assert len(part.starts) > 0.4 * len(before.starts)
        for beat in range(32):
            sounding = part.pitches[(part.starts <= beat) & (part.ends > beat)]
            chord = chord_at(chords, beat)
            assert set((sounding % 12).tolist()) <= {*chord.tones, chord.bass}
        if part.track == "bass":
            for chord in chords:
                first = np.flatnonzero((part.starts >= chord.start) & (part.starts < chord.end))
                assert not len(first) or part.pitches[first[0]] % 12 == chord.bass


@pytest.mark.parametrize("wanted", ["Am", "Eb", "F#m", "C"])
@pytest.mark.parametrize("own", ["C", "Dm", "B", "G#m"])
def test_music_is_moved_into_a_key_of_either_mode(own, wanted):
    key = key_number(wanted)
    moved = into_key(scale_piece(key_number(own)), key)
    assert main_key(moved) == key
    assert scale(key)[moved.parts[0].pitches % 12].all()
    assert np.array_equal(moved.parts[0].starts, scale_piece(key_number(own)).parts[0].starts)


def test_chords_of_given_music_are_found():
    prog = read_chords("C Am F G7 Dm:2 G:2 C")
    laid = prog.lay_out(np.arange(0, 24, 4), 24.0)
    rows = [(c.start, c.end, 48 + tone) for c in laid for tone in (c.root, *c.tones[:2])]
    table = np.array(rows)
    part = Part("piano", 0, table[:, 0], table[:, 1], table[:, 2].astype(int), np.full(len(table), 80))
    piece = Score((part,), BeatGrid.steady(120.0, 12.0), 12.0)
    assert [chord_name(c) for c in chords_of(piece)] == ["C", "Am", "F", "G", "Dm", "G", "C"]
    silent = find_chords(np.zeros((1, 2, 12)), np.array([[0.0, 4.0]]), np.zeros(1, int))
    assert [chord_name(c) for c in silent] == ["C"]
    assert bar_chroma([part], np.array([0.0, 4.0, 24.0])).sum() == pytest.approx((table[:, 1] - table[:, 0]).sum())


def test_swing_moves_off_beats_and_leaves_beats():
    at = np.array([0.0, 0.25, 0.5, 0.75, 1.0, 2.5])
    assert swing(at, 2 / 3) == pytest.approx([0.0, 1 / 3, 2 / 3, 5 / 6, 1.0, 2 + 2 / 3])
    made = score()
    assert swung(made, 0.5) is made
    assert [len(part.starts) for part in swung(made, 0.6).parts] == [len(part.starts) for part in made.parts]


def test_tempo_is_in_the_tempo_map_and_swing_in_the_ticks(tmp_path):
    made = swung(at_tempo(score(), 93.0), 0.62)
    file = mido.MidiFile(write_midi(made, tmp_path / "a.mid"))
    tempos = [message.tempo for message in file.tracks[0] if message.type == "set_tempo"]
    assert 6e7 / tempos[0] == pytest.approx(93.0, abs=0.01)
    assert len(tempos) == 1
    places = set()
    for track in file.tracks[1:]:
        now = 0
        for message in track:
            now += message.time
            if message.type == "note_on" and message.velocity:
                places.add(now % 960)
    assert places == {0, round(0.31 * 960), round(0.62 * 960), round(0.81 * 960)}


def test_first_bars_tracks_and_transposition():
    made = score()
    short = first_bars(made, 3)
    assert short.duration == pytest.approx(6.0)
    assert max(part.ends.max() for part in short.parts) <= 12
    with pytest.raises(D2MError, match="8 bars"):
        first_bars(made, 9)
    assert [part.track for part in without(made, ["drums", "bass"]).parts] == ["piano", "guitar", "strings"]
    with pytest.raises(D2MError, match="no track 'tuba'; choose from drums, piano"):
        without(made, ["tuba"])
    piece = scale_piece(key_number("D"))
    assert main_key(transposed(piece, semitones_to(piece, key_number("C")))) == key_number("C")
    # Music in a major key goes to the major key with the scale of the minor key that is asked for.
    assert main_key(transposed(piece, semitones_to(piece, key_number("Am")))) == key_number("C")


def test_only_chosen_parts_are_moved_onto_chords():
    made = score()
    chords = read_chords("Am").lay_out(np.arange(0, 32, 4), 32.0)
    moved = onto_chords(made, chords, 21, only=made.parts[3:4])
    assert [a is b for a, b in zip(moved.parts, made.parts, strict=True)] == [True, True, True, False, True]


def test_refused_words_say_why_and_every_command_knows_all_words():
    words = {"key", "chords", "tempo", "swing", "without", "regenerate", "stems"}
    for kind in CONTROLS:
        assert words - {each.name for each in fields(kind)} <= ({"stems"} if kind is RenderControls else set())
        for each, info in described(kind):
            if info.refused:
                with pytest.raises(D2MError, match=f"^--{each.name}: "):
                    kind(**{each.name: "x"}).check()


@pytest.mark.parametrize(
    ("given", "said"),
    [({"swing": 80.0}, "50"), ({"swing": 0.2}, "50"), ({"key": "H"}, "no key 'H'"), ({"chords": "Xy"}, "'Xy'"),
     ({"tempo": 5.0}, "20 to 400"), ({"bars": 0}, "1 to 2000")],
)  # fmt: skip
def test_values_out_of_range_are_refused(given, said):
    with pytest.raises(D2MError, match=said):
        GenerateControls(**given).check()


@pytest.mark.parametrize("value", [62.0, 0.62])
def test_swing_is_a_percentage_or_a_share(value):
    assert GenerateControls(swing=value).check().shape.swing == pytest.approx(0.62)


def test_tracks_are_named_after_what_plays_them(tmp_path):
    assert len(INSTRUMENTS) == 128
    for number in range(128):
        assert program_called(INSTRUMENTS[number]) == number
        assert program_called(f"{INSTRUMENTS[number].title()} 3") in (number, None) or number in (4, 36, 38, 50, 62)
    assert [instrument_name(*each) for each in (("strings", 73), ("strings", 81), ("strings", 48), ("drums", 8))] == [
        "flute", "saw lead", "strings", "drums",
    ]  # fmt: skip
    made = score()
    parts = (*made.parts, made.parts[-1])
    again = read_midi(write_midi(Score(parts, made.grid, made.duration), tmp_path / "a.mid"))
    assert [part.name for part in again.parts] == ["drums", "piano", "guitar", "bass", "flute", "flute 2"]


def foreign(path: Path) -> Path:
    """A file of seven instruments: two pianos, two of the strings track, guitar, bass and drums."""
    return mine(
        path,
        name(b"Left hand") + program(0, 0) + control(90, 64, 0) + played(*[48, 52, 55, 60] * 6, channel=0),
        name(b"Right hand") + program(0, 1) + played(*[72, 76, 79, 84] * 6, channel=1),
        name(b"Choir") + program(52, 2) + played(*[60, 64, 67, 60] * 6, channel=2),
        name(b"Oboe") + program(68, 3) + played(*[79, 77, 76, 74] * 6, channel=3),
        name(b"Telecaster") + program(27, 4) + played(*[55, 59, 62, 55] * 6, channel=4),
        name(b"Low end") + program(33, 5) + played(*[36, 36, 43, 36] * 6, channel=5),
        name(b"Kit") + played(*[36, 42, 38, 42] * 6, channel=9),
    )


def by_name(data: bytes) -> dict[str, list]:
    file = parse(data, 100_000)
    return {file.name_of(source): sorted(notes) for source, notes in file.notes.items()}


def test_both_songs_of_a_bridge_take_key_tempo_and_tracks():
    words = BridgeControls(key="Em", tempo=90.0, without="drums", chords="Em C", swing=60.0).check()
    before = [song("CaFGCaFG", tempo=100), song("CaFGCaFG", tempo=144)]
    songs = [each.shaped(words) for each in before]
    for own, each in zip(before, songs, strict=True):
        assert signature(int(np.bincount(each.keys).argmax())) == signature(key_number("Em"))
        assert each.tempo(2) == pytest.approx(90.0)
        assert len(each) == len(own)
    joined = join(*songs, POINT, Repeater(), 2, chords=words.shape.chords)
    assert joined.score.grid.tempo == pytest.approx(90.0)
    assert all(part.track != "drums" for part in joined.score.parts)
    laid = words.shape.chords.lay_out(np.array([0.0, 4.0]), 8.0)
    sounding = 0
    for part in joined.score.parts:
        for beat in range(8):
            here = joined.start + beat + 0.01
            inside = (part.starts >= joined.start - 0.01) & (part.starts <= here) & (part.ends > here)
            assert set((part.pitches[inside] % 12).tolist()) <= {*chord_at(laid, beat).tones}
            sounding += int(inside.sum())
    assert sounding > 8
    with pytest.raises(D2MError, match="plays only what --without leaves out"):
        before[0].shaped(BridgeControls(without="drums,piano,guitar,bass,strings").check())


@pytest.mark.slow
def test_emotion_takes_key_chords_tempo_and_length(models, tmp_path, capsys):  # noqa: F811
    out = tmp_path / "a.mid"
    words = ["symbolic", "emotion", "-e", "gloomy", "--seed", "3", "-o", str(out), *models, "--json"]
    assert main([*words, "--key", "D", "--chords", "D A", "--tempo", "77", "--bars", "5"]) == 0
    about = json.loads(capsys.readouterr().out)
    assert about["melodies"][0]["seconds"] == pytest.approx(5 * 4 * 60 / 77, abs=0.02)
    made = read_midi(out)
    assert made.grid.tempo == pytest.approx(77.0, abs=0.01)
    # The mode of the key replaces that of the emotion.
    assert scale(key_number("D"))[made.parts[0].pitches % 12].all()
    for more in (["--bars", "17"], ["--without", "drums"], ["--regenerate", "piano"]):
        assert main([*words, *more]) == 1
        assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.slow
def test_render_plays_the_tempo_bars_and_tracks_that_are_asked_for(tmp_path, capsys):
    import wave

    source = write_midi(score(), tmp_path / "song.mid")
    words = ["symbolic", "render", str(source), "--tempo", "240", "--bars", "2", "--without", "drums,flute"]
    assert main([*words, "-o", str(tmp_path / "a.wav")]) == 0
    assert "3 parts" in capsys.readouterr().out
    with wave.open(str(tmp_path / "a.wav")) as file:
        # Two bars, and two seconds for the last notes to ring.
        assert file.getnframes() / file.getframerate() == pytest.approx(2 * 4 * 60 / 240 + 2, abs=0.01)
    assert main([*words[:3], "--without", "drums,piano,guitar,bass,strings", "-o", str(tmp_path / "b.wav")]) == 1
    assert main([*words[:3], "--chords", "Am", "-o", str(tmp_path / "b.wav")]) == 1
    assert not (tmp_path / "b.wav").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("wanted", "gone"),
    [("drums", {"Kit"}), ("Oboe", {"Oboe"}), ("strings", {"Choir", "Oboe"}), ("bass,guitar", {"Low end", "Telecaster"}),
     ("piano", {"Left hand", "Right hand"})],
)  # fmt: skip
def test_regenerated_tracks_leave_all_others_note_for_note(wanted, gone, weights, tmp_path, capsys, monkeypatch):  # noqa: F811
    source = foreign(tmp_path / "song.mid")
    monkeypatch.setattr("d2m.symbolic.musegan.beside.accompany_file.__defaults__", _with_scratch(weights[0]))
    out = tmp_path / "out.mid"
    words = ["symbolic", "accompany", str(source), "--model", str(weights[1]), "-o", str(out), "--json"]
    assert main([*words, "--regenerate", wanted]) == 0
    about = json.loads(capsys.readouterr().out)
    before, after = by_name(source.read_bytes()), by_name(out.read_bytes())
    for called, notes in before.items():
        if called not in gone:
            assert after[called] == notes, called
    new = {called for called in after if called not in before or after[called] != before[called]}
    assert len(new) == len(about["added"]) == len(wanted.split(","))


def _with_scratch(path: Path) -> tuple:
    from d2m.symbolic.musegan.beside import accompany_file

    return (*accompany_file.__defaults__[:-1], path)


@pytest.mark.slow
def test_regenerate_names_what_it_does_not_find(weights, tmp_path, capsys):  # noqa: F811
    source = foreign(tmp_path / "song.mid")
    words = ["symbolic", "accompany", str(source), "--model", str(weights[1]), "-o", str(tmp_path / "o.mid")]
    assert main([*words, "--regenerate", "Tuba"]) == 1
    said = capsys.readouterr().err
    assert "no track 'Tuba'" in said
    assert "Oboe" in said
    assert said.count("\n") == 1
    assert main([*words, "--regenerate", "Oboe,Choir"]) == 1
    assert "second strings track" in capsys.readouterr().err
    assert main([*words, "--regenerate", "Kit", "--anew"]) == 1
    assert "leave out --anew" in capsys.readouterr().err
    assert main([*words, "--tempo", "90"]) == 1
    assert "render --tempo" in capsys.readouterr().err
    assert not (tmp_path / "o.mid").exists()


@pytest.mark.slow
def test_generate_takes_all_words_and_its_stems_are_the_mix(weights, tmp_path, capsys):  # noqa: F811
    import wave

    out = tmp_path / "song.mid"
    words = ["symbolic", "generate", "--model", str(weights[0]), "-o", str(out), "--bars", "3", "--tempo", "150"]
    words += ["--chords", "Am F", "--swing", "60", "--without", "guitar", "--stems", str(tmp_path / "stems"), "--json"]
    assert main(words) == 0
    about = json.loads(capsys.readouterr().out)
    assert about["key"] == "A:min"
    assert "guitar" not in about["tracks"]
    assert about["seconds"] == pytest.approx(3 * 4 * 60 / 150, abs=0.02)
    sounds = []
    for path in (tmp_path / "song.wav", *(tmp_path / "stems").iterdir()):
        with wave.open(str(path)) as file:
            sounds.append(np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(float))
    assert {path.stem for path in (tmp_path / "stems").iterdir()} == set(about["tracks"])
    rest = sounds[0] - sum(sounds[1:])
    assert np.sqrt((rest**2).mean()) < 1e-3 * np.sqrt((sounds[0] ** 2).mean())


@pytest.mark.slow
def test_new_tracks_play_the_chords_that_are_given(weights, tmp_path, capsys):  # noqa: F811
    source, out = piano_piece(tmp_path / "piano.mid"), tmp_path / "band.mid"
    words = ["symbolic", "accompany", str(source), "--model", str(weights[1]), "-o", str(out), "--json"]
    assert main([*words, "--chords", "C F", "--without", "drums"]) == 0
    assert "drums" not in json.loads(capsys.readouterr().out)["added"]
    chords = read_chords("C F").lay_out(np.arange(0, 20, 4), 20.0)
    for part in read_midi(out).parts:
        if part.track == "piano":
            continue
        for beat in range(20):
            sounding = part.pitches[(part.starts <= beat) & (part.ends > beat + 0.01)]
            assert set((sounding % 12).tolist()) <= set(chord_at(chords, beat).tones)


@pytest.mark.slow
def test_new_tracks_rest_with_the_piece_and_hold_no_note_for_more_than_two_bars(weights):  # noqa: F811
    tensor = np.zeros((12, 16, 72, 5), bool)
    tensor[:, ::4, [36, 40, 43], 1] = True
    tensor[4:10] = False
    made = accompany_roll(load(weights[1]), from_tensor(tensor, COMPACT, 96.0))
    for track in (2, 3, 4):
        notes = made.notes(track)
        assert not len(notes) or (notes[:, 1] - notes[:, 0]).max() <= 2 * 16 + 16
        assert not made.held[track, 4 * 16 : 10 * 16].any()
    assert made.held[0, 4 * 16 : 10 * 16].any()
