"""Interface of engines: a dance in, a soundtrack of the same length out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from d2m.types import Dance, Score, Soundtrack

if TYPE_CHECKING:
    from d2m.engines.arrangers import Arranger
    from d2m.media import Video

#: Called with the share done, 0 to 1.
Progress = Callable[[float], None]
Options = TypeVar("Options")


class Engine(ABC):
    """Engine that generates music for a dance.

    Attributes:
        name: as on the command line.
        weights: names of the weights in use.
        follows_beats: whether the music is on the beats of the dance.
    """

    name: str
    weights: tuple[str, ...]
    follows_beats: ClassVar[bool] = True

    def check(self) -> None:  # noqa: B027 - engines without further inputs have nothing to check
        """Check that all inputs besides the video are there, before the video is analysed.

        Raises:
            D2MError: if something is missing that the video does not give.
        """

    def prepare(self, video: Video, dance: Dance, *, progress: Progress | None = None) -> Dance:
        """Add to a dance the inputs that :meth:`compose` needs besides the common analysis.

        Args:
            video: the video.
            dance: its analysis.
            progress: called with the share done, from 0 to 1.

        Returns:
            The extended dance.
        """
        return dance

    @property
    def sees(self) -> bool:
        """Whether the music depends on more of a dance than a plan says: on motion or picture."""
        return True

    @property
    def prepares(self) -> bool:
        """Whether the engine needs more of a video than the common analysis."""
        return type(self).prepare is not Engine.prepare

    @abstractmethod
    def compose(self, dance: Dance, *, seed: int = 0, progress: Progress | None = None) -> Soundtrack:
        """Generate music for a dance, with its length, beats and genre. The same arguments and weights give the same
        music.

        Args:
            dance: analysis of a video.
            seed: random seed.
            progress: called with the share done, from 0 to 1.
        """


class ScoreEngine(Engine):
    """Engine that plays a score, which an arranger writes for the dance.

    Attributes:
        arranger: writes the score.
    """

    arranger: Arranger

    @property
    def mixes(self) -> bool:
        """Whether the engine plays channels one by one, which have levels, patches of the sound library and stems."""
        return True

    @property
    def is_causal(self) -> bool:
        """Whether the music up to a bar before the end of a section (:attr:`d2m.types.Brief.end`) depends on the notes
        up to there alone. If so, a section that leads to another genre or key is played once.
        """
        return False

    def compose(self, dance: Dance, *, seed: int = 0, progress: Progress | None = None) -> Soundtrack:
        """Write a score for a dance and play it; see :meth:`Engine.compose`.

        Args:
            dance: analysis of a video.
            seed: random seed.
            progress: called with the share done, from 0 to 1.
        """
        return self.perform(self.arranger.write(dance, seed), dance, seed=seed, progress=progress)

    @abstractmethod
    def perform(
        self,
        score: Score,
        dance: Dance,
        *,
        seed: int = 0,
        stems: bool = False,
        progress: Progress | None = None,
    ) -> Soundtrack:
        """Play a score for a dance. The same arguments and weights give the same music.

        Args:
            score: what to play, as long as the dance.
            dance: analysis of a video.
            seed: random seed.
            stems: give the channels of the mix, too.
            progress: called with the share done, from 0 to 1.

        Raises:
            D2MError: if the engine cannot give what is asked for.
        """


@dataclass(frozen=True)
class EngineKind(Generic[Options]):
    """Entry of the registry of engines.

    Attributes:
        title: what plays the music, for the help of ``--engine``.
        options: frozen data class of the engine's options (:mod:`d2m.options`); each has a default.
        build: makes the engine from them, with its weights in memory.
    """

    title: str
    options: type[Options]
    build: Callable[[Options], Engine]

    def load(self, **settings: Any) -> Engine:
        """Return the engine with these options.

        Args:
            settings: fields of :attr:`options`.
        """
        return self.build(self.options(**settings))
