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
    """Makes music for a dance.

    Attributes:
        name: as on the command line.
        weights: names of the weights in use.
    """

    name: str
    weights: tuple[str, ...]

    def compose(self, dance: Dance, *, seed: int = 0, progress: Progress | None = None) -> Soundtrack:
        """Music for ``dance``: its length, its beats, its genre; the same for the same arguments and weights."""
        ...


@runtime_checkable
class LooksItself(Protocol):
    """An engine that needs more of a video than every engine gets."""

    def ready(self) -> None:
        """Raises D2MError if something is missing that no video gives; asked before the video is watched."""
        ...

    def look(self, video: Video, dance: Dance, *, progress: Progress | None = None) -> Dance:
        """``dance`` with what :meth:`Engine.compose` needs besides."""
        ...
