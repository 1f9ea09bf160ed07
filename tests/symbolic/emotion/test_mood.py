"""A mood changes a composed score as its table says, in proportion to its strength, on the same beats."""

from __future__ import annotations

from dataclasses import fields, replace
from functools import cache

import numpy as np
import pytest

from d2m.audio.presets import preset
from d2m.errors import D2MError
from d2m.sounds.patches import patches
from d2m.symbolic.composer import compose
from d2m.symbolic.emotion.emotions import load_emotions
from d2m.symbolic.emotion.mood import Mood, in_mood
from d2m.symbolic.emotion.mood_harmony import harmony_of
from d2m.symbolic.emotion.mood_melody import change_melody
from d2m.symbolic.emotion.mood_notes import lead_of, pitched, pulse_of
from d2m.symbolic.emotion.mood_sound import brightness, change_sound
from d2m.symbolic.emotion.mood_table import FIRST_MINOR, aims, cues, families, names
from d2m.symbolic.emotion.rewrite import rewrite
from d2m.symbolic.melody import NOTE_OFF
from d2m.types import BeatGrid, Lane, Part, Score

NINE = [emotion.name for emotion in load_emotions().emotions]
SECONDS = 12.0
KICKS_AND_SNARES = (35, 36, 37, 38, 39, 40)


class Rewriter:
    """An emotion model that rewrites melodies by rule, in place of the trained one."""

    table = load_emotions()

    def __init__(self) -> None:
        self.vae, self.calls = self, 0

    def encode(self, melodies):
        return melodies.astype(np.float32), None

    def aim(self, z, targets, strength):
        self.calls += 1
        melodies = z.round().astype(np.uint8)
        return np.stack([rewrite(m, *t) for m, t in zip(melodies, targets, strict=True)]).astype(np.float32)

    def decode(self, z, temperature=0.0, rng=None):
        keys = z.round()
        # On the way between two melodies a value may be a note of neither; it is a note all the same.
        return np.where(keys > NOTE_OFF, np.clip(keys, 20, 80), keys).astype(np.uint8)


def song(genre: str = "gPO", seed: int = 1, tempo: float = 108.0) -> Score:
    return compose(BeatGrid.steady(tempo, SECONDS), SECONDS, genre, np.random.default_rng(seed))


SONGS = {genre: song(genre) for genre in ("gPO", "gLO", "gMH", "gJB")}


def part_of(track: str, notes: list[tuple[float, float, int]], program: int = 0, patch: str = "") -> Part:
    starts, ends, keys = (np.array(column) for column in zip(*sorted(notes), strict=True))
    return Part(track, program, starts * 1.0, ends * 1.0, keys, np.full(len(starts), 80), patch=patch)


def same(one: Part, other: Part) -> bool:
    for field in fields(Part):
        left, right = getattr(one, field.name), getattr(other, field.name)
        if isinstance(left, np.ndarray):
            if not np.array_equal(left, right):
                return False
        elif left != right:
            return False
    return True


def notes_a_second(score: Score) -> float:
    return sum(len(part.starts) for part in score.instruments().parts) / score.duration


def mean_pitch(score: Score) -> float:
    return float(np.concatenate([part.pitches for part in pitched(score) if part.track != "bass"]).mean())


def mean_velocity(score: Score) -> float:
    return float(np.concatenate([part.velocities for part in score.instruments().parts]).mean())


@cache
def changed(genre: str, mood: str, strength: float = 1.0) -> Score:
    return in_mood(SONGS[genre], Mood(mood, strength), 0, Rewriter())


def ranks(values) -> np.ndarray:
    return np.argsort(np.argsort(values))


@pytest.mark.parametrize(
    ("text", "name", "strength"),
    [
        ("gloomy", "gloomy", 1.0),
        ("Gloomy:0.6", "gloomy", 0.6),
        (" 우울한 : 0.6 ", "melancholic", 0.6),
        ("우울함", "melancholic", 1.0),
        ("sad:0", "melancholic", 0.0),
        ("신나는:1", "lively", 1.0),
    ],
)
def test_moods_are_read_by_english_korean_and_other_names(text, name, strength):
    assert Mood.read(text) == Mood(name, strength)


def test_decomposed_korean_is_the_same_name():
    from unicodedata import normalize

    assert Mood.read(normalize("NFD", "청량한:0.5")) == Mood("refreshing", 0.5)


@pytest.mark.parametrize("text", ["", "hungry", "hungry:0.5", ":0.5"])
def test_an_unknown_mood_is_answered_with_the_names(text):
    with pytest.raises(D2MError, match="choose one of") as error:
        Mood.read(text)
    assert all(name in str(error.value) for name in NINE)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("text", ["gloomy:", "gloomy:2", "gloomy:-0.1", "gloomy:much", "gloomy:nan", "gloomy:0.5:0.5"])
def test_a_strength_is_a_number_from_0_to_1(text):
    with pytest.raises(D2MError, match="not a number from 0 to 1; give e.g. gloomy:0.6"):
        Mood.read(text)


def test_in_mood_checks_what_was_not_read():
    with pytest.raises(D2MError, match="strength 2 is not between"):
        in_mood(SONGS["gPO"], Mood("gloomy", 2.0), 0)
    with pytest.raises(D2MError, match="no emotion 'hungry'"):
        in_mood(SONGS["gPO"], Mood("hungry", 0.4), 0)


def test_every_name_leads_to_one_mood_and_the_tables_agree():
    assert set(names().values()) == set(NINE) == set(aims())
    for emotion in load_emotions().emotions:
        mode = cues(emotion.name, 1.0).mode
        assert (mode >= FIRST_MINOR) == (emotion.mode == "minor")
        assert preset("gPO", cues(emotion.name, 1.0).character)


@pytest.mark.parametrize("mood", NINE)
def test_strength_0_is_the_score_itself(mood):
    score = SONGS["gLO"]
    copies = [replace(part, **{n: getattr(part, n).copy() for n in ("starts", "pitches")}) for part in score.parts]
    after = in_mood(score, Mood(mood, 0.0), 3)
    assert after is score
    assert all(same(*pair) for pair in zip(copies, after.parts, strict=True))


@pytest.mark.parametrize("mood", NINE)
def test_what_belongs_to_the_dance_stays(mood):
    for score in SONGS.values():
        before = [replace(part, starts=part.starts.copy(), pitches=part.pitches.copy()) for part in score.parts]
        after = in_mood(score, Mood(mood, 1.0), 0, Rewriter())
        assert all(same(*pair) for pair in zip(before, score.parts, strict=True))
        assert after.grid is score.grid
        assert after.duration == score.duration
        assert after.genre == score.genre
        assert [part.track for part in after.parts] == [part.track for part in score.parts]
        last = float(score.grid.position_of(score.duration))
        for old, new in zip(score.parts, after.parts, strict=True):
            if old.is_effect:
                assert same(old, new)
                continue
            assert new.starts.min() >= 0
            assert new.starts.max() < last
            assert new.ends.max() <= max(last, old.ends.max()) + 1e-9
            assert (np.diff(new.starts) >= 0).all()
            assert (new.ends > new.starts).all()
            assert new.velocities.min() >= 1
            assert new.velocities.max() <= 127
            if old.is_drum:
                for key in KICKS_AND_SNARES:
                    missing = np.setdiff1d(old.starts[old.pitches == key], new.starts[new.pitches == key])
                    assert not len(missing)


def test_new_strokes_lie_where_the_piece_swings():
    score = SONGS["gMH"]
    swing = pulse_of(score).swing
    assert swing[1] > 0.03
    count = 0
    for old, new in zip(score.parts, changed("gMH", "intense").parts, strict=True):
        added = np.setdiff1d(new.starts, old.starts)
        steps = np.round(4 * added)
        late = added - steps / 4
        # Strums spread a chord over a tenth of a beat.
        assert ((late - swing[steps.astype(int) % 4] > -0.06) & (late - swing[steps.astype(int) % 4] < 0.12)).all()
        count += len(added)
    assert count > 30


def test_the_same_seed_gives_the_same_score():
    one, two, other = (in_mood(SONGS["gLO"], Mood("melancholic", 0.5), seed) for seed in (0, 0, 1))
    assert all(same(*pair) for pair in zip(one.parts, two.parts, strict=True))
    assert not all(same(*pair) for pair in zip(one.parts, other.parts, strict=True))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("measure", "aim"), [(notes_a_second, "density"), (mean_pitch, "pitch"), (mean_velocity, "velocity")]
)
def test_nine_moods_of_one_piece_are_in_the_order_of_the_table(measure, aim):
    for genre in SONGS:
        values = [measure(changed(genre, mood)) for mood in NINE]
        assert np.corrcoef(ranks(values), ranks([aims()[mood][aim] for mood in NINE]))[0, 1] >= 0.9


@pytest.mark.parametrize("mood", ["gloomy", "lively"])
def test_more_strength_is_more_of_the_same(mood):
    for genre in SONGS:
        ways = [changed(genre, mood, strength) for strength in (0.0, 0.25, 0.5, 0.75, 1.0)]
        sign = -1 if mood == "gloomy" else 1
        for measure in (notes_a_second, mean_pitch, mean_velocity):
            assert (sign * np.diff([measure(way) for way in ways]) > 0).all()


def test_patches_become_darker_or_brighter_and_the_filter_closes():
    part = part_of("piano", [(0.0, 1.0, 60)], 4, "keys.fm")
    lanes = (Lane("keys", "lowpass", np.array([0.0, 4.0]), np.array([600.0, 20000.0])),)
    score = Score((part,), BeatGrid.steady(120, 4.0), 4.0, "gPO", "C:maj", lanes, "dry")
    dark, bright, half = (change_sound(score, cues(*of)) for of in (("gloomy", 1.0), ("lively", 1.0), ("lively", 0.4)))
    found = [one.parts[0].patch for one in (dark, score, half, bright)]
    levels = [brightness()[name] for name in found]
    assert levels == sorted(levels)
    assert levels[0] < levels[1] < levels[3]
    assert all(one.parts[0].program == patches()[one.parts[0].patch].fallback for one in (dark, bright))
    (keys,) = [lane for lane in dark.lanes if lane.target == "keys"]
    assert keys.values.tolist() == [600.0, 1500.0]
    (pad,) = [lane for lane in dark.lanes if lane.target == "pad"]
    assert pad.values.tolist() == pytest.approx([1500.0])
    assert dark.character == "warm"
    assert bright.character == "bright"
    assert half.character == "dry"


def test_drum_kits_change_within_those_of_the_genre():
    drums = part_of("drums", [(0.0, 0.1, 36)], 24, "kit.house")
    score = Score((drums,), BeatGrid.steady(120, 4.0), 4.0, "gHO", "C:maj")
    kits = {change_sound(score, cues(mood, 1.0)).parts[0].patch for mood in NINE}
    assert kits == {"kit.house", "kit.909"}
    assert change_sound(replace(score, genre=None), cues("lively", 1.0)).parts[0].patch == "kit.house"


def test_every_patch_has_a_brightness_and_families_are_of_one_track():
    sounding = {name for name, patch in patches().items() if not patch.is_effect}
    assert set(brightness()) == sounding
    assert all(value > 50.0 for value in brightness().values())
    members = [name for family in families() for name in family]
    assert len(members) == len(set(members))
    for family in families():
        assert len({patches()[name].track for name in family}) == 1


def test_the_tune_is_the_models_above_one_half_only():
    score = SONGS["gPO"]
    number, model = lead_of(score), Rewriter()
    assert score.parts[number].patch.startswith("lead.")
    weak = in_mood(score, Mood("intense", 0.5), 0, model)
    assert model.calls == 0
    assert len(weak.parts[number].starts) == len(score.parts[number].starts)
    strong = in_mood(score, Mood("intense", 1.0), 0, model)
    assert model.calls == 1
    assert len(strong.parts[number].starts) > 1.5 * len(score.parts[number].starts)


@pytest.mark.parametrize("mood", ["intense", "gloomy"])
def test_new_notes_of_the_tune_fit_the_chords(mood):
    for score in SONGS.values():
        number, pulse = lead_of(score), pulse_of(score)
        if number is None:
            continue
        harmony = harmony_of(score, pulse)
        old = score.parts[number]
        new = change_melody(score, number, harmony, pulse, cues(mood, 1.0).emotion, 1.0, Rewriter()).parts[number]
        fresh = ~np.isin(new.starts, old.starts) | ~np.isin(new.pitches, old.pitches)
        fits = harmony.tones | harmony.scale
        assert fits[harmony.segments(new)[fresh], new.pitches[fresh] % 12].all()
        assert new.ends.max() <= old.ends.max() + 1e-9
        assert (np.diff(new.starts) > 0.1).all()
        assert (new.starts[1:] >= new.ends[:-1] - 1e-6).all()


def test_the_shipped_model_changes_a_tune():
    score = SONGS["gMH"]
    number = lead_of(score)
    intense, gloomy = (in_mood(score, Mood(mood, 1.0), 0).parts[number] for mood in ("intense", "gloomy"))
    assert len(intense.starts) > len(gloomy.starts)


@pytest.mark.parametrize("mood", ["intense", "gloomy"])
def test_other_music_can_have_a_mood_too(mood):
    grid = BeatGrid.steady(100, 8.0)
    empty = Score((), grid, 8.0)
    assert in_mood(empty, Mood(mood, 1.0), 0).parts == ()
    silent = part_of("piano", [(0.0, 1.0, 60)])
    silent = replace(
        silent, **{name: getattr(silent, name)[:0] for name in ("starts", "ends", "pitches", "velocities")}
    )
    drums = part_of("drums", [(i / 2, i / 2 + 0.1, 42 - 6 * (i % 2 == 0)) for i in range(24)])
    alone = in_mood(replace(empty, parts=(drums, silent)), Mood(mood, 1.0), 0)
    assert (alone.parts[0].pitches == 36).sum() == 12
    assert not len(alone.parts[1].starts)
    tune = part_of("strings", [(i / 2, i / 2 + 0.4, 60 + i % 5) for i in range(24)], 73)
    three = replace(grid, downbeats=np.arange(0, len(grid.beats), 3), beats_per_bar=3)
    waltz = in_mood(Score((tune,), three, 8.0), Mood(mood, 1.0), 0, Rewriter())
    assert len(waltz.parts[0].starts) == 24
    assert waltz.parts[0].patch == ""
    assert waltz.parts[0].program == 73
