"""Training losses of a JukeBox VQ-VAE: waveform, spectra at three resolutions, and commitment.

(Dhariwal et al. 2020, section 3.2 and appendix B.1. The squared error of samples alone loses everything above the bass;
the spectral term compares magnitudes without their phase.)
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

#: (n_fft, hop, window) in samples, appendix B.1.
RESOLUTIONS: tuple[tuple[int, int, int], ...] = ((2048, 240, 1200), (1024, 120, 600), (512, 50, 240))


class ReconstructionLoss(nn.Module):
    """Distance of reconstructed waveforms to the originals, both (B, T).

    Both terms are relative to the music's own size, so that their weights mean the same for any data: the
    squared error to the variance, the distance of magnitudes to the magnitudes' norm. :meth:`calibrate`
    measures these once.
    """

    variance: Tensor
    norms: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("variance", torch.ones(()))
        self.register_buffer("norms", torch.ones(len(RESOLUTIONS)))
        for i, (_, _, window) in enumerate(RESOLUTIONS):
            self.register_buffer(f"window{i}", torch.hann_window(window), persistent=False)

    @torch.no_grad()
    def calibrate(self, waveform: Tensor) -> None:
        """Measure the level of the music on a sample of crops, as long as those of the training.

        Args:
            waveform: float32 (B, T).
        """
        self.variance.copy_(waveform.var().clamp(min=1e-8))
        self.norms.copy_(
            torch.stack([m.flatten(1).norm(dim=1).mean().clamp(min=1e-4) for m in self._spectra(waveform)])
        )

    def forward(self, output: Tensor, target: Tensor) -> dict[str, Tensor]:
        """Compute ``samples`` (mean squared error over the variance) and ``spectral`` (mean over the resolutions).

        Args:
            output, target: waveforms float32 (B, T).
        """
        samples = (output - target).square().mean() / self.variance
        pairs = zip(self._spectra(output), self._spectra(target), self.norms, strict=True)
        distances = [(a - b).flatten(1).norm(dim=1).mean() / norm for a, b, norm in pairs]
        return {"samples": samples, "spectral": torch.stack(distances).mean()}

    def _spectra(self, waveform: Tensor) -> list[Tensor]:
        spectra = []
        for i, (n_fft, hop, width) in enumerate(RESOLUTIONS):
            window = getattr(self, f"window{i}")
            spectrum = torch.stft(waveform, n_fft, hop, width, window, return_complex=True)
            # The square root has no slope at 0, where its gradient would be infinite.
            spectra.append((spectrum.real.square() + spectrum.imag.square() + 1e-12).sqrt())
        return spectra
