"""Options of ``d2m live`` besides those of the music."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from d2m.engines.options import ARRANGER, SOUNDFONT
from d2m.errors import D2MError
from d2m.generate_options import OFFSET, POSE, TEMPO, MusicOptions
from d2m.options import option

#: Shortest and longest sound that is kept ready in milliseconds, and what is usual.
SHORTEST, LONGEST, USUAL = 45.0, 500.0, 85.0


@dataclass(frozen=True)
class SourceOptions:
    """Where the pictures come from and the sound goes."""

    PANEL: ClassVar[str] = "Options of the source and the sound card"

    camera: int = option(0, "Number of the webcam.", minimum=0)
    screen: int | None = option(
        None, "Watch this monitor (from 1; 0 for all of them) in place of a webcam.", metavar="NUMBER", minimum=0
    )
    file: str | None = option(
        None, "Play this video in place of a webcam, in real time.", metavar="VIDEO", names=("--from",)
    )
    loops: int = option(1, "With --from: number of times that the video is played; 0 for ever.", minimum=0)
    fast: bool = option(False, "With --from: go through the video as fast as possible, without a sound card.")
    seconds: float | None = option(
        None, "Length of the session in seconds. Default: until Ctrl-C, or the end of the video.", metavar="SECONDS"
    )
    no_sound: bool = option(False, "Play nothing; the music is only recorded (-o).", names=("--no-sound",))
    sound_device: str | None = option(
        None, "Sound card: number or part of the name. Default: the system's.", metavar="NAME"
    )
    buffer: float = option(
        USUAL,
        f"Sound that is kept ready in milliseconds ({SHORTEST:g}-{LONGEST:g}). More avoids drop-outs, less is quicker.",
        metavar="MS",
        minimum=SHORTEST,
        maximum=LONGEST,
    )


@dataclass(frozen=True)
class LiveOptions(SourceOptions, MusicOptions):
    """Options of ``d2m live``."""

    PANEL: ClassVar[str] = "Options of the session"

    tempo: str | float | None = option(None, TEMPO, metavar="BPM|half|double")
    offset: float = option(0.0, OFFSET, metavar="MS")
    arranger: str | None = option(None, ARRANGER, metavar="NAME")
    soundfont: str | None = option(None, SOUNDFONT, metavar="NAME|FILE")
    pose: str = option("mediapipe", POSE, metavar="NAME")

    def check(self) -> LiveOptions:
        """Check that the options can be met, and return them.

        Raises:
            D2MError: if they cannot.
        """
        if self.file is None and (self.fast or self.loops != 1):
            raise D2MError("--fast and --loops belong to a video in place of a webcam; give it with --from")
        if self.file is not None and self.screen is not None:
            raise D2MError("--from and --screen are two sources of pictures; leave out one of them")
        if self.fast and self.loops == 0 and self.seconds is None:
            raise D2MError("--fast with --loops 0 has no end; give --seconds")
        if self.seconds is not None and not self.seconds > 0:
            raise D2MError(f"--seconds {self.seconds:g} is not usable; give a number above 0")
        for name in ("genre", "mood"):
            if "," in (getattr(self, name) or ""):
                raise D2MError(f"--{name}: a live session has one {name}; give one")
        return self
