"""Embedding of the genre network, for distances of sets.

The network was trained to distinguish dance genres, so it represents drum patterns, bass lines and tempo, and little of
a recording's quality: use the log-mel statistics in addition.
"""

from __future__ import annotations

import hashlib

import numpy as np

from d2m.errors import D2MError
from d2m.music_genre import GenreJudge, load
from d2m.music_genre_forward import WINDOW
from d2m.nn.device import device_of


class GenreFeatures:
    """The layer before the last of :class:`d2m.music_genre_net.GenreNet`, 96 values for each window.

    Args:
        window: seconds of a window, 1 to 30; None for the 2.97 s of training. The next starts half a window later.
        judge: another network than the shipped one.

    Raises:
        D2MError: if the weights are missing, or the window is shorter or longer.
    """

    name, standardise = "genre", False

    def __init__(self, window: float | None = None, judge: GenreJudge | None = None) -> None:
        self._judge = load() if judge is None else judge
        config = self._judge.net.config
        self.size, self.sample_rate = config.embedding, config.sample_rate
        frames = WINDOW if window is None else int(window * config.sample_rate / config.hop)
        self._length, self._step = frames * config.hop, frames // 2 * config.hop
        self.window = self._length / config.sample_rate
        if not 1.0 - config.hop / config.sample_rate <= self.window <= 30.0:
            raise D2MError(f"a window of {window} s cannot be described; choose 1 to 30 s")
        self.version = _fingerprint(self._judge)

    def embed(self, waveform: np.ndarray) -> np.ndarray:
        """Embed a waveform.

        Args:
            waveform: float32 (samples,).

        Returns:
            float32 (windows, 96).
        """
        import torch

        net, rows = self._judge.net, []
        with torch.no_grad():
            for start in range(0, len(waveform) - self._length + 1, self._step):
                window = np.asarray(waveform[start : start + self._length], np.float32)
                sent = torch.from_numpy(window)[None].to(device_of(net))
                rows.append(net(net.spectrogram(sent))[1][0].cpu().numpy())
        return np.stack(rows)


def _fingerprint(judge: GenreJudge) -> str:
    """The weights' name and the first digits of a sum over their values: figures of other weights are other figures."""
    digest = hashlib.sha256()
    for key, value in sorted(judge.net.state_dict().items()):
        digest.update(key.encode() + value.cpu().numpy().tobytes())
    return f"{judge.name or 'unnamed'}-{digest.hexdigest()[:8]}"
