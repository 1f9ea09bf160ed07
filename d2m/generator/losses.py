"""The objective of D2M-GAN (Zhu et al. 2022, section 3.5), for any codec."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from d2m.nn.mel import LogMel


@dataclass(frozen=True)
class LossWeights:
    """Weights of the terms; the defaults are the paper's.

    Attributes:
        adversarial: hinge loss against the multi-scale discriminators.
        matching: feature matching.
        codebook: L1 between the generated features and the looked-up codes of the real music.
        waveform: L1 between waveforms. It means something only for a codec whose codes carry the phase (JukeBox's); 0
            otherwise.
        mel: L1 between log-mel spectra.
    """

    adversarial: float = 1.0
    matching: float = 3.0
    codebook: float = 15.0
    waveform: float = 40.0
    mel: float = 15.0


class PerceptualLoss(nn.Module):
    """Waveform L1 and log10-mel L1 of two waveforms (B, T)."""

    def __init__(self, sample_rate: int, hop: int = 256) -> None:
        super().__init__()
        # The same resolution in hertz and seconds at any rate, up to 20 kHz.
        scale = max(round(sample_rate / 22050), 1)
        bands, highest = (80, None) if scale == 1 else (96, 20000.0)
        self.mel = LogMel(sample_rate, 1024 * scale, hop, bands, 1e-4 * scale, highest)

    def forward(self, output: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the waveform loss and the mel loss.

        Args:
            output, target: waveforms float32 (B, T).
        """
        return (output - target).abs().mean(), (self.mel(output) - self.mel(target)).abs().mean()
