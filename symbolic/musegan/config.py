"""Configuration of a MuseGAN: model, resolution and width of the networks."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

from d2m.errors import D2MError
from d2m.types import TRACKS
from d2m.weights.config import config_from

#: The three ways to make tracks fit each other (Dong et al. 2018, "Modeling the Multi-track Interdependency").
MODELS = ("jamming", "composer", "hybrid")

#: Pitches an octave, the size of the last step in pitch.
OCTAVE = 12

#: Beats of a bar; everything here is 4/4.
BEATS = 4


@dataclass(frozen=True)
class MuseGanConfig:
    """Shape of a MuseGAN; the defaults are the paper's (section "Model Settings", layer tables of its appendix).

    Attributes:
        model: one of :data:`MODELS`.
        condition: index of the track that is given, or -1 to generate from scratch.
        bars, steps, pitches, tracks: of a phrase. Steps are a multiple of 4, pitches of 12. The conditional model
            takes any number of bars; ``bars`` is what its critic sees.
        lowest: MIDI number of the lowest pitch.
        latent: length of all random vectors of one bar generator together, divided evenly among the kinds that
            it has: four in the hybrid model, two in the others.
        temporal_width: hidden channels of a temporal generator.
        width: width of the bar generators; channels fall from 4 to 1/2 of it.
        encoder_width: channels of the encoder of the given track.
        critic_width: width of the critics; channels rise from 1 to 8 times it.
        streams: 1 as in the paper: generators grow time then pitch, critics shrink bars, pitch, then time. 2 adds to
            both the other order, and shows density and chroma to the critic, after what the same authors' next model
            does (Dong & Yang 2018, "Convolutional Generative Adversarial Networks with Binary Neurons"): it makes
            held notes, and a few hundred steps go a long way. Its critics look at the bars last, which is cheap.
        prior: with 1 each place of a bar (step, pitch, track) has a bias of its own, with 0 each track has one.
        rests: with 1 each generator decides bar by bar whether its track plays, which batch norm and a tanh, both at
            their best in the middle, do not learn by themselves: tracks then rest as often as they do in the data.
        classes: with 1 critics also hear which pitch classes each track uses in a bar, however rarely: a note too many
            hardly changes the sums that convolutions see.
    """

    model: str = "hybrid"
    condition: int = -1
    bars: int = 4
    steps: int = 96
    pitches: int = 84
    tracks: int = 5
    lowest: int = 24
    latent: int = 128
    temporal_width: int = 1024
    width: int = 128
    encoder_width: int = 16
    critic_width: int = 128
    streams: int = 1
    prior: int = 0
    rests: int = 0
    classes: int = 0

    def __post_init__(self) -> None:
        if self.model not in MODELS:
            raise ValueError(f"the model is one of {', '.join(MODELS)}, not '{self.model}'")
        # Bounds that no sensible model reaches, so that a file's configuration cannot ask for any amount of memory.
        limits = {"bars": 64, "steps": 384, "pitches": 120, "tracks": 16, "lowest": 127, "latent": 4096}
        limits |= {"temporal_width": 8192, "width": 2048, "encoder_width": 512, "critic_width": 1024, "streams": 2}
        for name, most in limits.items():
            if not (isinstance(getattr(self, name), int) and 1 <= getattr(self, name) <= most):
                raise ValueError(f"{name} must be a whole number from 1 to {most}")
        if self.steps % BEATS or self.pitches % OCTAVE or self.lowest + self.pitches > 128:
            raise ValueError("steps must be a multiple of 4, pitches of 12 and within MIDI's 128")
        if not isinstance(self.condition, int) or not -1 <= self.condition < self.tracks:
            raise ValueError("the given track is -1 or the index of a track")
        if any(value not in (0, 1) for value in (self.prior, self.rests, self.classes)):
            raise ValueError("prior, rests and classes are 0 or 1")
        if self.latent % 4 or self.width % 4:
            raise ValueError("the latent size and the width are multiples of 4")

    @property
    def vector(self) -> int:
        """Length of one random vector."""
        return self.latent // (4 if self.model == "hybrid" else 2)

    @property
    def conditional(self) -> bool:
        """Whether one track is given."""
        return self.condition >= 0

    @property
    def made(self) -> tuple[int, ...]:
        """Indices of the tracks that are generated."""
        return tuple(track for track in range(self.tracks) if track != self.condition)

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(bars, steps, pitches, tracks) of a phrase."""
        return self.bars, self.steps, self.pitches, self.tracks

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values, for a file's header."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> MuseGanConfig:
        """Read the configuration in a file's header.

        Args:
            values: entries by name.

        Raises:
            D2MError: if an entry is unknown, of the wrong type, or out of range.
        """
        return config_from(cls, values, "MuseGAN")


#: 4 x 96 x 84 x 5, the networks of the paper.
PAPER = MuseGanConfig()

#: 4 x 16 x 72 x 5, networks for two cores.
COMPACT = MuseGanConfig(
    steps=16,
    pitches=72,
    temporal_width=256,
    width=48,
    encoder_width=16,
    critic_width=64,
    streams=2,
    prior=1,
    rests=1,
    classes=1,
)


def configure(model: str, condition: str = "none", resolution: str = "compact") -> MuseGanConfig:
    """Return the configuration of a model by the names that the command line uses.

    Args:
        model: one of :data:`MODELS`.
        condition: the track that is given (one of :data:`d2m.types.TRACKS`), or ``"none"``.
        resolution: ``"paper"`` or ``"compact"``.

    Raises:
        D2MError: if a name is none of these.
    """
    for given, known, what in (
        (model, MODELS, "model"),
        (condition, ("none", *TRACKS), "track to condition on"),
        (resolution, ("compact", "paper"), "resolution"),
    ):
        if given not in known:
            raise D2MError(f"no {what} called '{given}'; choose one of: {', '.join(known)}")
    base = PAPER if resolution == "paper" else COMPACT
    if resolution == "compact":
        # Five critics cost as much as one; one generator has the capacity of five.
        base = replace(base, critic_width={"jamming": 32}.get(model, 64), width={"composer": 96}.get(model, 48))
    return replace(base, model=model, condition=-1 if condition == "none" else TRACKS.index(condition))
