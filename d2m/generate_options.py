"""Options of :func:`d2m.generate` that do not depend on the engine."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from d2m.beat_options import BeatOptions
from d2m.errors import D2MError
from d2m.options import names, option
from d2m.types import GENRES, SUBJECTS, TRACKS, genre_code

#: Values of ``keep_audio`` with which nothing is kept, unless the video shows somebody speaking and it is "".
NOT_KEPT: tuple[str | bool, ...] = ("", "none", False)
TEMPO = "Tempo of the music: half or double the tempo of the beats, or beats per minute."
OFFSET = "Shift of all beats in milliseconds (-2000 to 2000); positive is later."
POSE = "Pose model that finds the dancers."
_TRACKS = f"{', '.join(TRACKS)}, effects"


@dataclass(frozen=True)
class MusicOptions:
    """What the music is."""

    PANEL: ClassVar[str] = "Options of the music"

    genre: str | None = option(
        "auto",
        f"Dance genre: {', '.join(GENRES.values())}; or auto, recognised from the dance. Several, separated by commas, "
        "are those of the sections in their order.",
        metavar="NAME",
    )
    seed: int = option(0, "Random seed.", minimum=0)
    mood: str | None = option(
        None,
        "Emotion of the music and its strength (0 to 1), such as gloomy:0.6: intense, bright, lively, peaceful, "
        "refreshing, mysterious, melancholic, clear or gloomy, or an everyday word (sad, happy, calm …). Several, "
        "separated by commas, are those of the sections.",
        metavar="NAME[:STRENGTH]",
    )
    key: str | None = option(None, "Key, such as Am, F# or Bb:maj. Default: chosen by the arranger.", metavar="KEY")
    without: str | None = option(
        None, f"Tracks to leave out, separated by commas: {_TRACKS}; or vocals.", metavar="TRACKS"
    )
    solo: str | None = option(None, "Tracks to keep; the others are left out.", metavar="TRACKS")
    instruments: str | None = option(
        None,
        "Instruments by track: General MIDI program (0-127) or patch of the sound library, such as "
        "bass=38,piano=keys.organ.",
        metavar="TRACK=NAME",
    )
    mix: str | None = option(
        None, "Levels by track in dB (-24 to 24), such as drums=-3,bass=2; for --engine symbolic.", metavar="TRACK=DB"
    )


@dataclass(frozen=True)
class FormOptions:
    """When the music plays."""

    PANEL: ClassVar[str] = "Options of the form"

    plan: str | None = option(None, "Play this plan (.toml), as written by --write-plan and edited.", metavar="FILE")
    write_plan: str | None = option(None, "Also write the plan of the music to this file (.toml).", metavar="FILE")
    scenes: str = option(
        "auto",
        "Sections of the music: auto (at cuts, pauses and changes of the dance), off (one section), or a file of times "
        "(.txt or .toml).",
        metavar="auto|off|FILE",
    )
    hits: str | None = option(
        None,
        "File of times that the band strikes, in place of those of the dance: one per line, Audacity labels or CSV.",
        metavar="FILE",
    )
    begin: float = option(0.0, "Second of the clip at which the music begins.", metavar="SECONDS", names=("--from",))
    end: float | None = option(
        None, "Second of the clip at which the music ends. Default: the end.", metavar="SECONDS", names=("--to",)
    )
    length: float | None = option(
        None, "Length of the music in seconds, shorter or longer than the clip.", metavar="SECONDS"
    )
    loop: bool = option(False, "Make music whose end leads back to its beginning without a seam.")
    fade_in: float = option(0.0, "Fade at the beginning of the music in seconds.", metavar="SECONDS")
    fade_out: float = option(0.0, "Fade at the end of the music in seconds.", metavar="SECONDS")


@dataclass(frozen=True)
class TempoOptions:
    """Where the beats come from."""

    PANEL: ClassVar[str] = "Options of the beats"

    beats: str | float = option(
        "auto",
        "Source of the beats: sound (the clip's own sound), dance (the movement), a tempo in beats per minute (placed "
        "by the movement), or auto (the sound if its beat is clear, otherwise the movement).",
        metavar="auto|dance|sound|BPM",
    )
    tempo: str | float | None = option(
        None,
        TEMPO,
        metavar="BPM|half|double",
    )
    offset: float = option(0.0, OFFSET, metavar="MS")
    downbeat: float | None = option(
        None, "Time of one downbeat (first beat of a bar) in seconds. Default: estimated.", metavar="SECONDS"
    )

    @property
    def beat_options(self) -> BeatOptions:
        """Source and correction of the beats.

        Raises:
            D2MError: if a value is out of range.
        """
        beats = self.beats
        if self.tempo is not None and self.tempo_factor == 1.0:
            if beats != "auto":
                raise D2MError("--beats and --tempo both give a tempo, or its source; leave out one of them")
            beats = self.tempo
        return BeatOptions.read(beats, self.offset, self.downbeat)

    @property
    def tempo_factor(self) -> float:
        """Factor that the tempo of the beats is multiplied by."""
        return {"half": 0.5, "double": 2.0}.get(str(self.tempo).strip().lower(), 1.0)


@dataclass(frozen=True)
class VideoOptions:
    """What is written."""

    PANEL: ClassVar[str] = "Options of the files"

    write_video: bool = option(True, "Do not write the video.", names=(" /--no-video",))
    keep_audio: str | bool = option(
        "",
        "Keep the clip's own sound, with the music turned down under it: all of it, the voice alone, or none. Without "
        "a value: all. Default: the voice of a video that shows somebody speaking.",
        metavar="voice|all|none",
    )
    audio_level: float = option(0.0, "Level of the kept sound in dB (-40 to 20).", metavar="DB")
    reencode: bool = option(False, "Encode the picture as H.264 in an .mp4 instead of copying it.")
    crf: int = option(20, "Quality of --reencode as x264's CRF: 0 (lossless) to 51 (worst).", metavar="0-51")
    stems: bool = option(False, "Also write each channel of the mix as a .wav file; for --engine symbolic.")
    markers: bool = option(
        False, "Also write markers of sections, hits and bars: Audacity labels (.txt) and a Reaper list (.csv)."
    )


@dataclass(frozen=True)
class PoseOptions:
    """How the dancers are found."""

    PANEL: ClassVar[str] = "Options of the analysis"

    subject: str = option(
        "auto",
        "What the video shows: dance, speech (a quiet bed under the voice, which is kept), landscape (slow music), "
        "picture (music on cuts and motion), or auto, decided by picture and sound.",
        metavar="auto|dance|speech|landscape|picture",
    )
    pose: str = option("mediapipe", POSE, metavar="NAME")


@dataclass(frozen=True)
class GenerateOptions(PoseOptions, VideoOptions, FormOptions, TempoOptions, MusicOptions):
    """Options of :func:`d2m.generate` that do not depend on the engine."""

    @property
    def genres(self) -> tuple[str, ...]:
        """AIST codes of the genres, one for each section; empty to recognise the genre.

        Raises:
            D2MError: if there is no such genre.
        """
        if self.genre is None or self.genre.strip().lower() == "auto":
            return ()
        try:
            return tuple(genre_code(name) for name in names(self.genre))
        except ValueError as error:
            raise D2MError(f"{error}, or auto") from None

    def check(self) -> GenerateOptions:
        """Check that the options can be met, whatever the video, and return them.

        Raises:
            D2MError: if they cannot.
        """
        if not 0 <= int(self.seed) < 2**63:
            raise D2MError(f"seed {self.seed} is not usable; give a whole number from 0 to 2^63 - 1")
        if self.keep_audio not in NOT_KEPT and not self.write_video:
            raise D2MError("the clip's own sound is kept in the video only; leave out --keep-audio or --no-video")
        if self.reencode and not self.write_video:
            raise D2MError("there is no picture to encode without a video; leave out --reencode or --no-video")
        if self.keep_audio not in (*NOT_KEPT, True, "voice", "all"):
            raise D2MError(f"--keep-audio keeps voice, all or none of the clip's own sound, not '{self.keep_audio}'")
        if self.subject not in ("auto", *SUBJECTS):
            raise D2MError(f"no subject '{self.subject}'; choose auto, {', '.join(SUBJECTS)}")
        if not -40 <= self.audio_level <= 20:
            raise D2MError(f"--audio-level {self.audio_level:g} is not usable; give -40 to 20 dB")
        if not 0 <= int(self.crf) <= 51:
            raise D2MError(f"a constant rate factor of {self.crf} is not possible; choose 0 (lossless) to 51 (worst)")
        if self.write_plan is not None:
            from d2m.plans.files import check_plan_path

            check_plan_path(self.write_plan)
        self._check_times()
        _ = self.beat_options, self.genres
        from d2m.plans.ask import check_music

        check_music(self)
        return self

    def _check_times(self) -> None:
        """Check the options in seconds."""
        for name, low in (("begin", 0.0), ("end", 0.1), ("length", 0.5), ("fade_in", 0.0), ("fade_out", 0.0)):
            value = getattr(self, name)
            if value is not None and not (math.isfinite(value) and low <= value <= 24 * 3600):
                shown = {"begin": "--from", "end": "--to"}.get(name, f"--{name.replace('_', '-')}")
                raise D2MError(f"{shown} {value:g} is not usable; give seconds from {low:g} on")
        if self.end is not None and self.end <= self.begin:
            raise D2MError(f"no music fits between --from {self.begin:g} and --to {self.end:g}; give a later --to")
        if self.loop and (self.fade_in or self.fade_out):
            raise D2MError("fades would be a seam of music that loops; leave out --loop, or --fade-in and --fade-out")
        if self.loop and (self.begin or self.end is not None):
            raise D2MError("music that loops fills its whole length; leave out --loop, or --from and --to")
