"""Configuration of a JukeBox VQ-VAE; the default is the published one."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from itertools import accumulate
from operator import mul
from typing import Any

from d2m.errors import D2MError


@dataclass(frozen=True)
class VQVAEConfig:
    """Configuration of a JukeBox VQ-VAE; the defaults are the published model's (Dhariwal et al. 2020, table 4).

    Attributes:
        downs: for each level, the number of strided convolutions that it adds to the level below.
        strides: for each level, the stride of each of them. The hop of level l is the product of
            ``strides[i] ** downs[i]`` for i up to l: 8, 32 and 128 samples.
        widths: channels of each level's encoder and decoder.
        depths: residual blocks after each strided convolution, for each level.
        embedding_width: values of a codebook entry.
        codebook_size: entries of each level's codebook.
        state_factor: channels inside a residual block, as a multiple of those outside.
        dilation_growth: the d-th residual block of a stack is dilated ``dilation_growth ** d``.
        reverse_decoder_dilation: the decoder's stacks run from the widest dilation to the narrowest.
        sample_rate: hertz. OpenAI trained at 44100; D2M-GAN fine-tuned at, and uses, 22050.
    """

    downs: tuple[int, ...] = (3, 2, 2)
    strides: tuple[int, ...] = (2, 2, 2)
    widths: tuple[int, ...] = (64, 32, 32)
    depths: tuple[int, ...] = (8, 4, 4)
    embedding_width: int = 64
    codebook_size: int = 2048
    state_factor: float = 1.0
    dilation_growth: int = 3
    reverse_decoder_dilation: bool = True
    sample_rate: int = 22050

    def __post_init__(self) -> None:
        per_level = (self.downs, self.strides, self.widths, self.depths)
        if not self.downs or len({len(values) for values in per_level}) != 1:
            raise ValueError("downs, strides, widths and depths need one entry for each level")
        # Bounds that no sensible model reaches, so that a file's configuration cannot ask for any amount of
        # memory.
        limits = ((self.downs, 8), (self.strides, 16), (self.widths, 2048), (self.depths, 32))
        if any(not 1 <= v <= most for values, most in limits for v in values) or self.levels > 8:
            raise ValueError("a level's downs, stride, width or depth is out of range")
        if not (1 <= self.embedding_width <= 4096 and 1 <= self.codebook_size <= 1 << 17 and self.sample_rate > 0):
            raise ValueError("the codebook's size or the sample rate is out of range")
        if not (0 < self.state_factor <= 8 and 1 <= self.dilation_growth <= 8):
            raise ValueError("the residual blocks' size or dilation is out of range")

    @property
    def levels(self) -> int:
        """Number of levels, from the finest to the coarsest."""
        return len(self.downs)

    @property
    def hops(self) -> tuple[int, ...]:
        """Samples a code, for each level."""
        return tuple(accumulate((s**d for s, d in zip(self.strides, self.downs, strict=True)), mul))

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values, for a file's header."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> VQVAEConfig:
        """Read the configuration in a file's header.

        Args:
            values: entries by name.

        Raises:
            D2MError: if an entry is unknown, of the wrong type, or out of range.
        """
        unknown = set(values) - {entry.name for entry in fields(cls)}
        if unknown:
            raise D2MError(f"the VQ-VAE's configuration has an unknown entry '{sorted(unknown)[0]}'; update d2m")
        try:
            plain: dict[str, Any] = {
                entry.name: _like(entry.default, values[entry.name]) for entry in fields(cls) if entry.name in values
            }
            return cls(**plain)
        except (TypeError, ValueError) as error:
            raise D2MError(f"the VQ-VAE's configuration is not usable: {error}") from error


def _like(default: Any, value: Any) -> Any:
    """A JSON value in the type of an entry's default."""
    if isinstance(default, tuple):
        return tuple(int(number) for number in value)
    return type(default)(value)
