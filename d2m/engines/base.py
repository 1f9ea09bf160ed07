"""Interface of engines: a dance in, a soundtrack of the same length out."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from d2m.types import Dance, Soundtrack

if TYPE_CHECKING:
    from d2m.media import Video

#: Called with the share done, 0 to 1.
Progress = Callable[[float], None]


class Engine(Protocol):
    """Engine that generates music for a dance.

    Attributes:
        name: as on the command line.
        weights: names of the weights in use.
    """

    @property
    def name(self) -> str: ...

    @property
    def weights(self) -> tuple[str, ...]: ...

    def compose(self, dance: Dance, *, seed: int = 0, progress: Progress | None = None) -> Soundtrack:
        """Generate music for a dance, with its length, beats and genre. The same arguments and weights give the same
        music.

        Args:
            dance: analysis of a video.
            seed: random seed.
            progress: called with the share done, from 0 to 1.
        """
        ...


@runtime_checkable
class LooksItself(Protocol):
    """Engine that needs more of a video than the common analysis."""

    def ready(self) -> None:
        """Check that all inputs besides the video are there, before the video is analysed.

        Raises:
            D2MError: if something is missing that the video does not give.
        """
        ...

    def look(self, video: Video, dance: Dance, *, progress: Progress | None = None) -> Dance:
        """Add to a dance the inputs that :meth:`Engine.compose` needs besides.

        Args:
            video: the video.
            dance: its analysis.
            progress: called with the share done, from 0 to 1.

        Returns:
            The extended dance.
        """
        ...
