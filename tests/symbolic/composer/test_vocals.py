"""Voices of composed scores: sung syllables on the chords, spoken phrases, shouts; and without them the same piece."""

from __future__ import annotations

import numpy as np
import pytest

from d2m.plans.edit import edited_mix
from d2m.plans.types import Mix
from d2m.sounds.patches import patches
from d2m.symbolic.composer import compose
from d2m.symbolic.composer.vocals import VOCALS, vocals_of
from d2m.symbolic.midi import read_midi, write_midi
from d2m.types import GENRES, BeatGrid, Brief, Score


def song(genre: str, seed: int = 0, seconds: float = 40.0, **asked) -> Score:
    return compose(BeatGrid.steady(112.0, seconds), seconds, genre, np.random.default_rng(seed), **asked)


def sung(score: Score) -> list:
    return [part for part in score.parts if part.patch.startswith("voice.sung-")]


@pytest.mark.parametrize("genre", GENRES)
def test_each_genre_has_its_own_voices_and_they_stay_in_their_range(genre) -> None:
    for seed in range(3):
        voices = [part for part in song(genre, seed).parts if part.is_vocal]
        known = {*VOCALS[genre].voices, *VOCALS[genre].shouts}
        assert {part.patch for part in voices} <= known
        assert bool(voices) == bool(known)
        for part in voices:
            patch = patches()[part.patch]
            assert part.pitches.min() >= patch.low
            assert part.pitches.max() <= patch.high


def test_syllables_are_in_the_key_and_leave_room_for_other_melodies() -> None:
    keys = {"maj": {0, 2, 4, 5, 7, 9, 11}, "min": {0, 2, 3, 5, 7, 8, 10, 11}}
    names = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
    inside = total = 0
    for seed in range(6):
        score = song("gWA", seed)
        tonic, mode = score.key.split(":")
        pitches = np.concatenate([part.pitches for part in sung(score)])
        scale = [(names.index(tonic) + step) % 12 for step in keys["min" if mode.startswith("min") else "maj"]]
        inside += int(np.isin(pitches % 12, scale).sum())
        total += len(pitches)
    assert total > 60
    assert inside > 0.9 * total


def test_without_voices_the_piece_is_the_same() -> None:
    for genre in ("gHO", "gMH"):
        score = song(genre, 3)
        plain = edited_mix(score, Mix(without=("vocals",)))
        assert not any(part.is_vocal for part in plain.parts)
        assert len(plain.parts) < len(score.parts)
        others = [part for part in score.parts if not part.is_vocal]
        assert all(a is b for a, b in zip(plain.parts, others, strict=True))


def test_spoken_phrases_are_no_notes(tmp_path) -> None:
    score = song("gMH", 3)
    assert any(part.patch.startswith("fx.voice-talk") for part in score.parts)
    write_midi(score, tmp_path / "song.mid")
    assert len(read_midi(tmp_path / "song.mid").parts) == sum(not part.is_effect for part in score.parts)


def test_unsure_beats_and_beds_have_no_voices() -> None:
    assert not any(part.is_vocal for part in song("gHO", forgiving=True).parts)
    bed = Brief(role="bed", begin=0.0, end=30.0)
    assert not any(part.is_vocal for part in song("gHO", brief=bed).parts)


def test_sections_of_a_piece_have_the_same_voice() -> None:
    for seed in range(4):
        used = set()
        for role in ("verse", "chorus"):
            score = song("gHO", seed, brief=Brief(role=role, begin=0.0, end=30.0))
            used |= {
                part.patch for part in score.parts if part.is_vocal and "talk" in part.patch or "sung" in part.patch
            }
        assert len(used) == 1


def test_a_genre_of_another_package_has_the_voices_of_the_one_it_is_like(monkeypatch) -> None:
    from d2m.symbolic.composer import vocals

    monkeypatch.setattr(vocals, "added_genre", lambda name: replace_like(name))
    assert vocals_of("drill") is VOCALS["gLH"]


def replace_like(name: str):
    """What a registry says of an added genre."""
    return type("Added", (), {"like": "gLH"})() if name == "drill" else None
