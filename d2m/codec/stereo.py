"""The stereo spectral VQ codec at 44.1 kHz.

The middle (mean of left and right) and the side (half their difference) are coded together: waveform -> spectra at
three resolutions -> ConvNeXt encoder -> residual VQ -> ConvNeXt decoder -> magnitude and phase of the middle (as Vocos,
Siuzdak 2023) with a bank of sine tones for bass and chords, and for the side a gain per band that takes it from the
middle (what is panned) plus a spectrum of its own (what is wide). Its codes hold no phase, so that a feed-forward
generator can aim at them: two equally good performances of a score have nearly the same codes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from d2m.codec.base import FrameDecoder, SpectralBase
from d2m.codec.quantiser import ResidualQuantiser
from d2m.codec.spectral import SpectralCodec
from d2m.codec.tones import ToneBank
from d2m.nn.layers import ConvNeXtBlock, initialise
from d2m.nn.mel import InverseStft, Stft, mel_filters


@dataclass(frozen=True)
class StereoConfig:
    """Sizes of a :class:`StereoCodec`.

    Attributes:
        sample_rate, hop: in hertz; samples of a frame.
        n_fft: window of the output's inverse STFT.
        encoder_channels, encoder_blocks, decoder_channels, decoder_blocks: ConvNeXt stacks.
        feature_size: values of a frame that are quantised.
        codebook_count, codebook_size: of the residual VQ.
        tones_low, tones_high: MIDI notes of the tone bank.
        low_bins: bins of the 8192-point spectrum that the encoder sees, from 0 Hz.
        high_mels: mel bands from half of the middle's range (11 kHz) to 20 kHz that the encoder sees.
        side_mels: mel bands of the side that the encoder sees, and of the correlation of left and right.
        pan_bands: bands of the gain that takes the side from the middle.
    """

    sample_rate: int = 44100
    hop: int = 512
    n_fft: int = 2048
    encoder_channels: int = 256
    encoder_blocks: int = 5
    decoder_channels: int = 384
    decoder_blocks: int = 9
    feature_size: int = 64
    codebook_count: int = 10
    codebook_size: int = 1024
    tones_low: int = 23
    tones_high: int = 83
    low_bins: int = 200
    high_mels: int = 24
    side_mels: int = 40
    pan_bands: int = 32


def middle_side(stereo: Tensor) -> tuple[Tensor, Tensor]:
    """Split a stereo signal into middle and side.

    Args:
        stereo: (B, 2, T), left and right.

    Returns:
        Middle (left + right) / 2 and side (left - right) / 2, (B, T) each.
    """
    return 0.5 * (stereo[:, 0] + stereo[:, 1]), 0.5 * (stereo[:, 0] - stereo[:, 1])


class _Bands(nn.Module):
    """Mel filter bank between two frequencies, applied to magnitudes (B, bins, F)."""

    filters: Tensor

    def __init__(self, rate: int, n_fft: int, count: int, low: float, high: float) -> None:
        super().__init__()
        self.register_buffer("filters", mel_filters(rate, n_fft, count, low, high), persistent=False)

    def forward(self, magnitude: Tensor) -> Tensor:
        return self.filters @ magnitude


class StereoEncoder(nn.Module):
    """Stereo (B, 2, T) -> features (B, D, T // hop).

    The middle up to 11 kHz is seen as :class:`~d2m.codec.spectral.SpectralEncoder` sees mono at 22.05 kHz; the bands
    above, the side, and how alike left and right are come after it.
    """

    def __init__(self, config: StereoConfig) -> None:
        super().__init__()
        rate, hop, half = config.sample_rate, config.hop, config.sample_rate / 4
        self.stfts = nn.ModuleList([Stft(size, hop) for size in (2048, 4096, 8192)])
        self.short, self.middle = _Bands(rate, 2048, 80, 0.0, half), _Bands(rate, 4096, 128, 0.0, half)
        self.high = _Bands(rate, 2048, config.high_mels, half, 20000.0)
        self.side = _Bands(rate, 2048, config.side_mels, 0.0, 20000.0)
        self.low_bins = config.low_bins
        self.input_size = 80 + 128 + config.low_bins + config.high_mels + 2 * config.side_mels
        self.project = nn.Linear(self.input_size, config.encoder_channels)
        self.blocks = nn.Sequential(*[ConvNeXtBlock(config.encoder_channels) for _ in range(config.encoder_blocks)])
        self.norm = nn.LayerNorm(config.encoder_channels)
        self.out = nn.Linear(config.encoder_channels, config.feature_size)

    def spectra(self, stereo: Tensor) -> Tensor:
        """Compute the input of the encoder: log10 magnitudes and correlations, shifted to a mean near zero.

        Args:
            stereo: waveform float32 (B, 2, T).

        Returns:
            float32 (B, F, input_size).
        """
        with torch.autocast(stereo.device.type, enabled=False):
            middle, side = middle_side(stereo)
            # Twice the window of 22.05 kHz doubles the magnitudes.
            short, long, longest = (stft(middle) / 2 for stft in self.stfts)
            aside = self.stfts[0](side) / 2
            magnitude, wide = short.abs(), aside.abs()
            parts = [
                _log(self.short(magnitude)) + 1.0,
                _log(self.middle(long.abs())) + 1.0,
                torch.log10(longest[:, : self.low_bins].abs().clamp(min=1e-2)) - 1.0,
                _log(self.high(magnitude)) + 2.0,
                _log(self.side(wide)) + 2.0,
                self._alike(short, aside, magnitude, wide),
            ]
            return torch.cat(parts, 1).transpose(1, 2)

    def _alike(self, middle: Tensor, side: Tensor, magnitude: Tensor, wide: Tensor) -> Tensor:
        """Measure per band how far the side equals the middle: 1 in phase, -1 in opposite phase, 0 if unrelated."""
        product = middle.real * side.real + middle.imag * side.imag
        return self.side(product) / (self.side(magnitude.square() + wide.square()) / 2).clamp(min=1e-8)

    def forward(self, stereo: Tensor) -> Tensor:
        """Encode a stereo waveform.

        Args:
            stereo: waveform float32 (B, 2, T).

        Returns:
            Features float32 (B, D, T // hop).
        """
        return self.out(self.norm(self.blocks(self.project(self.spectra(stereo))))).float().transpose(1, 2)


def _log(bands: Tensor) -> Tensor:
    return torch.log10(bands.clamp(min=1e-4))


class StereoDecoder(FrameDecoder):
    """Quantised vectors (B, D, F) -> stereo (B, 2, F * hop)."""

    def __init__(self, config: StereoConfig) -> None:
        super().__init__()
        self.embed = nn.Conv1d(config.feature_size, config.decoder_channels, 7, padding=3)
        self.blocks = nn.Sequential(*[ConvNeXtBlock(config.decoder_channels) for _ in range(config.decoder_blocks)])
        self.norm = nn.LayerNorm(config.decoder_channels)
        bins = config.n_fft // 2 + 1
        self.head = nn.Linear(config.decoder_channels, 2 * bins)
        self.side = nn.Linear(config.decoder_channels, 2 * bins + config.pan_bands)
        self.pan_bands = config.pan_bands
        self.register_buffer("spread", _spread(config), persistent=False)
        self.inverse = InverseStft(config.n_fft, config.hop)
        self.tones = ToneBank(config.sample_rate, config.hop, config.tones_low, config.tones_high, decimation=16)
        self.gains = nn.Linear(config.decoder_channels, self.tones.count)
        #: Frames on either side that reach a frame of the output.
        self.context = 3 + 3 * config.decoder_blocks + config.n_fft // (2 * config.hop) + 1

    def forward(self, vectors: Tensor, start: Tensor) -> Tensor:
        """Decode quantised vectors.

        Args:
            vectors: float32 (B, D, F).
            start: int64 (B,), time of each first sample on the clock of the tone bank, in samples.

        Returns:
            Waveform float32 (B, 2, F * hop).
        """
        x = self.norm(self.blocks(self.embed(vectors).transpose(1, 2)))
        magnitude, phase = self.head(x).float().transpose(1, 2).chunk(2, 1)
        middle = torch.polar(magnitude.clamp(max=7.0).exp(), phase)
        own, pan = self.side(x).float().transpose(1, 2).split([phase.shape[1] * 2, self.pan_bands], 1)
        magnitude, phase = own.chunk(2, 1)
        side = torch.polar((magnitude - 3.0).clamp(max=7.0).exp(), phase) + (self.spread @ pan.tanh()) * middle
        both = self.inverse(torch.cat([middle, side]))
        middle, side = both.chunk(2)
        middle = middle + self.tones((self.gains(x).float().clamp(max=3.0) - 5.0).exp(), start)
        return torch.stack([middle + side, middle - side], 1)


def _spread(config: StereoConfig) -> Tensor:
    """Make the matrix (bins, bands) that interpolates values of mel-spaced bands over the bins."""
    filters = mel_filters(config.sample_rate, config.n_fft, config.pan_bands, 0.0, config.sample_rate / 2)
    peaks = filters / filters.max(1, keepdim=True).values.clamp(min=1e-12)
    # Below the first band's and above the last band's centre their values go on.
    first, last = int(peaks[0].argmax()), int(peaks[-1].argmax())
    peaks[0, :first], peaks[-1, last:] = 1.0, 1.0
    return (peaks / peaks.sum(0, keepdim=True).clamp(min=1e-6)).T.contiguous()


class StereoCodec(SpectralBase):
    """See the module's docstring.

    Args:
        config: sizes.
    """

    channels = 2
    config: StereoConfig
    encoder: StereoEncoder
    decoder: StereoDecoder

    def __init__(self, config: StereoConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or StereoConfig()
        self.sample_rate, self.hop = config.sample_rate, config.hop
        self.feature_size = config.feature_size
        self.codebook_count, self.codebook_size = config.codebook_count, config.codebook_size
        self.encoder = StereoEncoder(config)
        self.quantiser = ResidualQuantiser(config.codebook_count, config.codebook_size, config.feature_size)
        self.decoder = StereoDecoder(config)
        self.context = self.decoder.context
        self.apply(initialise)


def build(sizes: Mapping[str, Any]) -> StereoCodec:
    """Build a codec with untrained parameters.

    Args:
        sizes: fields of :class:`StereoConfig` by name; missing ones have their defaults.
    """
    return StereoCodec(StereoConfig(**sizes))


@torch.no_grad()
def grow(mono: SpectralCodec, config: StereoConfig | None = None) -> StereoCodec:
    """Make a stereo codec that starts from the parameters of a mono codec at half the sample rate.

    It keeps what the mono codec has learned up to 11 kHz. Its bands above start at the mean magnitude of the highest 32
    bins of ``mono``; the side and additional blocks and codebooks have hardly any effect at first.

    Args:
        mono: trained codec at half the sample rate and hop.
        config: sizes; the stacks as in ``mono`` or with more blocks.

    Returns:
        The stereo codec, to be trained further.
    """
    made = StereoCodec(config)
    own, old = made.state_dict(), mono.state_dict()
    for name, value in old.items():
        if name in own and own[name].shape == value.shape:
            own[name].copy_(value)
    own["encoder.project.weight"].zero_()
    seen = old["encoder.project.weight"].shape[1]
    own["encoder.project.weight"][:, :seen] = old["encoder.project.weight"]
    own["encoder.project.weight"][:, seen:].normal_(std=0.003)
    own["quantiser.codebooks"][: mono.codebook_count] = old["quantiser.codebooks"]
    bins, known = made.config.n_fft // 2 + 1, mono.config.n_fft // 2 + 1
    for kind in ("weight", "bias"):
        magnitude, phase = old[f"decoder.head.{kind}"].chunk(2)
        target = own[f"decoder.head.{kind}"]
        # The window is twice as long, and so is the magnitude of a bin.
        target[:known], target[bins : bins + known] = magnitude + (kind == "bias") * 0.6931, phase
        target[known:bins] = magnitude[-32:].mean(0) + (kind == "bias") * 0.6931
    for stack, blocks in (("encoder", mono.encoder.blocks), ("decoder", mono.decoder.blocks)):
        for name, value in own.items():
            part = name.split(".")
            if part[:2] == [stack, "blocks"] and int(part[2]) >= len(blocks) and part[3] == "reduce":
                value.zero_()
    made.load_state_dict(own)
    return made
