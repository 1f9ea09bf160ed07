"""Emotions go by names in two languages; the losses hear what they should in melodies with known answers."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from d2m.cli.main import main
from d2m.errors import D2MError
from d2m.symbolic.emotion.chords import chord_tones, estimate_chords
from d2m.symbolic.emotion.emotions import TABLE, attributes, check_strength, load_emotions, tomllib
from d2m.symbolic.emotion.encoder import one_hot
from d2m.symbolic.emotion.fit import fit_table, fitted
from d2m.symbolic.emotion.losses import (
    Scale,
    density_loss,
    energy,
    mean_pitch,
    notes_a_bar,
    off_chord,
    pitch_loss,
    reference_energy,
    spectrogram,
    straight_through,
)
from d2m.symbolic.emotion.similarity import rhythm_similarity, tune_similarity
from d2m.symbolic.melody import CLASSES, FIRST_KEY, LOWEST, from_notes, to_score, transpose
from d2m.symbolic.sound import render_parts

NAMES = {
    "격렬함": "intense", "밝음": "bright", "발랄함": "lively", "평화로움": "peaceful", "청량함": "refreshing",
    "신비로움": "mysterious", "우울함": "melancholic", "맑음": "clear", "암울함": "gloomy",
}  # fmt: skip
SCALE = Scale(5.0, 1.5)


def steady(keys, every=4, length=None):
    """Keys in turn, one every so many steps, over 16 bars."""
    starts = range(0, 256, every)
    return from_notes(np.array([(at, at + (length or every), keys[i % len(keys)]) for i, at in enumerate(starts)]))


def played(*melodies):
    return one_hot(torch.from_numpy(np.stack(melodies)))


def bars(*keys_of_bar):
    """One bar of quarters after another, repeated to 16."""
    keys = [key for i in range(16) for key in keys_of_bar[i % len(keys_of_bar)]]
    return steady(keys)


def test_nine_emotions_in_two_languages():
    table = load_emotions()
    assert {emotion.korean: emotion.name for emotion in table.emotions} == NAMES
    for korean, english in NAMES.items():
        assert table.find(korean) is table.find(f" {english.upper()} ")
    # Some keyboards write syllables as single letters.
    import unicodedata

    assert table.find(unicodedata.normalize("NFD", "우울함")).name == "melancholic"


@pytest.mark.parametrize(
    ("wrong", "near"), [("melancolic", "melancholic"), ("우울", "우울함"), ("gloom", "gloomy"), ("평화", "평화로움")]
)
def test_an_unknown_emotion_has_a_suggestion(wrong, near):
    with pytest.raises(D2MError, match=f"did you mean '{near}'"):
        load_emotions().find(wrong)


def test_an_emotion_like_no_other_lists_them_all():
    with pytest.raises(D2MError, match="choose one of intense 격렬함") as error:
        load_emotions().find("qqqq")
    assert "did you mean" not in str(error.value)


def test_targets_are_apart_and_follow_the_feeling():
    table = load_emotions()
    targets = table.targets()
    assert len(np.unique(targets[:, 0])) == len(np.unique(targets[:, 1])) == 9
    density, arousal = targets[:, 1], np.array([emotion.arousal for emotion in table.emotions])
    pitch, valence = targets[:, 0], np.array([emotion.valence for emotion in table.emotions])
    assert np.corrcoef(density, arousal)[0, 1] > 0.8
    assert np.corrcoef(pitch, valence)[0, 1] > 0.8
    for emotion in table.emotions:
        assert emotion.mode == ("major" if emotion.valence > 0 else "minor")
    # No two emotions want the same place.
    apart = table.errors(targets[:, None], targets[None]).max(axis=2)
    assert apart[~np.eye(9, dtype=bool)].min() > 0.25


def test_regions_are_half_a_deviation_wide():
    table = load_emotions()
    target = table.targets()[:1]
    step = np.array([table.pitch_deviation, table.density_deviation])
    assert table.hits(target, target)
    assert table.hits(target + 0.49 * step, target)
    assert not table.hits(target + [0.51, 0] * step, target)
    assert not table.hits(target + [0, -0.51] * step, target)
    assert not table.hits(np.array([[np.nan, target[0, 1]]]), target)


@pytest.mark.parametrize("strength", [7, -0.1, float("nan"), float("inf")])
def test_strength_is_between_0_and_1(strength):
    with pytest.raises(D2MError, match="not between 0"):
        check_strength(strength)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("valence = -0.25", "valence = 3"), ('mode = "major"', 'mode = "dorian"'), ("tempo = 150", 'tempo = "fast"'),
        ("\n[data]", "\n[datum]"), ('korean = "밝음"', "colour = 1"), ("pitch_deviation", "pitch_deviation = 0 #"),
        ("[emotion.intense]", "[emotion.intense"),
    ],
)  # fmt: skip
def test_a_table_that_does_not_hold_is_refused(tmp_path, old, new):
    path = tmp_path / "emotions.toml"
    text = TABLE.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(D2MError, match="emotions.toml"):
        load_emotions(path)


def test_targets_are_fitted_to_melodies_and_comments_stay():
    text = TABLE.read_text(encoding="utf-8")
    values = np.stack([np.linspace(50, 70, 101), np.linspace(2, 12, 101)], axis=1)
    new = fitted(text, values, "a ruler")
    table = tomllib.loads(new)
    assert table["data"]["source"] == "a ruler"
    assert table["data"]["pitch_mean"] == 60.0
    for name, row in table["emotion"].items():
        assert row["pitch"] == pytest.approx(50 + 20 * row["pitch_quantile"], abs=0.01), name
        assert row["density"] == pytest.approx(2 + 10 * row["density_quantile"], abs=0.01), name
    kept = [line for line in text.splitlines() if not line.startswith(("pitch", "density", "source", "melodies"))]
    assert kept == [line for line in new.splitlines() if not line.startswith(("pitch", "density", "source", "mel"))]


def test_a_table_is_rewritten_only_if_it_is_usable(tmp_path, capsys):
    path = tmp_path / "emotions.toml"
    path.write_bytes(TABLE.read_bytes())
    melodies = np.stack([steady([60 + number], every=1 + number % 3) for number in range(12)])
    table = fit_table(melodies, 'the "best"', path)
    assert load_emotions(path) == table
    assert "the 'best'" in path.read_text(encoding="utf-8")
    before = path.read_bytes()
    with pytest.raises(D2MError, match="deviations are above 0"):
        fit_table(melodies[:1].repeat(3, axis=0), "one", path)
    with pytest.raises(D2MError, match="fewer than two"):
        fit_table(np.zeros((3, 256), np.uint8), "silence", path)
    assert path.read_bytes() == before
    assert sorted(tmp_path.iterdir()) == [path]
    assert main(["symbolic", "emotion-fit", str(tmp_path / "nowhere"), "--table", str(path)]) == 1
    assert "nowhere" in capsys.readouterr().err


def test_attributes_are_those_that_the_losses_hear():
    melodies = np.stack([steady([60]), steady([60, 72], every=2), np.zeros(256, np.uint8)])
    values = attributes(melodies)
    assert values[:2].tolist() == [[60.0, 4.0], [66.0, 8.0]]
    assert np.isnan(values[2, 0])
    assert values[2, 1] == 0
    steps = played(*melodies)
    assert mean_pitch(steps, torch.full((3,), 50.0)).tolist() == [60.0, 66.0, 50.0]
    assert notes_a_bar(steps).tolist() == [4.0, 8.0, 0.0]


def test_triads_are_heard_as_themselves():
    assert chord_tones().sum(dim=1).tolist() == [3.0] * 24
    c, a_minor, f, g = (60, 64, 67, 60), (69, 72, 76, 69), (65, 69, 72, 65), (67, 71, 74, 67)
    assert estimate_chords(played(bars(c, a_minor, f, g)))[0, :4].tolist() == [0, 12 + 9, 5, 7]
    up = estimate_chords(played(transpose(bars(c, a_minor, f, g), 3)))[0, :4]
    assert up.tolist() == [3, 12 + 0, 8, 10]


def test_a_silent_bar_keeps_the_chord_around_it():
    melody = bars((60, 64, 67, 60))
    melody[5 * 16 : 6 * 16] = 0
    assert estimate_chords(played(melody))[0].tolist() == [0] * 16


def test_notes_off_the_chord_cost_most_on_the_beat():
    chord = torch.zeros(1, 16, dtype=torch.int64)
    assert off_chord(played(bars((60, 64, 67, 72))), chord).item() == 0
    assert off_chord(played(bars((61, 66, 68, 70))), chord).item() == pytest.approx(1.0)
    assert off_chord(played(bars((60, 62, 64, 60))), chord).item() == pytest.approx(0.25)
    # C on the beats and D between them, then the other way round.
    passing, leaning = steady([60, 62], every=2), steady([62, 60], every=2)
    assert off_chord(played(passing, leaning), chord.expand(2, -1)).tolist() == pytest.approx([1 / 3, 2 / 3])


def test_pitch_loss_is_least_at_the_emotions_pitch_and_on_the_chord():
    target, chord = torch.tensor([66.0]), torch.zeros(1, 16, dtype=torch.int64)
    at = [pitch_loss(played(steady([key])), target, SCALE, harmony=0.0).item() for key in (50, 60, 66, 72, 82)]
    assert at[2] == 0
    assert at[0] > at[1] > 0
    assert at[4] > at[3] > 0
    assert at[1] == pytest.approx(at[3])
    good, bad = (
        pitch_loss(played(bars(keys)), torch.tensor([64.0]), SCALE, chord)
        for keys in ((60, 64, 67, 65), (61, 66, 63, 66))
    )
    assert good < bad


def test_energy_counts_strokes():
    by_length = energy(played(steady([60]), steady([60], length=1), steady([60, 80])))
    torch.testing.assert_close(by_length[0], by_length[2])
    assert (by_length[0] / by_length[1]).max() < 1.12
    for every in (1, 2, 4, 8, 16):
        density = torch.tensor([16.0 / every])
        expected = reference_energy(density).item()
        assert energy(played(steady([60], every)))[0, 3:].mean().item() == pytest.approx(expected, rel=0.01)


def test_the_spectrogram_shows_partials_that_end_with_the_note():
    picture = spectrogram(played(steady([60], every=16, length=2)))[0]
    assert picture[0].argmax().item() == 60 - LOWEST
    assert set(picture[0].nonzero().ravel().tolist()) >= {60 - LOWEST, 72 - LOWEST, 79 - LOWEST, 84 - LOWEST}
    assert picture[0].sum().item() == pytest.approx(1.0)
    assert picture[1].sum().item() == pytest.approx(0.1)
    assert picture[2].sum().item() == 0
    steps = torch.rand(2, 256, CLASSES).softmax(dim=2)
    torch.testing.assert_close(spectrogram(steps).sum(dim=2).unflatten(1, (16, 16)).sum(dim=2), energy(steps))


@pytest.mark.slow
def test_the_drawn_energy_goes_with_that_of_sound():
    rng = np.random.default_rng(0)
    tunes = []
    for share in np.linspace(0.1, 1.0, 8):
        starts = np.flatnonzero(rng.random(256) < share)
        tunes.append(from_notes(np.array([(at, 256, rng.integers(60, 80)) for at in starts])))
    heard = [np.square(next(iter(render_parts(to_score(tune, program=12), 16000)))).sum() for tune in tunes]
    drawn = energy(played(*tunes)).sum(dim=1).numpy()
    assert np.corrcoef(heard, drawn)[0, 1] > 0.95


def test_density_loss_is_least_at_the_emotions_density():
    target = torch.tensor([4.0])
    losses = [density_loss(played(steady([60], every)), target, SCALE).item() for every in (1, 2, 4, 8, 16)]
    assert np.argmin(losses) == 2
    assert losses[2] < 0.01
    assert losses[0] > losses[1]
    assert losses[4] > losses[3]
    assert density_loss(torch.nn.functional.one_hot(torch.zeros(1, 256, dtype=torch.int64), 90), target, SCALE) > 1


def test_crowded_bars_beside_empty_ones_cost():
    crowded = steady([60], every=2)
    crowded.reshape(8, 32)[:, 16:] = 0
    even, uneven = density_loss(played(steady([60]), crowded), torch.tensor([4.0, 4.0]), SCALE)
    assert uneven > even + 0.02


@pytest.mark.parametrize(("target", "sign"), [(72.0, 1), (48.0, -1)])
def test_the_pitch_gradient_points_to_the_target(target, sign):
    logits = (4.0 * played(steady([60]))).requires_grad_()
    steps = straight_through()(logits)
    assert ((steps == 0) | (steps - 1).abs().lt(1e-6)).all()
    pitch_loss(steps, torch.tensor([target]), SCALE, harmony=0.0).sum().backward()
    at = logits.grad[0, 0, FIRST_KEY:]
    # Going down the gradient makes the keys on the target's side likelier.
    assert -sign * (at[65 - LOWEST] - at[55 - LOWEST]) > 0
    moved = (logits - 200.0 * logits.grad).softmax(dim=2).detach()
    before = mean_pitch(logits.softmax(dim=2).detach(), torch.zeros(1))
    assert sign * (mean_pitch(moved, torch.zeros(1)) - before).item() > 0


@pytest.mark.parametrize(("target", "sign"), [(8.0, 1), (2.0, -1)])
def test_the_density_gradient_points_to_the_target(target, sign):
    logits = (4.0 * played(steady([60]))).requires_grad_()
    density_loss(straight_through()(logits), torch.tensor([target]), SCALE, evenness=0.0).sum().backward()
    moved = (logits - 200.0 * logits.grad).softmax(dim=2).detach()
    change = notes_a_bar(moved) - notes_a_bar(logits.softmax(dim=2).detach())
    assert sign * change.item() > 0.05


def test_the_harmony_gradient_points_to_chord_tones():
    chord = torch.zeros(1, 16, dtype=torch.int64)
    logits = (4.0 * played(bars((60, 62, 64, 60)))).requires_grad_()
    off_chord(straight_through()(logits), chord).sum().backward()
    at = logits.grad[0, 4, FIRST_KEY:]
    assert at[62 - LOWEST] > at[64 - LOWEST]
    assert at[61 - LOWEST] > at[60 - LOWEST]


def test_a_tune_in_another_key_is_the_same_tune():
    tune = bars((60, 64, 67, 60), (65, 69, 72, 77))
    other = steady([60, 61, 70, 50, 43], every=4)
    pair = np.stack([tune, tune]), np.stack([transpose(tune, -7), other])
    same, different = tune_similarity(*pair)
    assert same == 1.0
    assert different < 0.6
    assert rhythm_similarity(*pair).tolist() == [1.0, 1.0]
    assert rhythm_similarity(tune[None], steady([60], every=2)[None])[0] == pytest.approx(2 / 3)
    assert tune_similarity(np.zeros((1, 256), np.uint8), np.zeros((1, 256), np.uint8)).tolist() == [1.0]


def test_every_class_is_played():
    assert played(steady([60])).shape == (1, 256, CLASSES)
