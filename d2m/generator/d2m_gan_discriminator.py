"""D2M-GAN's multi-scale discriminator (Zhu et al. 2022, section 3.3; after MelGAN, Kumar et al. 2019)."""

from __future__ import annotations

from torch import Tensor, nn

from d2m.generator.d2m_gan import FEATURE_SIZE, NormedConv1d


class ScaleDiscriminator(nn.Module):
    """One scale: a signal (B, C, N) -> logits (B, 1, N') and six feature maps.

    Args:
        signals: C.
        channels: channels of the first layer.
        layers: strided, grouped layers after it.
        downsampling: stride of each of them, and by how much channels grow, up to 1024.
    """

    def __init__(self, signals: int = 1, channels: int = 32, layers: int = 4, downsampling: int = 4) -> None:
        super().__init__()
        first = nn.Sequential(nn.ReflectionPad1d(7), NormedConv1d(signals, channels, 16), nn.LeakyReLU(0.2))
        stack: dict[str, nn.Module] = {"layer_0": first}
        for i in range(1, layers + 1):
            narrow, channels = channels, min(channels * downsampling, 1024)
            size = {"stride": downsampling, "padding": 5 * downsampling, "groups": narrow // 4}
            convolution = NormedConv1d(narrow, channels, 10 * downsampling + 1, **size)
            stack[f"layer_{i}"] = nn.Sequential(convolution, nn.LeakyReLU(0.2))
        narrow, channels = channels, min(2 * channels, 512)
        stack[f"layer_{layers + 1}"] = nn.Sequential(NormedConv1d(narrow, channels, 5, padding=2), nn.LeakyReLU(0.2))
        stack[f"layer_{layers + 2}"] = NormedConv1d(channels, 1, 3, padding=1)
        self.model = nn.ModuleDict(stack)

    def forward(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Apply the discriminator.

        Args:
            x: float32 (B, C, N).

        Returns:
            Logits (B, 1, N') and six feature maps.
        """
        maps = []
        for layer in self.model.values():
            x = layer(x)
            maps.append(x)
        return x, maps[:-1]


class D2MGANDiscriminator(nn.Module):
    """VQ features (B, 64, F) at 1x, 2x and 4x downsampling, one :class:`ScaleDiscriminator` each.

    The features are first laid out as one signal (B, 1, 64 F), row after row, so that a window of the discriminator
    looks at a stretch of one feature's course. Names and shapes are those of the published ``netD.pt``.

    Args:
        scales: 1 to 3 (the paper's table 6).
        reshaping: False turns that layout off (table 6): the 64 features are channels then.
        channels, layers, downsampling: see :class:`ScaleDiscriminator`.
    """

    def __init__(
        self, scales: int = 3, reshaping: bool = True, channels: int = 32, layers: int = 4, downsampling: int = 4
    ) -> None:
        super().__init__()
        if not 1 <= scales <= 3:
            raise ValueError(f"a discriminator has 1 to 3 scales, not {scales}")
        self.reshaping = reshaping
        signals = 1 if reshaping else FEATURE_SIZE
        self.model = nn.ModuleDict(
            {f"disc_{i}": ScaleDiscriminator(signals, channels, layers, downsampling) for i in range(scales)}
        )
        self.downsample = nn.AvgPool1d(4, stride=2, padding=1, count_include_pad=False)

    def forward(self, features: Tensor) -> list[tuple[Tensor, list[Tensor]]]:
        """Apply the discriminators of all scales.

        Args:
            features: float32 (B, 64, F).

        Returns:
            For each scale the logits and, for feature matching, the six maps before them.
        """
        x = features.reshape(len(features), 1, -1) if self.reshaping else features
        answers = []
        for part in self.model.values():
            answers.append(part(x))
            x = self.downsample(x)
        return answers
