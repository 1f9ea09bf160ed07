"""The genre network in NumPy is the one in PyTorch."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from d2m.errors import D2MError
from d2m.music_genre_forward import GenreEar, genre_ear


def music(seconds: float, rate: int = 44100) -> np.ndarray:
    """Stereo: chords, and noise on the beats."""
    time = np.arange(round(seconds * rate)) / rate
    tones = sum(np.sin(2 * np.pi * hertz * time) for hertz in (110, 220, 277.2, 329.6))
    beats = np.random.default_rng(0).standard_normal(len(time)) * np.exp(-(time % 0.5) / 0.03)
    return np.stack([0.1 * tones + 0.2 * beats, 0.1 * tones - 0.1 * beats]).astype(np.float32)


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [1.0, 7.3])
def test_embeddings_are_those_of_pytorch(seconds: float) -> None:
    from d2m.music_genre import load

    judge = load()
    expected = judge.hear(music(seconds), 44100).embedding
    assert np.abs(genre_ear().embedding(music(seconds), 44100) - expected).max() < 1e-4 * np.abs(expected).max()
    assert np.array_equal(genre_ear().songs, judge.net.songs.numpy())
    assert np.array_equal(genre_ear().song_genres, judge.net.song_genres.numpy())


def test_silence_and_other_weights_are_refused() -> None:
    with pytest.raises(D2MError, match="silent"):
        genre_ear().embedding(np.zeros(44100), 44100)
    with pytest.raises(D2MError, match="a genre network"):
        GenreEar("studio-beats")


def test_it_does_not_load_pytorch() -> None:
    code = (
        "import sys, numpy as np\n"
        "from d2m.music_genre_forward import genre_ear\n"
        "genre_ear().embedding(np.random.default_rng(0).standard_normal(70000), 22050)\n"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
