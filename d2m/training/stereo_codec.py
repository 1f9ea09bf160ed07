"""Training of the stereo codec: as the mono codec's (:mod:`d2m.training.codec`), on stereo crops and losses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from d2m.codec.stereo import StereoCodec, StereoConfig
from d2m.codec.stereo_losses import StereoLoss
from d2m.nn.discriminators import MultiResolutionDiscriminator
from d2m.training.codec import CodecTask, CodecTraining
from d2m.training.monitor import Sample
from d2m.training.stereo_audio import StereoCrops

#: Half the longest window that the losses look through, in samples.
_SHORTEST = 8192
_JUDGED_SECONDS, _SAMPLE_SECONDS = 5, 4


@dataclass(frozen=True)
class StereoTraining(CodecTraining):
    """Settings of a run; ``train`` and ``held_out`` are folders of stereo songs."""

    learning_rate: float = 3e-4
    bass: float = 0.5


class StereoTask(CodecTask):
    """Training of the stereo codec, as used by the loop.

    Args:
        settings: settings of the run.
        codec: trained codec to continue with; None for a new one.

    Raises:
        D2MError: if the length of the crops is not possible, or a folder has no songs.
    """

    def __init__(self, settings: StereoTraining, codec: StereoCodec | None = None) -> None:
        made = (codec or StereoCodec(StereoConfig())).requires_grad_(True)
        loss = StereoLoss(made.sample_rate, made.hop, bass_weight=settings.bass)
        self._begin(settings, made, loss, MultiResolutionDiscriminator((4096, 2048, 1024)), _SHORTEST)
        made.quantiser.sums.copy_(made.quantiser.codebooks)
        self.started = bool(made.quantiser.codebooks[0].any())
        self._judged = StereoCrops(settings.held_out)
        self.songs, self.held_out = StereoCrops(settings.train), self._judged

    def ear(self, rng: np.random.Generator) -> Callable[[Tensor], Tensor]:
        """Return the function that selects the input of the discriminators: left, right or their mean, at random.

        Args:
            rng: random generator of the step.

        Returns:
            Function from waveforms (B, 2, T) to waveforms (B, T).
        """
        side = int(rng.integers(3))
        return lambda waveform: waveform[:, side] if side < 2 else waveform.mean(1)

    def middle(self, index: int) -> np.ndarray:
        """Return five seconds from the middle of a held-out song.

        Args:
            index: index of the song.

        Returns:
            float32 (2, samples).
        """
        return self._judged.middle(index, _JUDGED_SECONDS * self.codec.sample_rate)

    @torch.no_grad()
    def samples(self) -> list[Sample]:
        """Return excerpts of held-out music and their reconstructions by the codec, as the mean of both channels."""
        samples = []
        for index in range(min(3, len(self.held_out))):
            length = _SAMPLE_SECONDS * self.codec.sample_rate // self.codec.hop * self.codec.hop
            wave = self._judged.middle(index, length)
            made = self.through(torch.from_numpy(wave)[None].to(self.fabric.device))[0].mean(0).cpu().numpy()
            samples.append(Sample(f"song{index + 1}", made, wave.mean(0), self.codec.sample_rate))
        return samples
