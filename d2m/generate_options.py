"""Options of :func:`d2m.generate` that do not depend on the engine."""

from __future__ import annotations

from dataclasses import dataclass

from d2m.beat_options import BeatOptions
from d2m.errors import D2MError
from d2m.options import option
from d2m.types import GENRES, genre_code


@dataclass(frozen=True)
class GenerateOptions:
    """Options of :func:`d2m.generate` that do not depend on the engine."""

    genre: str | None = option(
        "auto", f"Dance genre: {', '.join(GENRES.values())}; or auto, recognised from the dance.", metavar="NAME"
    )
    seed: int = option(0, "Random seed.", minimum=0)
    beats: str | float = option(
        "auto",
        "Source of the beats: sound (the clip's own sound), dance (the movement), a tempo in beats per minute (placed "
        "by the movement), or auto (the sound if its beat is clear, otherwise the movement).",
        metavar="auto|dance|sound|BPM",
    )
    offset: float = option(0.0, "Shift of all beats in milliseconds (-2000 to 2000); positive is later.", metavar="MS")
    downbeat: float | None = option(
        None, "Time of one downbeat (first beat of a bar) in seconds. Default: estimated.", metavar="SECONDS"
    )
    write_video: bool = option(True, "Do not write the video.", names=(" /--no-video",))
    keep_audio: bool = option(False, "Keep the clip's own sound and duck the music under it.")
    reencode: bool = option(False, "Encode the picture as H.264 in an .mp4 instead of copying it.")
    crf: int = option(20, "Quality of --reencode as x264's CRF: 0 (lossless) to 51 (worst).", metavar="0-51")

    @property
    def beat_options(self) -> BeatOptions:
        """Source and correction of the beats.

        Raises:
            D2MError: if a value is out of range.
        """
        return BeatOptions.read(self.beats, self.offset, self.downbeat)

    @property
    def genre_code(self) -> str | None:
        """AIST code of the genre, or None to recognise it.

        Raises:
            D2MError: if there is no such genre.
        """
        if self.genre is None or self.genre.strip().lower() == "auto":
            return None
        try:
            return genre_code(self.genre)
        except ValueError as error:
            raise D2MError(f"{error}, or auto") from None

    def check(self) -> GenerateOptions:
        """Check that the options can be met, whatever the video, and return them.

        Raises:
            D2MError: if they cannot.
        """
        if not 0 <= int(self.seed) < 2**63:
            raise D2MError(f"seed {self.seed} is not usable; give a whole number from 0 to 2^63 - 1")
        if self.keep_audio and not self.write_video:
            raise D2MError("the clip's own sound is kept in the video only; leave out --keep-audio or --no-video")
        if self.reencode and not self.write_video:
            raise D2MError("there is no picture to encode without a video; leave out --reencode or --no-video")
        if not 0 <= int(self.crf) <= 51:
            raise D2MError(f"a constant rate factor of {self.crf} is not possible; choose 0 (lossless) to 51 (worst)")
        _ = self.beat_options, self.genre_code
        return self
