"""The form of a melody: bars that take up earlier ones."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from d2m.symbolic import emotion
from d2m.symbolic.emotion import actor_critic
from d2m.symbolic.emotion.emotions import attributes
from d2m.symbolic.emotion.forms import Forms, follow, forms_of, load_forms, shared_noise
from d2m.symbolic.emotion.musicvae import HierarchicalMusicVae, MusicVae, MusicVaeConfig
from d2m.symbolic.emotion.statistics import summary
from d2m.symbolic.melody import BARS, STEPS_PER_BAR


def forms(rows: dict[int, tuple[int, float]]) -> Forms:
    """One form: what bars take up, and how much of it."""
    taken, share = np.arange(BARS)[None].copy(), np.zeros((1, BARS), np.float32)
    for bar, (earlier, much) in rows.items():
        taken[0, bar], share[0, bar] = earlier, much
    return Forms(taken, share)


def melody(*bars: list[int]) -> np.ndarray:
    """Keys struck on the quarters of each bar; 0 for none; the bars after the last are empty."""
    steps = np.zeros((BARS, STEPS_PER_BAR), np.uint8)
    for bar, keys in enumerate(bars):
        steps[bar, :: STEPS_PER_BAR // 4] = keys
    return steps.reshape(1, -1)


def test_a_bar_takes_up_the_earliest_of_those_it_has_most_in_common_with():
    a, b, c = [40, 41, 42, 43], [50, 51, 52, 53], [60, 61, 62, 63]
    found = forms_of(melody(a, b, a, [40, 41, 42, 70], [40, 71, 72, 70], a, c))
    assert found.taken[0, :7].tolist() == [0, 1, 0, 0, 3, 0, 6]
    assert found.share[0, :7].tolist() == [0, 0, 1, 0.75, 0.5, 1, 0]


def test_empty_bars_take_up_nothing():
    found = forms_of(np.zeros((2, BARS * STEPS_PER_BAR), np.uint8))
    assert (found.taken == np.arange(BARS)).all()
    assert not found.share.any()


def test_what_is_said_of_a_bar_is_drawn_towards_what_is_said_of_the_other():
    said = torch.arange(BARS, dtype=torch.float32).reshape(1, BARS, 1).repeat(1, 1, 3)
    told = follow(said, forms({4: (0, 0.25), 5: (4, 1.0), 9: (1, 1.0)}))[0, :, 0].tolist()
    assert told == [0, 1, 2, 3, 3, 3, 6, 7, 8, 1, *range(10, 16)]


def test_without_repeats_nothing_changes():
    said = torch.randn(2, BARS, 5, generator=torch.Generator().manual_seed(1))
    free = Forms(np.tile(np.arange(BARS), (2, 1)), np.zeros((2, BARS), np.float32))
    assert torch.equal(follow(said, free), said)


def test_bars_share_the_noise_of_those_they_take_up_and_no_others():
    noise = shared_noise(forms({3: (1, 1.0), 6: (3, 0.5)}), np.random.default_rng(0))[0]
    assert (noise[3] == noise[1]).all()
    assert (noise[6] == noise[1]).all()
    others = noise[[0, 1, 2, 4, 5, 7]].reshape(6, -1)
    assert len(np.unique(others[:, 0])) == 6


@pytest.mark.parametrize("side_by_side", [True, False])
@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_whole_repeats_are_written_alike(side_by_side, temperature):
    layers = 1 if side_by_side else 2
    torch.manual_seed(0)
    vae = MusicVae(HierarchicalMusicVae(MusicVaeConfig(8, 16, layers, side_by_side, 16, 16, layers)))
    z = np.random.default_rng(0).standard_normal((3, 8)).astype(np.float32)
    repeat = forms({2: (0, 1.0), 7: (2, 1.0)})
    three = Forms(np.repeat(repeat.taken, 3, axis=0), np.repeat(repeat.share, 3, axis=0))
    rows = vae.decode(z, temperature, np.random.default_rng(1), three).reshape(3, BARS, -1)
    if side_by_side:
        # A bar that is written after another is also told the other's last step.
        assert (rows[:, 7] == rows[:, 0]).all()
    again = vae.decode(z, temperature, np.random.default_rng(1), three).reshape(3, BARS, -1)
    assert (rows == again).all()


def test_the_forms_of_real_melodies_are_earlier_bars_and_shares():
    found = load_forms()
    assert found.taken.shape == found.share.shape == (256, BARS)
    related = found.share > 0
    assert ((found.taken < np.arange(BARS)) == related).all()
    assert (found.share[related] >= 0.5).all()
    assert found.share.max() == 1
    drawn = found.draw(5, np.random.default_rng(3))
    assert len(drawn) == 5


@pytest.mark.slow
def test_new_melodies_come_back_to_what_they_said():
    vae = emotion.load("studio-musicvae")
    free, formed = (summary(vae.sample(16, 0.5, seed=2, forms=forms)) for forms in (None, load_forms()))
    assert formed["similar bars"] > free["similar bars"] + 0.1
    assert formed["notes a bar"] == pytest.approx(free["notes a bar"], rel=0.15)


@pytest.mark.slow
def test_melodies_that_miss_their_emotion_are_drawn_anew(monkeypatch):
    model = emotion.load_emotion("studio-emotion", emotion.load("studio-musicvae"))
    target = np.array([[model.table.find("gloomy").pitch, model.table.find("gloomy").density]])

    def hits(draws: int) -> np.ndarray:
        monkeypatch.setattr(actor_critic, "DRAWS", draws)
        return model.table.hits(attributes(model.compose("gloomy", 32, seed=1)), target)

    once, thrice = hits(1), hits(3)
    assert not once.all()
    assert thrice.sum() > once.sum()
    assert thrice[once].all()
