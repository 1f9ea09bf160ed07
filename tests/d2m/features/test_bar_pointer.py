"""The decoder finds beats and bars in activations, and its posterior probabilities are right."""

from itertools import product

import numpy as np
import pytest

from d2m.features import bar_pointer
from d2m.features.bar_pointer import BarPointer, decode
from d2m.features.bar_pointer_search import posterior

pytestmark = pytest.mark.slow


def activation(beats, seconds, rate, first_down=0, bar=4, noise=0.05, missing=0.0, seed=0):
    """Bumps of 15 ms at beats, of varying height, with noise between them: (T, 2)."""
    rng = np.random.default_rng(seed)
    time = np.arange(int(seconds * rate)) / rate
    out = np.zeros((len(time), 2))
    for i, beat in enumerate(beats):
        if rng.random() < missing:
            continue
        bump = np.exp(-0.5 * ((time - beat) / 0.015) ** 2) * rng.uniform(0.5, 0.95)
        out[:, 0] = np.maximum(out[:, 0], bump)
        if i % bar == first_down:
            out[:, 1] = np.maximum(out[:, 1], 0.9 * bump)
    return np.clip(out + rng.uniform(0, noise, out.shape), 0, 1)


def furthest(beats, found):
    return np.abs(beats[:, None] - found).min(axis=1).max() if len(found) else np.inf


@pytest.mark.parametrize("rate", [30, 50, 100])
@pytest.mark.parametrize("tempo", [62.0, 97.3, 201.0])
def test_beats_bars_and_tempo_are_found_at_any_rate(rate, tempo):
    beats = np.arange(0.3, 20, 60 / tempo)
    found = decode(activation(beats, 20, rate, first_down=2), rate)
    assert len(found.beats) == len(beats)
    assert furthest(beats, found.beats) < 0.016
    assert found.downbeats[0] == 2
    assert np.all(np.diff(found.positions) % 4 == 1)
    assert found.tempo == pytest.approx(tempo, rel=0.01)
    assert found.support.min() > 0.9
    assert found.on > 0.4 > 0.1 > found.off


def test_missing_beats_are_bridged():
    beats = np.arange(0.2, 30, 0.52)
    found = decode(activation(beats, 30, 50, missing=0.2, seed=3), 50)
    assert len(found.beats) == pytest.approx(len(beats), abs=1)
    assert furthest(beats[1:-1], found.beats) < 0.05


def test_a_pause_and_another_tempo_are_survived():
    first, second = np.arange(0.3, 15, 0.6), np.arange(18.1, 35, 60 / 140)
    beats = np.concatenate([first, second])
    one, two = activation(first, 35, 50), activation(second, 35, 50, first_down=1, seed=1)
    found = decode(np.maximum(one, two), 50)
    assert furthest(beats, found.beats) < 0.03
    assert len(found.beats) == len(beats)
    assert found.positions[len(first)] == 3
    assert found.tempos[0] == pytest.approx(100, rel=0.01)
    assert found.tempos[-1] == pytest.approx(140, rel=0.01)


def test_a_silence_in_steady_music_is_filled_with_beats():
    beats = np.arange(0.3, 40, 0.5)
    played = beats[(beats < 12) | (beats > 20.1)]
    found = decode(activation(played, 40, 50, noise=0.01), 50)
    assert len(found.beats) == len(beats)
    assert furthest(beats, found.beats) < 0.02
    assert found.support[30] == 0.0


def test_slowly_changing_tempo_is_followed():
    beats = 0.3 + np.cumsum(np.linspace(0.6, 0.4, 61))
    found = decode(activation(beats, 31, 50), 50)
    assert furthest(beats, found.beats) < 0.03
    assert len(found.beats) == len(beats)


def test_the_metre_is_chosen():
    beats = np.arange(0.3, 20, 0.5)
    waltz = decode(activation(beats, 20, 50, bar=3), 50, BarPointer(beats_per_bar=(3, 4)))
    march = decode(activation(beats, 20, 50, bar=4), 50, BarPointer(beats_per_bar=(3, 4)))
    assert (waltz.beats_per_bar, march.beats_per_bar) == (3, 4)


def test_the_prior_decides_between_octaves():
    beats = np.arange(0.2, 20, 0.35)
    strong, weak = activation(beats[::2], 20, 50)[:, 0], activation(beats[1::2], 20, 50)[:, 0]
    heard = np.maximum(strong, 0.3 * weak)

    def prior(middle):
        return lambda tempos: -0.5 * (np.log(tempos / middle) / 0.1) ** 2

    slow = decode(heard, 50, BarPointer(log_prior=prior(86.0), prior_weight=3.0, trust=0.3))
    fast = decode(heard, 50, BarPointer(log_prior=prior(171.0), prior_weight=3.0, trust=0.3))
    assert slow.tempo == pytest.approx(85.7, rel=0.02)
    assert fast.tempo == pytest.approx(171.4, rel=0.02)


def test_clear_beats_are_told_from_noise():
    clear = decode(activation(np.arange(0.3, 20, 0.5), 20, 50), 50)
    noise = decode(np.random.default_rng(1).uniform(0, 0.2, (1000, 2)), 50)
    assert clear.gain > 5.0 > 0.0 >= noise.gain
    assert clear.other_phase < 0.01
    assert clear.support.mean() > (noise.support.mean() if len(noise.beats) else 0.0)


def test_silence_has_no_beats():
    assert len(decode(np.zeros((500, 2)), 50).beats) == 0


def test_posterior_is_the_sum_over_all_paths():
    """Forward-backward against the listing of every path of a piece of 0.3 s."""
    settings = BarPointer(slowest=550.0, fastest=1000.0, beats_per_bar=(1,), rest_cost=np.inf)
    heard = np.random.default_rng(4).uniform(0.1, 0.9, (30, 1)) * [1.0, 1.0]
    space = bar_pointer._space(settings, 100.0, 1)
    evidence = bar_pointer._evidence(heard, 100.0, settings)
    assert list(space.lags) == [6, 7, 8, 9, 10]
    none, kinds = np.diff(evidence.none), np.diff(evidence.kinds[0])
    with_beat, total = np.zeros(30), np.exp(none.sum() - space.rest_rate * 30)
    for first, count in product(range(30), range(1, 6)):
        for lags in product(range(5), repeat=count):
            frames = first + np.concatenate([[0], np.cumsum(space.lags[list(lags[1:])])]).astype(int)
            if frames[-1] >= 30 or frames[-1] + space.lags[lags[-1]] < 30:
                continue
            owned = np.zeros(30, bool)
            for frame in frames:
                owned[max(frame - 1, 0) : frame + 2] = True
            score = np.where(owned, kinds, none).sum() + space.prior[lags[0]]
            score += sum(space.change[a, b] for a, b in zip(lags[:-1], lags[1:], strict=True))
            weight = np.exp(score - space.rest_rate * max(first - 1, 0))
            with_beat[frames] += weight
            total += weight
    assert posterior(space, evidence).beat == pytest.approx(with_beat / total, abs=1e-4)


@pytest.mark.parametrize("bad", [np.zeros((5, 3)), np.zeros((0, 2)), np.full((5, 2), np.nan)])
def test_other_shapes_and_values_are_refused(bad):
    with pytest.raises(ValueError, match="activation"):
        decode(bad, 50)
