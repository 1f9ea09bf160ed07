"""Multi-scale discriminator on VQ features (D2M-GAN section 3.3; MelGAN, Kumar et al. 2019)."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm


class ScaleDiscriminator(nn.Module):
    """Windows of one scale: features (B, D, F) -> logits (B, 1, F') and feature maps.

    Args:
        feature_size: D.
        channels: channels of the first layer; doubled by each strided one.
        layers: strided layers.
    """

    def __init__(self, feature_size: int, channels: int = 96, layers: int = 2) -> None:
        super().__init__()
        sizes = [channels * min(4, 2**i) for i in range(layers + 1)]
        stack: list[nn.Module] = [weight_norm(nn.Conv1d(feature_size, sizes[0], 7, padding=3))]
        for i, o in zip(sizes, sizes[1:], strict=False):
            stack.append(weight_norm(nn.Conv1d(i, o, 5, stride=2, padding=2, groups=4)))
        stack.append(weight_norm(nn.Conv1d(sizes[-1], sizes[-1], 5, padding=2)))
        self.layers = nn.ModuleList(stack)
        self.out = weight_norm(nn.Conv1d(sizes[-1], 1, 3, padding=1))

    def forward(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Apply the discriminator.

        Args:
            x: float32 (B, D, F).

        Returns:
            Logits (B, 1, F') and feature maps.
        """
        maps = []
        for layer in self.layers:
            x = nn.functional.leaky_relu(layer(x), 0.2)
            maps.append(x)
        return self.out(x), maps


class MultiScaleDiscriminator(nn.Module):
    """The same features at 1x, 2x and 4x downsampling (average pooling), one :class:`ScaleDiscriminator` each."""

    def __init__(self, feature_size: int, scales: int = 3) -> None:
        super().__init__()
        self.parts = nn.ModuleList(ScaleDiscriminator(feature_size) for _ in range(scales))
        self.pool = nn.AvgPool1d(4, stride=2, padding=1, count_include_pad=False)

    def forward(self, features: Tensor) -> list[tuple[Tensor, list[Tensor]]]:
        """Apply the discriminators of all scales.

        Args:
            features: float32 (B, D, F).

        Returns:
            For each scale the logits and feature maps.
        """
        answers = []
        for part in self.parts:
            answers.append(part(features))
            features = self.pool(features)
        return answers
