"""Plans: what is written is played, sections depend on their own lines alone, and errors name the line."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from d2m import engines
from d2m.errors import D2MError
from d2m.features import Analysis
from d2m.generate_options import GenerateOptions
from d2m.plans import Cut, Hit, Plan, plan_for, play, read_plan, write_plan
from d2m.plans.ask import mix_of, planned
from d2m.plans.make import lasting, looping, retimed
from d2m.types import BeatGrid, Dance

pytestmark = pytest.mark.slow

TEMPO, SECONDS = 120.0, 16.0
BAR = 240.0 / TEMPO


def dance_of(seconds: float = SECONDS, tempo: float = TEMPO) -> Dance:
    grid = BeatGrid.steady(tempo, seconds)
    rng = np.random.default_rng(1)
    energy, accents = rng.random((2, len(grid.beats))).astype(np.float32)
    return Dance(seconds, None, grid, energy, accents, "gHO")


@pytest.fixture(scope="module")
def engine():
    return engines.load("symbolic")


@pytest.fixture(scope="module")
def in_three() -> Plan:
    return plan_for(dance_of(), seed=3, cuts=[Cut(4.1, "cut"), Cut(11.8, "cut")], genres=["house", "krump"])


@pytest.fixture(scope="module")
def played(engine, in_three):
    return play(in_three, engine)


def changed(one, other) -> tuple[float, float]:
    """Return the first and last second at which two sounds differ."""
    where = np.flatnonzero((one.waveform != other.waveform).any(0)) / one.sample_rate
    return float(where.min()), float(where.max())


def test_sections_begin_on_bar_lines_and_have_their_genres(in_three) -> None:
    assert [(section.start, section.end, section.genre) for section in in_three.sections] == [
        (0.0, 4.0, "house"),
        (4.0, 12.0, "krump"),
        (12.0, 16.0, "krump"),
    ]


def test_a_plan_of_one_section_is_what_the_engine_composes(engine) -> None:
    dance = dance_of(8.0)
    planned_notes = play(plan_for(dance, seed=5), engine).score
    composed = engine.compose(dance, seed=5).score
    assert [part.pitches.tolist() for part in planned_notes.parts] == [part.pitches.tolist() for part in composed.parts]


def test_a_plan_is_the_same_after_writing_and_reading(in_three, played, engine, tmp_path) -> None:
    write_plan(in_three, tmp_path / "p.toml")
    again = read_plan(tmp_path / "p.toml")
    assert again.sections == in_three.sections
    assert again.hits == in_three.hits
    assert np.array_equal(play(again, engine).waveform, played.waveform)


def test_another_section_leaves_the_others_as_they_are(in_three, played, engine) -> None:
    other = replace(in_three, sections=[replace(section) for section in in_three.sections])
    other.section(2).genre, other.section(2).energy, other.section(2).seed = "waack", 0.9, 8
    first, last = changed(play(other, engine), played)
    assert 4.0 - 0.11 <= first < 4.1
    assert 12.0 < last <= 12.0 + 2 * BAR
    other = replace(in_three, sections=[replace(section) for section in in_three.sections])
    other.section(1).genre = "ballet-jazz"
    first, last = changed(play(other, engine), played)
    assert first < 0.2
    assert last <= 4.0 + 2 * BAR


def test_the_bar_before_another_genre_leads_to_it(engine) -> None:
    plan = plan_for(dance_of(18.0), seed=3, cuts=[Cut(8.0, "cut")], genres=["house", "krump"])
    plain = replace(plan, sections=[replace(section, transition="none") for section in plan.sections])
    with_bar, at_once = play(plan, engine), play(plain, engine)
    first, last = changed(at_once, with_bar)
    assert 8.0 - BAR - 0.1 <= first < 8.0
    assert last <= 8.0 + 2 * BAR
    bar = slice(round((8.0 - BAR) * 44100), 8 * 44100)
    levels = [20 * np.log10(np.sqrt(np.mean(sound.waveform[:, bar] ** 2))) for sound in (at_once, with_bar)]
    assert abs(levels[0] - levels[1]) < 6.0
    in_stems = play(plan, engine, stems=True)
    assert np.abs(np.sum(list(in_stems.stems.values()), axis=0) - in_stems.waveform).max() < 1e-3
    # The notes are those that are heard.
    inside = [part.starts[(part.starts >= 12) & (part.starts < 16)] for part in with_bar.score.parts]
    before = [part.starts[(part.starts >= 12) & (part.starts < 16)] for part in at_once.score.parts]
    assert sum(map(len, inside)) > 4
    assert sorted(np.concatenate(inside).tolist()) != sorted(np.concatenate(before).tolist())


def test_sections_of_one_genre_and_seed_share_key_and_instruments(engine) -> None:
    plan = plan_for(dance_of(), seed=3, cuts=[Cut(8.0, "cut")])
    plan.section(1).role = plan.section(2).role = "chorus"
    score = play(plan, engine).score
    keys = play(plan, engine).provenance["sections"]
    assert keys[0]["key"] == keys[1]["key"]
    melodic = [part for part in score.parts if not part.is_effect]
    assert sum(part.starts.min() < 16 <= part.starts.max() for part in melodic) >= 3


def test_key_role_and_length_are_kept(engine) -> None:
    plan = plan_for(dance_of(8.0), seed=1, key="F#m")
    sound = play(plan, engine)
    assert sound.score.key == "Gb:min"
    assert sound.waveform.shape[1] == 8 * sound.sample_rate
    plan = plan_for(dance_of(8.0), seed=1, begin=2.0, end=6.0)
    sound = play(plan, engine)
    assert not sound.waveform[:, : 2 * 44100 - 4410].any()
    assert not sound.waveform[:, 6 * 44100 + 10 :].any()
    assert np.abs(sound.waveform[:, 2 * 44100 : 6 * 44100]).max() > 0.1


def test_fades_begin_and_end_in_silence(engine) -> None:
    plain = plan_for(dance_of(6.0), seed=1)
    faded = replace(plain, fade_in=2.0, fade_out=2.0)
    one, other = play(faded, engine).waveform, play(plain, engine).waveform
    middle = slice(round(2.1 * 44100), round(3.9 * 44100))
    assert np.array_equal(one[:, middle], other[:, middle])
    assert np.abs(one[:, :2000]).max() < 0.01
    assert np.abs(one[:, -2000:]).max() < 0.01


def test_music_under_the_voice_of_the_clip_has_no_voices() -> None:
    assert mix_of(GenerateOptions(keep_audio="voice")).without == ("vocals",)
    assert mix_of(GenerateOptions(keep_audio="voice", without="vocals,drums")).without == ("vocals", "drums")
    assert mix_of(GenerateOptions(keep_audio="all")).without == ()


def test_a_loop_goes_round_without_a_step(engine) -> None:
    dance = looping(dance_of(7.3))
    assert dance.grid.beats[-1] == pytest.approx(7.3)
    assert (len(dance.grid.beats) - 1) % 4 == 0
    plan = replace(plan_for(dance, seed=2), loop=True)
    wave = play(plan, engine).waveform
    twice = np.concatenate([wave, wave], axis=1)
    steps = np.abs(np.diff(twice, axis=1)).max(0)
    seam = wave.shape[1] - 1
    assert steps[seam] <= np.quantile(steps, 0.999)
    # The last notes sound on at the beginning: it is not the silence that a piece begins with.
    assert np.abs(wave[:, :100]).max() > 1e-4


def test_left_out_tracks_are_silent_and_levels_are_theirs(engine) -> None:
    plan = plan_for(dance_of(6.0), seed=4)
    plan.mix = mix_of(GenerateOptions(without="drums,effects", mix="bass=-6"))
    quiet = play(plan, engine, stems=True)
    assert not {"kick", "snare", "hats", "percussion", "effects"} & set(quiet.stems)
    assert {part.track for part in quiet.score.parts} & {"bass"}
    total = np.sum(list(quiet.stems.values()), axis=0)
    assert np.abs(total - quiet.waveform).max() < 1e-3 * np.abs(quiet.waveform).max()
    assert np.array_equal(play(plan, engine).waveform, quiet.waveform)
    plan.mix = mix_of(GenerateOptions(solo="bass", instruments="bass=38"))
    alone = play(plan, engine)
    assert [(part.track, part.program, part.patch) for part in alone.score.parts] == [("bass", 38, "")]


def test_hits_are_struck_where_the_plan_has_them(engine) -> None:
    plan = plan_for(dance_of(8.0), seed=4)
    plan.hits = []
    without = play(plan, engine).score
    plan.hits = [Hit(2.5, 1.0), Hit(5.0, 1.0)]
    with_hits = play(plan, engine).score

    def crashes(score):
        drums = next(part for part in score.parts if part.is_drum)
        times = score.grid.time_of(drums.starts[np.isin(drums.pitches, (49, 57))])
        return {time for time in (2.5, 5.0) if np.abs(times - time).min(initial=9.0) < 0.06}

    assert crashes(with_hits) - crashes(without) == {2.5, 5.0}


def test_tempo_and_length_of_a_dance_change() -> None:
    dance = dance_of(10.0)
    slow, fast = retimed(dance, 0.5), retimed(dance, 2.0)
    assert (slow.grid.tempo, fast.grid.tempo) == (60.0, 240.0)
    assert np.median(np.diff(slow.grid.beats)) == pytest.approx(1.0)
    assert np.median(np.diff(fast.grid.beats)) == pytest.approx(0.25)
    for each in (slow, fast, lasting(dance, 14.0), lasting(dance, 6.0)):
        assert len(each.energy) == len(each.accents) == len(each.grid.beats)
        assert each.grid.beats[0] <= 0.0
        assert each.grid.beats[-1] >= each.duration
    assert lasting(dance, 14.0).duration == 14.0
    analysis = Analysis(dance, np.zeros(2, np.float32), 1.0, np.zeros(0))
    plan, _ = planned(analysis, GenerateOptions(tempo="double", length=12.0, key="Am"), "composer")
    assert (plan.tempo, plan.duration, plan.section(1).key) == (240.0, 12.0, "Am")


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        ('genre = "krump"', 'genre = "polka"', 'genre = "polka"', "section 2, genre: 'polka' does not exist"),
        ('cause = "start"', "cause = 3", "cause = 3", "section 1, cause: 3 is not a text"),
        ('cause = "start"', 'role = "coda" #', 'role = "coda"', "section 1, role: 'coda' does not exist"),
        ("end = 4.0", "end = 4.7", "start = 4.0", "section 2, start: the section before it ends later"),
        ("energy = ", "energy = 7 #", "energy = 7 #", "section 1, energy: 7 is not usable; give a number from 0 to 1"),
        ("seed = 3", "seed = 3.5", "seed = 3.5", "section 1, seed: 3.5 is not a whole number"),
        ("seed = 3", "sede = 3", "sede = 3", "section 1, sede: unknown"),
        ("version = 1", "version = 9", "version = 9", "version: this d2m reads plans of version 1"),
        ("bpm = 120.0", "bpm = 0.0", "bpm = 0.0", "tempo, bpm: 0.0 is not usable"),
        ("loop = false", "loop = 3", "loop = 3", "loop: give true or false"),
        ("beats = [0.0,", "beats = [9.0,", "beats = [9.0,", "tempo, beats: beats are two or more rising times"),
        ("strength = ", "strength = 1", "strength = 1", "hit 1, strength: "),
    ],
)
def test_errors_name_the_line(in_three, tmp_path, old, new, line, message) -> None:
    file = tmp_path / "p.toml"
    write_plan(in_three, file)
    text = re.sub(r'role = ".*"\n', "", file.read_text())
    assert old in text
    file.write_text(text.replace(old, new, 1))
    number = next(i for i, row in enumerate(file.read_text().splitlines(), 1) if line in row)
    with pytest.raises(D2MError) as raised:
        read_plan(file)
    assert str(raised.value).startswith(f"{file}, line {number}: {message}")


def test_files_that_are_no_plans_are_refused(tmp_path) -> None:
    for name, content in (("a.toml", "version = = 1"), ("b.toml", "[" * 5000), ("c.toml", "")):
        (tmp_path / name).write_text(content)
        with pytest.raises(D2MError, match=name):
            read_plan(tmp_path / name)
    (tmp_path / "d.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(D2MError, match="it is no text"):
        read_plan(tmp_path / "d.toml")
    with pytest.raises(D2MError, match="cannot read the plan"):
        read_plan(tmp_path / "none.toml")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"key": "H"}, "no key 'H'"),
        ({"without": "flute"}, "--without: no track 'flute'"),
        ({"without": "drums", "solo": "bass"}, "leave out one of them"),
        ({"mix": "drums"}, "'drums' is no TRACK=VALUE"),
        ({"mix": "drums=loud"}, "'loud' is no level in dB"),
        ({"mix": "drums=60"}, "levels go from -24 to 24 dB"),
        ({"instruments": "bass=300"}, "programs 0 to 127"),
        ({"instruments": "bass=kit.909"}, "does not fit this track"),
        ({"instruments": "horn=3"}, "no track 'horn'"),
        ({"begin": -1.0}, "--from -1 is not usable"),
        ({"loop": True, "end": 3.0}, "leave out --loop"),
        ({"plan": "p.toml", "key": "Am"}, "leave out --key, and change the file"),
        ({"tempo": "120", "beats": "sound"}, "--beats and --tempo both"),
        ({"tempo": "7"}, "a tempo of 7 is not usable"),
        ({"genre": "house,polka"}, "unknown genre 'polka'"),
    ],
)
def test_options_that_cannot_be_met_are_refused(options, message) -> None:
    with pytest.raises(D2MError, match=message):
        GenerateOptions(**options).check()


def test_a_plan_with_more_genres_than_sections_is_refused() -> None:
    with pytest.raises(D2MError, match="2 genres for one section"):
        plan_for(dance_of(8.0), genres=["house", "krump"])
    with pytest.raises(D2MError, match="no music fits"):
        plan_for(dance_of(8.0), begin=9.0)


def test_what_is_written_fits_the_schema(in_three, tmp_path) -> None:
    tomllib = pytest.importorskip("tomllib")

    jsonschema = pytest.importorskip("jsonschema")
    from d2m.plans.schema import schema

    in_three.mix = mix_of(GenerateOptions(without="drums", mix="bass=2", instruments="piano=keys.organ"))
    write_plan(in_three, tmp_path / "p.toml")
    in_three.mix = mix_of(GenerateOptions())
    content = tomllib.loads((tmp_path / "p.toml").read_text())
    jsonschema.validate(content, schema())
    content["section"][1]["role"] = "coda"
    with pytest.raises(jsonschema.ValidationError, match="coda"):
        jsonschema.validate(content, schema())


def test_scenes_and_hits_come_from_files(engine, tmp_path) -> None:
    (tmp_path / "scenes.toml").write_text(
        '[[scene]]\nstart = 0\nmood = "gloomy:0.5"\n[[scene]]\nstart = 8.2\ngenre = "krump"\n'
    )
    (tmp_path / "hits.txt").write_text("2.5\n10.25\n")
    analysis = Analysis(dance_of(), np.zeros(2, np.float32), 1.0, np.zeros(0))
    asked = GenerateOptions(scenes=str(tmp_path / "scenes.toml"), hits=str(tmp_path / "hits.txt"))
    plan, _ = planned(analysis, asked.check(), "composer")
    assert [(each.start, each.genre, each.mood) for each in plan.sections] == [
        (0.0, "house", "gloomy:0.5"),
        (8.0, "krump", ""),
    ]
    assert [hit.time for hit in plan.hits] == [2.5, 10.25]
    off, _ = planned(analysis, GenerateOptions(scenes="off"), "composer")
    assert len(off.sections) == 1
    by_file, _ = planned(analysis, GenerateOptions(), "song.mid")
    assert len(by_file.sections) == 1


def test_an_option_whose_value_is_left_out_gets_one() -> None:
    from d2m.cli.renamed import with_values

    assert with_values(["a.mp4", "--keep-audio"]) == ["a.mp4", "--keep-audio=all"]
    assert with_values(["--keep-audio", "a.mp4"]) == ["--keep-audio=all", "a.mp4"]
    assert with_values(["--keep-audio", "voice", "a.mp4"]) == ["--keep-audio", "voice", "a.mp4"]
    assert with_values(["--", "--keep-audio"]) == ["--", "--keep-audio"]


def test_a_mood_changes_its_section_and_names_its_models(engine, in_three, played) -> None:
    sad = replace(in_three, sections=[replace(section) for section in in_three.sections])
    sad.section(2).mood, sad.section(2).transition, sad.section(3).transition = "sad:0.8", "none", "none"
    sound = play(sad, engine)
    first, last = changed(sound, played)
    assert 4.0 - 0.11 <= first < 4.2
    assert last <= 12.0 + 2 * BAR
    assert "studio-emotion" in sound.provenance["weights"]
    assert sound.provenance["sections"][1]["mood"] == "sad:0.8"
    assert "studio-emotion" not in played.provenance["weights"]


def test_the_midi_file_has_the_key_of_each_section(engine, in_three, tmp_path) -> None:
    mido = pytest.importorskip("mido")
    from d2m.symbolic.midi import write_midi

    keyed = replace(in_three, sections=[replace(section, transition="none") for section in in_three.sections])
    for section, key in zip(keyed.sections, ("Am", "F", "F"), strict=True):
        section.key = key
    score = play(keyed, engine).score
    assert score.key == "A:min"
    assert score.key_changes == ((8.0, "F:maj"),)
    write_midi(score, tmp_path / "a.mid")
    file = mido.MidiFile(tmp_path / "a.mid")
    ticks, found = 0, []
    for message in file.tracks[0]:
        ticks += message.time
        if message.type == "key_signature":
            found.append((ticks / file.ticks_per_beat, message.key))
    assert found == [(0.0, "Am"), (8.0, "F")]
