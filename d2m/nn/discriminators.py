"""Discriminators on complex spectrograms at several resolutions (as EnCodec's, Défossez et al. 2022, section 3.4)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

from d2m.nn.mel import Stft


class StftDiscriminator(nn.Module):
    """Patches of one spectrogram, real or generated: waveform (B, T) -> logits (B, 1, bins', frames') and feature maps.

    Args:
        n_fft: window; the hop is a quarter of it.
        channels: channels of every hidden layer.
    """

    def __init__(self, n_fft: int, channels: int = 16) -> None:
        super().__init__()
        self.stft = Stft(n_fft, n_fft // 4)
        strides = [(2, 1), (2, 1), (2, 2), (2, 1)]
        sizes = [2, *[channels] * len(strides)]
        self.layers = nn.ModuleList(
            weight_norm(nn.Conv2d(i, o, (5, 3), stride, (2, 1)))
            for i, o, stride in zip(sizes, sizes[1:], strides, strict=False)
        )
        self.out = weight_norm(nn.Conv2d(channels, 1, (3, 3), padding=(1, 1)))

    def forward(self, waveform: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Classify patches of a spectrogram.

        Args:
            waveform: float32 (B, T).

        Returns:
            Logits (B, 1, bins', frames') and feature maps.
        """
        spectrum = self.stft(waveform)
        # Square-root compression keeps quiet partials visible beside the drums.
        x = torch.view_as_real(spectrum).permute(0, 3, 1, 2) / spectrum.abs().clamp(min=1e-4).sqrt()[:, None]
        maps = []
        for layer in self.layers:
            x = nn.functional.leaky_relu(layer(x), 0.2)
            maps.append(x)
        return self.out(x), maps


class MultiResolutionDiscriminator(nn.Module):
    """One :class:`StftDiscriminator` for each window size; a waveform (B, T) gives a list of their answers."""

    def __init__(self, sizes: tuple[int, ...] = (2048, 1024, 512), channels: int = 16) -> None:
        super().__init__()
        self.parts = nn.ModuleList(StftDiscriminator(size, channels) for size in sizes)

    def forward(self, waveform: Tensor) -> list[tuple[Tensor, list[Tensor]]]:
        """Apply the discriminators of all resolutions.

        Args:
            waveform: float32 (B, T).

        Returns:
            Logits and feature maps of each resolution.
        """
        return [part(waveform) for part in self.parts]


Answers = list[tuple[Tensor, list[Tensor]]]


def discriminator_loss(real: Answers, fake: Answers) -> Tensor:
    """Compute the hinge loss of the discriminators, averaged over them.

    Args:
        real, fake: logits and feature maps of each discriminator.
    """
    parts = [
        nn.functional.relu(1 - r).mean() + nn.functional.relu(1 + f).mean()
        for (r, _), (f, _) in zip(real, fake, strict=True)
    ]
    return torch.stack(parts).mean()


def adversarial_loss(fake: Answers) -> Tensor:
    """Compute the hinge loss of the generator, averaged over discriminators.

    Args:
        fake: logits and feature maps of each discriminator.
    """
    return torch.stack([-logits.mean() for logits, _ in fake]).mean()


def feature_matching_loss(
    real: Answers, fake: Answers, mean: Callable[[Tensor], Tensor] = lambda value: value
) -> Tensor:
    """Return L1 between feature maps, each relative to the size of the real one.

    Args:
        real, fake: the discriminators' answers.
        mean: averages a size over the devices that share a batch.
    """
    parts = [
        (a.detach() - b).abs().mean() / mean(a.detach().abs().mean()).clamp(min=1e-3)
        for (_, real_maps), (_, fake_maps) in zip(real, fake, strict=True)
        for a, b in zip(real_maps, fake_maps, strict=True)
    ]
    return torch.stack(parts).mean()
