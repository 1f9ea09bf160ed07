"""Temporal generator for any length: score, motion, rhythm, visual features, genre and noise to features of a codec.

D2M-GAN (Zhu et al. 2022) maps two seconds of motion and vision to the VQ features of JukeBox. This generator is fully
convolutional over the frames of the codec, so that a video of any length is one forward pass (or several overlapping
ones), and it can be conditioned on a score on the dancer's beat grid. Every input is optional.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace

import torch
from torch import Tensor, nn

from d2m.generator.conditions import MOTION_SIZE, RHYTHM_SIZE
from d2m.generator.sketch import DRUM_ROWS, PATCH_PROGRAM, PROGRAM_COUNT, ROWS, drum_programs, patch_numbers
from d2m.nn.layers import ConvNeXtBlock, initialise


@dataclass(frozen=True)
class TemporalConfig:
    """Sizes of a :class:`TemporalGenerator`.

    Attributes:
        feature_size: D of the codec whose features are predicted.
        channels, blocks: the trunk; block i looks 2 ** (i % dilation_cycle) frames apart.
        part_channels, part_blocks: the network that each part of the sketch passes alone, before all are added.
        noise_size: values of noise a frame.
        visual_size: size of the visual features (2048 for I3D R50).
        sigma: the output is sigma * tanh(...), in standard deviations of the codec's features.
        genres: number of genres.
        programs: number of instruments that a part may have (:mod:`d2m.generator.sketch`).
    """

    feature_size: int = 64
    channels: int = 320
    blocks: int = 10
    dilation_cycle: int = 5
    part_channels: int = 128
    part_blocks: int = 2
    noise_size: int = 8
    visual_size: int = 2048
    sigma: float = 8.0
    genres: int = 10
    programs: int = PROGRAM_COUNT


@dataclass
class Conditions:
    """Batch of inputs of the generator; every field but ``frames`` may be None.

    Attributes:
        frames: F.
        rows, programs: sketches (B, P, F, ROWS) and int64 (B, P); a program of -1 marks an unused place.
        motion: (B, F, MOTION_SIZE).
        rhythm: (B, F, RHYTHM_SIZE).
        visual: (B, F, visual_size), segment features repeated over their frames.
        genre: int64 (B,).
        noise: (B, F, noise_size).
    """

    frames: int
    rows: Tensor | None = None
    programs: Tensor | None = None
    motion: Tensor | None = None
    rhythm: Tensor | None = None
    visual: Tensor | None = None
    genre: Tensor | None = None
    noise: Tensor | None = None

    def to(self, device: torch.device) -> Conditions:
        """Return the inputs on a device.

        Args:
            device: the device.
        """
        values = (getattr(self, each.name) for each in fields(self)[1:])
        return Conditions(self.frames, *(None if value is None else value.to(device) for value in values))

    def batch_size(self) -> int:
        """Return b, read from the first field that is given."""
        for value in (self.rows, self.motion, self.rhythm, self.visual, self.genre, self.noise):
            if value is not None:
                return len(value)
        return 1


class PartEncoder(nn.Module):
    """One part of a sketch, as its instrument would sound: rows (M, F, ROWS), programs (M,) -> (M, F, C)."""

    is_drum: Tensor

    def __init__(self, channels: int, blocks: int, programs: int = PROGRAM_COUNT) -> None:
        super().__init__()
        is_drum = torch.from_numpy(drum_programs()[:programs].copy())
        self.register_buffer("is_drum", is_drum, persistent=False)
        self.pitched = nn.Linear(ROWS, channels)
        self.drums = nn.Linear(DRUM_ROWS, channels)
        self.instrument = nn.Embedding(programs, 2 * channels * (blocks + 1))
        self.blocks = nn.ModuleList(ConvNeXtBlock(channels, 2, dilation=2**i) for i in range(blocks))

    def forward(self, rows: Tensor, programs: Tensor) -> Tensor:
        """Encode the parts of a score.

        Args:
            rows: float32 (M, F, ROWS).
            programs: int64 (M,).

        Returns:
            float32 (M, F, C).
        """
        drums = self.is_drum[programs.clamp(min=0)][:, None, None]
        x = torch.where(drums, self.drums(rows[..., :DRUM_ROWS]), self.pitched(rows))
        colours = self.instrument(programs.clamp(min=0))[:, None].chunk(2 * (len(self.blocks) + 1), -1)
        x = x * (1 + colours[0]) + colours[1]
        for i, block in enumerate(self.blocks, 1):
            x = block(x) * (1 + colours[2 * i]) + colours[2 * i + 1]
        return x


class TemporalGenerator(nn.Module):
    """Generator of any length; see the module's docstring.

    Args:
        config: sizes.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, config: TemporalConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or TemporalConfig()
        c = config.channels
        self.parts = PartEncoder(config.part_channels, config.part_blocks, config.programs)
        self.sketch = nn.Linear(config.part_channels, c)
        self.motion = nn.Sequential(nn.Linear(MOTION_SIZE, c), nn.GELU(), nn.Linear(c, c))
        self.rhythm = nn.Linear(RHYTHM_SIZE, c)
        self.visual = nn.Linear(config.visual_size, c)
        self.noise = nn.Linear(config.noise_size, c)
        self.genre = nn.Embedding(config.genres, c)
        #: Learned stand-ins for conditions that are not given: sketch, motion, rhythm, visual, genre, noise.
        self.absent = nn.Parameter(torch.zeros(6, c))
        self.blocks = nn.Sequential(
            *[ConvNeXtBlock(c, dilation=2 ** (i % config.dilation_cycle)) for i in range(config.blocks)]
        )
        self.norm = nn.LayerNorm(c)
        self.out = nn.Linear(c, config.feature_size)
        self.register_buffer("mean", torch.zeros(config.feature_size))
        self.register_buffer("deviation", torch.ones(config.feature_size))
        self.apply(initialise)
        nn.init.normal_(self.parts.instrument.weight, std=0.1)
        nn.init.normal_(self.genre.weight, std=0.02)
        trunk = sum(3 * 2 ** (i % config.dilation_cycle) for i in range(config.blocks))
        #: Frames on either side that reach a frame of the output.
        self.context = trunk + sum(3 * 2**i for i in range(config.part_blocks))

    def settings(self) -> dict[str, object]:
        """Return the configuration as plain values, for the file that holds the weights."""
        return asdict(self.config)

    def _sketch(self, rows: Tensor, programs: Tensor | None) -> Tensor:
        if programs is None:
            raise ValueError("the rows of a sketch need its programs")
        batch, parts, frames, _ = rows.shape
        used = (programs >= 0).flatten()
        encoded = rows.new_zeros(batch * parts, frames, self.config.part_channels)
        # Unused places are left out rather than masked, which would cost as much computation as real parts.
        encoded = encoded.index_copy(
            0, used.nonzero()[:, 0], self.parts(rows.flatten(0, 1)[used], programs.flatten()[used])
        )
        return self.sketch(encoded.view(batch, parts, frames, -1).sum(1))

    def normalised(self, conditions: Conditions) -> Tensor:
        """Generate features in standard deviations, within -sigma..sigma.

        Args:
            conditions: a batch of inputs.

        Returns:
            float32 (B, D, F).
        """
        given = conditions
        hidden = [
            self._sketch(given.rows, given.programs) if given.rows is not None else None,
            self.motion(given.motion) if given.motion is not None else None,
            self.rhythm(given.rhythm) if given.rhythm is not None else None,
            self.visual(given.visual) if given.visual is not None else None,
            self.genre(given.genre)[:, None] if given.genre is not None else None,
            self.noise(given.noise) if given.noise is not None else None,
        ]
        x = self.absent.new_zeros(given.batch_size(), given.frames, self.config.channels)
        for value, stand_in in zip(hidden, self.absent, strict=True):
            x = x + (stand_in if value is None else value)
        x = self.out(self.norm(self.blocks(x))).float()
        return (self.config.sigma * torch.tanh(x / self.config.sigma)).transpose(1, 2)

    def forward(self, conditions: Conditions) -> Tensor:
        """Generate features of the codec, to be quantised and decoded by it.

        Args:
            conditions: a batch of inputs.

        Returns:
            float32 (B, D, F).
        """
        return self.normalised(conditions) * self.deviation[:, None] + self.mean[:, None]


@torch.no_grad()
def with_patches(generator: TemporalGenerator, programs: int) -> TemporalGenerator:
    """Extend a generator that knows General MIDI only by the patches of the sound library.

    A patch begins as the program that stands for it in MIDI files, an effect as a quiet average of all.

    Args:
        generator: trained.
        programs: number of instruments, :data:`~d2m.generator.sketch.PATCHED_COUNT`.
    """
    from d2m.sounds.patches import patches

    made = TemporalGenerator(replace(generator.config, programs=programs))
    own, old = made.state_dict(), generator.state_dict()
    known = old["parts.instrument.weight"]
    for name, value in old.items():
        if own[name].shape == value.shape:
            own[name].copy_(value)
    table = own["parts.instrument.weight"]
    table[:] = 0.1 * known.mean(0)
    table[: len(known)] = known
    for name, number in patch_numbers().items():
        patch = patches()[name]
        if patch.fallback is not None:
            table[PATCH_PROGRAM + number] = known[patch.fallback + 128 * patch.is_drum]
    made.load_state_dict(own)
    return made
