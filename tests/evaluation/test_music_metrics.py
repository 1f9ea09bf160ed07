"""Metrics of sound without a reference, kernel distances, embeddings of other packages, and the list of metrics."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest

from d2m.cli.main import main
from d2m.errors import D2MError
from d2m.evaluation import embeddings
from d2m.evaluation.benchmark.rows import BASELINES
from d2m.evaluation.distances import KAD_FACTOR, Embedded, kernel_distance
from d2m.evaluation.faults import clicks
from d2m.evaluation.harmony import harmony
from d2m.evaluation.metrics import METRICS
from d2m.evaluation.structure import contrast, repetition, self_similarity
from d2m.media import write_wav

RATE = 22050


def chords(names: list[tuple[int, ...]], seconds: float = 1.0) -> np.ndarray:
    """Chords of three harmonics for each MIDI key, one after the other."""
    t = np.arange(round(seconds * RATE)) / RATE
    parts = []
    for keys in names:
        tones = [np.sin(2 * np.pi * 440 * 2 ** ((key - 69) / 12) * n * t) / n for key in keys for n in (1, 2, 3)]
        parts.append(0.08 * np.sum(tones, axis=0) * np.exp(-t))
    return np.concatenate(parts).astype(np.float32)


C, F, G, AM = (60, 64, 67), (60, 65, 69), (59, 62, 67), (57, 60, 64)


def noise(seconds: float, seed: int = 0) -> np.ndarray:
    return (0.1 * np.random.default_rng(seed).standard_normal(round(seconds * RATE))).astype(np.float32)


def test_a_cadence_is_in_its_key_and_clearer_than_noise():
    heard, unclear = harmony(chords([C, F, G, C])), harmony(noise(4))
    assert heard is not None
    assert unclear is not None
    assert heard.key.startswith("C")
    assert heard.in_key > 0.8
    assert heard.clarity > unclear.clarity + 0.3
    assert harmony(chords([C] * 4)).change < heard.change
    assert harmony(np.zeros(RATE, np.float32)) is None


def test_a_song_that_returns_repeats_and_its_sections_differ():
    verse, other = chords([C, AM, F, G] * 2), chords([(72, 75, 79), (74, 77, 81)] * 4, 1.0) + noise(8)
    song = self_similarity(np.concatenate([verse, other, verse, other]))
    order = np.random.default_rng(1).permutation(32)
    mixed = np.concatenate([verse, other, verse, other]).reshape(32, RATE)[order].ravel()
    shuffled = self_similarity(mixed)
    hiss = self_similarity(noise(32))
    assert repetition(song) > repetition(shuffled) > repetition(hiss)
    assert contrast(song) > contrast(hiss) + 0.3
    assert self_similarity(verse) is None
    assert self_similarity(np.zeros(30 * RATE, np.float32)) is None


def test_clicks_are_found_in_music_and_drums_are_none():
    music = chords([C, F, G, C])
    hit = noise(4) * np.exp(-(np.arange(4 * RATE) % RATE) / 2000).astype(np.float32)
    assert len(clicks(music + hit, RATE)) == 0
    assert len(clicks(noise(4), RATE)) == 0
    broken = music + hit
    places = [15_000, 40_001, 71_234]
    broken[places] += 0.4
    found = clicks(broken, RATE)
    assert np.abs(found - np.array(places) / RATE).max() < 0.001
    assert len(clicks(np.stack([broken, broken]), RATE)) == 3
    assert len(clicks(np.zeros(RATE), RATE)) == 0


def sets(shift: float) -> tuple[Embedded, Embedded]:
    rng = np.random.default_rng(0)
    first = [(f"a{i}", rng.standard_normal((20, 8))) for i in range(6)]
    second = [(f"b{i}", rng.standard_normal((20, 8)) + shift) for i in range(6)]
    return Embedded.of(first), Embedded.of(second)


def test_the_gaussian_kernel_distance_is_unbiased_and_grows_with_the_shift():
    values = [kernel_distance(*sets(shift), "gaussian") for shift in (0.0, 0.5, 5.0)]
    assert values[0].interval[0] < 0 < values[0].interval[1]
    assert values[0].value < values[1].value < values[2].value < 2 * KAD_FACTOR
    # By hand, for two far sets of identical windows: within each the kernel is 1, between them e^(-d^2 / 2 w^2).
    one = Embedded.of([("a", np.zeros((2, 1))), ("b", np.zeros((2, 1)))])
    two = Embedded.of([("c", np.full((2, 1), 3.0)), ("d", np.full((2, 1), 4.0))])
    width = 1.0
    between = np.mean([np.exp(-(d**2) / 2 / width**2) for d in (3.0, 4.0)])
    within = np.exp(-1 / 2 / width**2)
    assert kernel_distance(one, two, "gaussian").value == pytest.approx(KAD_FACTOR * (1 + within - 2 * between))


@pytest.mark.parametrize("name", list(METRICS))
def test_what_fools_a_metric_is_told_and_names_baselines(name):
    metric = METRICS.get(name)
    assert set(metric.fools) <= set(BASELINES)
    assert metric.fooled_by or not metric.fools
    if metric.group != "rhythm":
        assert metric.fooled_by


@pytest.mark.parametrize("name", ["musicnn", "basic-pitch", "vggish", "panns", "clap", "encodec"])
def test_an_embedding_without_its_package_says_what_to_install(name, monkeypatch):
    for module, _ in embeddings.PACKAGES[name]:
        monkeypatch.setitem(sys.modules, module, None)
    embeddings.load.cache_clear()
    monkeypatch.setattr("importlib.util.find_spec", lambda name, package=None: None)
    with pytest.raises(D2MError, match=f"'{name}' needs the package .*: pip install ") as caught:
        embeddings.load(name)
    assert "\n" not in str(caught.value)
    embeddings.load.cache_clear()


def test_the_list_of_metrics_has_weaknesses_and_embeddings(capsys):
    assert main(["evaluate", "metrics", "--group", "beats"]) == 0
    told = capsys.readouterr().out
    assert "beat_f: beat F (higher is better; 0 to 1)" in told
    assert "fooled by: a metronome" in told
    assert "musicnn" not in told
    assert main(["evaluate", "metrics", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert set(found["metrics"]) >= set(METRICS)
    assert found["embeddings"]["log-mel"] == ""
    assert main(["evaluate", "metrics", "--group", "nothing"]) == 1
    assert "choose beats" in capsys.readouterr().err


@pytest.mark.slow
def test_sound_is_measured_without_a_reference(tmp_path, capsys):
    write_wav(tmp_path / "song.wav", chords([C, F, G, C] * 6)[None], RATE)
    write_wav(tmp_path / "nothing.wav", np.zeros((1, RATE), np.float32), RATE)
    assert main(["evaluate", "sound", str(tmp_path), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    nothing, song = report["recordings"]
    assert song["key"].startswith("C")
    assert song["repetition"] > 0
    assert (nothing["key"], nothing["key_clarity"], nothing["problems"][0]) == (None, None, "silence")
    assert main(["evaluate", "sound", str(tmp_path / "song.wav")]) == 0
    assert "song: 24.0 s, key C" in capsys.readouterr().out
