"""D2M-GAN's generator (Zhu et al. 2022, "Quantized GAN for Complex Music Generation from Dance Videos", section 3.2).

A dance of fixed length, two seconds in the paper, is mapped to VQ features of JukeBox in one pass: the motion encoder
reduces the movement to 1024 values, to which 2048 visual features (I3D) and, on AIST++, 256 values of the genre are
concatenated; the VQ generator treats the vector as a signal and convolves it into features of 64 values per frame.
``tanh`` bounds them, and sigma scales them to the range of JukeBox's codebook.

Names, shapes and values are those of the published models, so their checkpoints load strictly:

    model = d2m.generator.load_d2m_gan("mencoder.pt", "netG.pt")
    features = model(motion, visual, genre)             # (B, 120, 219), (B, 2048), (B,) -> (B, 64, 344)

The ablations of the paper are settings of :class:`D2MGANConfig`. :mod:`d2m.generator.windows` handles inputs of any
length.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

#: Values of a codebook entry of JukeBox.
FEATURE_SIZE = 64
MOTION_CODE, VISUAL_SIZE, GENRE_CODE = 1024, 2048, 256
#: Samples a VQ frame, for each level (section 3.2: hop 128 is the high level, 32 the low one).
LEVELS: dict[str, int] = {"high": 128, "low": 32}
MODALITIES = ("both", "motion", "vision")


@dataclass(frozen=True)
class DataShape:
    """Inputs of a data set: values per motion frame, motion frames per second, number of genres (0: none)."""

    motion_size: int
    motion_rate: int
    genres: int


#: AIST++: 24 rotation matrices and the translation of SMPL; TikTok: x, y, confidence of OpenPose's 25 keypoints.
DATASETS: dict[str, DataShape] = {"aist": DataShape(219, 60, 10), "tiktok": DataShape(75, 30, 0)}


@dataclass(frozen=True)
class D2MGANConfig:
    """Configuration of the models; the defaults are the paper's.

    Attributes:
        dataset: ``"aist"`` or ``"tiktok"``, see :data:`DATASETS`.
        level: ``"high"`` or ``"low"``, see :data:`LEVELS`.
        seconds: length of dance and music in seconds, 2 to 6 (the paper's table 3). The published models are for 2. For
            other lengths, of which none is published, the fused vector grows in proportion to the output.
        modality: what is fused: ``"both"``, ``"motion"`` or ``"vision"`` alone (table 4).
        sigma: the output's scale; 1 turns scaling off (table 6).
        sample_rate: hertz of the music.
    """

    dataset: str = "aist"
    level: str = "high"
    seconds: float = 2.0
    modality: str = "both"
    sigma: float = 100.0
    sample_rate: int = 22050

    def __post_init__(self) -> None:
        for value, known in ((self.dataset, DATASETS), (self.level, LEVELS), (self.modality, MODALITIES)):
            if value not in known:
                raise ValueError(f"'{value}' is none of {', '.join(known)}")
        if not 2 <= self.seconds <= 6:
            raise ValueError(f"the models are made for 2 to 6 seconds, not {self.seconds:g}")
        if not 0 < self.sigma <= 1e6 or not 8000 <= self.sample_rate <= 48000:
            raise ValueError("sigma or the sample rate is out of range")

    @property
    def data(self) -> DataShape:
        """The data set's shape."""
        return DATASETS[self.dataset]

    @property
    def motion_frames(self) -> int:
        """Motion frames in: 120 (AIST++) or 60 (TikTok) for 2 s."""
        return round(self.seconds * self.data.motion_rate)

    @property
    def hop(self) -> int:
        """Samples a VQ frame."""
        return LEVELS[self.level]

    @property
    def frames(self) -> int:
        """VQ frames out: 344 (high) or 1378 (low) for 2 s."""
        return int(self.seconds * self.sample_rate) // self.hop

    @property
    def fused_size(self) -> int:
        """Length of the fused vector of the available inputs (motion, vision, genre)."""
        motion, vision = self.modality != "vision", self.modality != "motion"
        return MOTION_CODE * motion + VISUAL_SIZE * vision + GENRE_CODE * (self.data.genres > 0)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values, for a file's header."""
        return asdict(self)


class NormedConv1d(nn.Module):
    """A convolution with weight normalisation (Salimans and Kingma 2016): direction ``weight_v``, gain ``weight_g``.

    PyTorch has two spellings of it. The published checkpoints carry the old one, which PyTorch no longer recommends, so
    the two parameters are kept here under these names, and the product is worked out in every pass.
    """

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        kernel: int,
        *,
        stride: int = 1,
        padding: int = 0,
        dilation: int = 1,
        groups: int = 1,
    ) -> None:
        super().__init__()
        plain = nn.Conv1d(channels_in, channels_out, kernel, groups=groups).state_dict()
        self.bias = nn.Parameter(plain["bias"])
        self.weight_g = nn.Parameter(plain["weight"].norm(dim=(1, 2), keepdim=True))
        self.weight_v = nn.Parameter(plain["weight"])
        self.stride, self.padding, self.dilation, self.groups = stride, padding, dilation, groups

    def forward(self, x: Tensor) -> Tensor:
        """Apply the convolution.

        Args:
            x: float32 (B, C, T).

        Returns:
            float32 (B, C', T').
        """
        weight = self.weight_v * (self.weight_g / self.weight_v.norm(dim=(1, 2), keepdim=True))
        return functional.conv1d(x, weight, self.bias, self.stride, self.padding, self.dilation, self.groups)


class ResidualBlock(nn.Module):
    """(B, C, T) -> (B, C, T): a dilated convolution beside a pointwise one."""

    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__()
        self.block = nn.Sequential(
            nn.LeakyReLU(0.2),
            nn.ReflectionPad1d(dilation),
            NormedConv1d(channels, channels, 3, dilation=dilation),
            nn.LeakyReLU(0.2),
            NormedConv1d(channels, channels, 1),
        )
        self.shortcut = NormedConv1d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Apply the block.

        Args:
            x: float32 (B, C, T).

        Returns:
            float32 (B, C, T).
        """
        return self.shortcut(x) + self.block(x)


def _blocks(channels: int) -> list[nn.Module]:
    return [ResidualBlock(channels, 3**i) for i in range(4)]


def initialise(module: nn.Module) -> None:
    """Initialise convolutions without weight normalisation as published: normal distribution of deviation 0.02.

    Args:
        module: any module, for ``nn.Module.apply``.
    """
    if isinstance(module, nn.Conv1d):
        nn.init.normal_(module.weight, 0.0, 0.02)


class MotionEncoder(nn.Module):
    """Movement (B, T, D) -> (B, 1, 1024).

    The T frames are the channels of the convolutions, which run over a projection of each frame; so T is fixed.
    """

    def __init__(self, config: D2MGANConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or D2MGANConfig()
        self.lin1 = nn.Linear(config.data.motion_size, 800)
        self.lin2 = nn.Linear(786, MOTION_CODE)
        layers: list[nn.Module] = [nn.Conv1d(config.motion_frames, 256, 6), nn.ReLU(), *_blocks(256)]
        for channels in (256, 512):
            layers += [nn.LeakyReLU(0.2), nn.Conv1d(channels, 2 * channels, 4), *_blocks(2 * channels)]
        layers += [nn.LeakyReLU(0.2), nn.Conv1d(1024, 1, 4)]
        self.model = nn.Sequential(*layers)
        self.apply(initialise)

    def forward(self, motion: Tensor) -> Tensor:
        """Encode a movement.

        Args:
            motion: float32 (B, T, D).

        Returns:
            float32 (B, 1, 1024).
        """
        return self.lin2(self.model(self.lin1(motion)))


class VQGenerator(nn.Module):
    """The fused vector (B, 1, N) and genres (B,) int64 -> VQ features (B, 64, F), F being ``config.frames``.

    The published low-level class for TikTok has no projection ``lin`` before its convolutions, and a last layer ``fc``
    for 1045 positions, which are those of a vector of 2048 (vision alone). Its own fused vector of 3072 makes 1301 of
    them, and there it stops. Here the middle 1045 go on: of the 266 positions that mirror padding adds at either end
    128 are dropped, so all of the dance still reaches the output, and names and shapes stay the published ones.
    """

    def __init__(self, config: D2MGANConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or D2MGANConfig()
        high = config.level == "high"
        width = 4 * config.frames + 682 if high else round(1024 * config.seconds)
        published_without = (config.dataset, config.level, config.modality, config.seconds)
        if published_without == ("tiktok", "low", "both", 2.0):
            self.register_module("lin", None)
        else:
            self.lin = nn.Linear(config.fused_size, width)
        self.fc = None if high else nn.Linear(low_positions(width), config.frames)
        if config.data.genres:
            self.genre_embed = nn.Embedding(config.data.genres, GENRE_CODE)
        self.model = nn.Sequential(*(_high_layers() if high else _low_layers()))
        self.apply(initialise)

    def forward(self, fused: Tensor, genre: Tensor | None = None) -> Tensor:
        """Generate VQ features.

        Args:
            fused: float32 (B, 1, N), encoded motion and visual features.
            genre: int64 (B,), or None.

        Returns:
            float32 (B, 64, F).
        """
        if self.config.data.genres:
            if genre is None:
                raise ValueError("this generator needs a genre for every item of the batch")
            fused = torch.cat([fused, self.genre_embed(genre)[:, None]], 2)
        features = self.model(fused if self.lin is None else self.lin(fused))
        if self.fc is not None:
            surplus = features.shape[2] - self.fc.in_features
            features = self.fc(features[:, :, surplus // 2 : surplus // 2 + self.fc.in_features])
        return features * self.config.sigma


def low_positions(width: int) -> int:
    """Compute the length of the low-level convolutions' output: 2048 -> 1045.

    Args:
        width: length of the input.
    """
    first = (width + 2) // 2 + 1 + 63
    return (first + 90) // 2 + 1 + 5 * 91


def _high_layers() -> list[nn.Module]:
    layers: list[nn.Module] = [nn.Conv1d(1, 32, 6, stride=2, padding=1), *_blocks(32)]
    for channels, stride in ((32, 2), (64, 1), (128, 1), (256, 1)):
        convolution = nn.Conv1d(channels, 2 * channels, 41, stride=stride, padding=1)
        layers += [nn.LeakyReLU(0.2), convolution, *_blocks(2 * channels)]
    return [*layers, nn.LeakyReLU(0.2), nn.Conv1d(512, FEATURE_SIZE, 40, padding=1), nn.Tanh()]


def _low_layers() -> list[nn.Module]:
    layers: list[nn.Module] = [nn.ReflectionPad1d(3), nn.Conv1d(1, 32, 6, stride=2, padding=1), *_blocks(32)]
    layers += [nn.LeakyReLU(0.2), nn.ReflectionPad1d(32), nn.Conv1d(32, 64, 4, padding=1), *_blocks(64)]
    for channels, stride in ((64, 2), (128, 1), (256, 1), (512, 1)):
        convolution = nn.Conv1d(channels, 2 * channels, 40, stride=stride, padding=1)
        layers += [nn.LeakyReLU(0.2), nn.ReflectionPad1d(64), convolution, *_blocks(2 * channels)]
    layers += [nn.LeakyReLU(0.2), nn.ReflectionPad1d(64), nn.Conv1d(1024, 1024, 40, padding=1)]
    return [*layers, nn.ReflectionPad1d(64), nn.Conv1d(1024, FEATURE_SIZE, 40, padding=1), nn.Tanh()]


class D2MGAN(nn.Module):
    """Motion encoder and VQ generator, called as one.

    Args:
        config: which of the models.

    Attributes:
        motion_encoder: None for vision alone.
        generator: the VQ generator.
        codec: name of the VQ-VAE whose features it was trained on, if the file says; "" for the authors' models,
            which aim at JukeBox's.
        codebook: digest of that VQ-VAE's codebook (:func:`d2m.jukebox.codec.codebook_digest`), or "".
    """

    def __init__(self, config: D2MGANConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or D2MGANConfig()
        self.motion_encoder = MotionEncoder(config) if config.modality != "vision" else None
        self.generator = VQGenerator(config)
        self.codec = ""
        self.codebook = ""

    def forward(
        self, motion: Tensor | None = None, visual: Tensor | None = None, genre: Tensor | None = None
    ) -> Tensor:
        """Return VQ features (B, 64, F) of ``config.seconds`` of dance.

        Args:
            motion: (B, T, D), T = ``config.motion_frames``, D = 219 (AIST++) or 75 (TikTok); unused by a model of
                vision alone.
            visual: (B, 2048); unused by a model of motion alone.
            genre: int64 (B,), the place in :data:`d2m.types.GENRES`, which is the order of the published one-hot
                labels; unused by a TikTok model.

        Raises:
            ValueError: if something that the model needs is missing or has another shape.
        """
        fused = []
        if self.motion_encoder is not None:
            shape = (self.config.motion_frames, self.config.data.motion_size)
            fused.append(self.motion_encoder(_shaped("motion", motion, shape)))
        if self.config.modality != "motion":
            fused.append(_shaped("visual features", visual, (VISUAL_SIZE,))[:, None])
        return self.generator(torch.cat(fused, 2), genre)


def _shaped(what: str, value: Tensor | None, shape: tuple[int, ...]) -> Tensor:
    wanted = " x ".join(["B", *map(str, shape)])
    if value is None:
        raise ValueError(f"this model needs {what} ({wanted})")
    if value.dim() != 1 + len(shape) or tuple(value.shape[1:]) != shape:
        raise ValueError(f"this model needs {what} of {wanted}, not of {' x '.join(map(str, value.shape))}")
    return value
