"""What a video shows: a dance, somebody who speaks, a landscape, or other pictures.

The decision uses what is measured in picture and sound: in how many frames a person is seen, whether legs are, how much
the person moves, how much of the sound is speech (Silero VAD), how fast the picture moves, and how often it is cut.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from d2m.errors import D2MError
from d2m.features.cut_beats import cut_grid
from d2m.features.group import Moving
from d2m.features.rhythm import Rhythm
from d2m.types import SUBJECTS, Motion

if TYPE_CHECKING:
    from d2m.features.picture import PictureMotion
    from d2m.media import Video

#: Share of the clip that is speech, from which on the music is a bed for it; and least level of the sound during speech
#: over that between (dB), which tells speech from singing with a band.
SPOKEN, CONTRAST = 0.3, 6.0
#: Share of the frames of a person in which the legs are visible, from which on the whole body is in the picture, and
#: confidence of a landmark that is visible.
WHOLE_BODY, VISIBLE = 0.5, 0.5
#: Median speed of head, shoulders and hands (shoulder widths a second): below the first nobody dances with the whole
#: body in the picture, below the second nobody with the upper body alone.
STANDING, TALKING = 0.7, 1.0
#: A landscape: speed of what moves against the camera, and of the camera (picture heights a second, 80th percentiles);
#: cuts a minute.
CALM_OWN, CALM_CAMERA, CALM_CUTS = 0.08, 0.25, 10.0
#: Range of tempo (beats per minute) and genre of music without a dancer.
TEMPOS = {"speech": (72.0, 88.0), "landscape": (58.0, 76.0), "picture": (92.0, 132.0)}
GENRES_WITHOUT_DANCE = {"speech": "gJB", "landscape": "gJB"}
#: Cuts from which on the beats of pictures without a dancer are those of the cuts.
ENOUGH_CUTS = 2
_UPPER = (0, 11, 12, 15, 16)


@dataclass(frozen=True)
class Subject:
    """What a video shows.

    Attributes:
        name: one of :data:`d2m.types.SUBJECTS`.
        reason: what was measured, in words.
    """

    name: str
    reason: str

    @property
    def in_words(self) -> str:
        """One line for the user."""
        kinds = {
            "dance": "a dance: the music follows the dancer",
            "speech": "speech: a quiet bed under the voice",
            "landscape": "a landscape: slow music",
            "picture": "pictures without a dancer: the music follows cuts and motion",
        }
        return f"{kinds[self.name]} ({self.reason})"


def subject_of(
    video: Video,
    motion: Motion | None,
    found: float,
    cuts: int,
    wanted: str = "auto",
    look: Callable[[], PictureMotion] | None = None,
) -> Subject:
    """Decide what a video shows.

    Args:
        video: the video.
        motion: landmarks of a person who is seen in enough frames, or None.
        found: share of the frames in which that person, or anybody, is seen.
        cuts: number of cuts.
        wanted: what the user says it shows, or ``"auto"``.
        look: measures the motion of the picture, where that is needed.

    Raises:
        D2MError: if ``wanted`` does not exist.
    """
    if wanted != "auto":
        return Subject(check_subject(wanted), "as given")
    person = f"a person in {found:.0%} of the frames"
    if motion is not None:
        whole, speed = legs_visible(motion), upper_speed(motion)
        seen = f"{person}, {'whole body' if whole >= WHOLE_BODY else 'upper body'} moving {speed:.1f} shoulder widths/s"
        if speed > (STANDING if whole >= WHOLE_BODY else TALKING):
            return Subject("dance", seen)
        speech = speech_of(video)
        return Subject("speech" if speech.is_talk else "dance", f"{seen}; {speech.in_words}")
    speech = speech_of(video)
    if speech.is_talk:
        return Subject("speech", f"{person}; {speech.in_words}")
    if look is None:
        return Subject("picture", person)
    moving = look()
    own, camera = float(np.percentile(moving.own.whole, 80)), float(np.percentile(moving.camera, 80))
    often = 60.0 * cuts / max(video.duration, 1.0)
    seen = f"{person}; motion {own:.2f} and camera {camera:.2f} picture heights/s, {often:.0f} cuts a minute"
    calm = own <= CALM_OWN and camera <= CALM_CAMERA and often <= CALM_CUTS
    return Subject("landscape" if calm else "picture", seen)


def check_subject(name: str) -> str:
    """Return the name of a subject.

    Args:
        name: one of :data:`d2m.types.SUBJECTS`.

    Raises:
        D2MError: if it does not exist.
    """
    if name not in SUBJECTS:
        raise D2MError(f"no subject '{name}'; choose auto, {', '.join(SUBJECTS)}")
    return name


def legs_visible(motion: Motion) -> float:
    """Return the share of the frames of a person in which both a knee and an ankle are in the picture, 0..1.

    Args:
        motion: landmarks.
    """
    seen = motion.confidence.max(axis=1) > 0
    if motion.skeleton != "mediapipe33" or not seen.any():
        return 1.0
    inside = (motion.confidence > VISIBLE) & (motion.joints[..., 1] < 1.0)
    legs = np.asarray(inside[:, [25, 26]].any(axis=1) & inside[:, [27, 28]].any(axis=1))
    return float(legs[seen].mean())


def upper_speed(motion: Motion) -> float:
    """Return the median speed of head, shoulders and hands in shoulder widths a second; hands out of sight count not.

    Args:
        motion: landmarks.
    """
    from scipy.ndimage import gaussian_filter1d

    if motion.skeleton != "mediapipe33" or len(motion.joints) < 3:
        return float("inf")
    rows = []
    width = float(np.median(np.linalg.norm(motion.joints[:, 11, :2] - motion.joints[:, 12, :2], axis=1)))
    tall = float(np.median(np.linalg.norm(motion.joints[:, 11:13, :2].mean(1) - motion.joints[:, 0, :2], axis=1)))
    # From the side, shoulders are narrow: the height of the head above them is about two thirds of their width.
    width = max(width, 1.5 * tall, 1e-3)
    for shot in motion.shots():
        joints = motion.joints[shot][:, list(_UPPER), :2].astype(np.float64)
        sure = motion.confidence[shot][:, list(_UPPER)]
        if len(joints) < 3:
            continue
        steps = np.gradient(gaussian_filter1d(joints, 0.08 * motion.fps, axis=0, mode="nearest"), axis=0)
        speed = np.linalg.norm(steps, axis=-1) * motion.fps / width
        weights = (sure > VISIBLE).astype(np.float64)
        counted = weights.sum(axis=1)
        rows.append((speed * weights).sum(axis=1)[counted > 0] / counted[counted > 0])
    speeds = np.concatenate(rows) if rows else np.zeros(0)
    return float(np.median(speeds)) if len(speeds) else 0.0


@dataclass(frozen=True)
class Speech:
    """Speech in the sound of a clip.

    Attributes:
        share: of the clip, 0..1.
        contrast: level of the sound during speech over that between, in dB; infinite where nothing is between.
    """

    share: float
    contrast: float = float("inf")

    @property
    def is_talk(self) -> bool:
        """Whether the clip is of somebody speaking, and not singing with a band."""
        return self.share >= SPOKEN and self.contrast >= CONTRAST

    @property
    def in_words(self) -> str:
        """What was measured, for the user."""
        music = "" if self.share < SPOKEN or self.is_talk else ", as loud between, as in a song"
        return f"speech in {self.share:.0%} of the clip{music}"


def speech_of(video: Video) -> Speech:
    """Find the speech in a video; none where it has no sound that can be read.

    Args:
        video: the video.
    """
    from d2m.audio.voice import VOICE_RATE, find_voice
    from d2m.media import read_audio

    if not video.has_audio:
        return Speech(0.0)
    try:
        sound = read_audio(video.path, VOICE_RATE)
    except D2MError:
        return Speech(0.0)
    inside = np.zeros(sound.shape[1], dtype=bool)
    for segment in find_voice(sound, VOICE_RATE):
        inside[round(segment.start * VOICE_RATE) : round(segment.end * VOICE_RATE)] = True
    share = min(float(inside.sum()) / VOICE_RATE / max(video.duration, 1e-6), 1.0)
    if inside.sum() < 0.3 * VOICE_RATE or (~inside).sum() < 0.3 * VOICE_RATE:
        return Speech(share)
    power = np.square(sound[0], dtype=np.float64)
    levels = [10.0 * np.log10(float(power[part].mean()) + 1e-12) for part in (inside, ~inside)]
    return Speech(share, levels[0] - levels[1])


def rhythm_without_dance(subject: str, moving: Moving, cuts: tuple[float, ...], duration: float) -> Rhythm | None:
    """Return beats on the cuts of a film, or of a calm tempo.

    Args:
        subject: what the video shows.
        moving: motion of the picture, or of somebody in it.
        cuts: times of the cuts in seconds.
        duration: seconds.

    Returns:
        None where the beats are to be found in the motion.
    """
    from d2m.features.beat_source import rhythm_on

    if subject not in TEMPOS or (subject == "picture" and len(cuts) < ENOUGH_CUTS):
        return None
    # Pictures of a narrator are cut for the words, and music that follows them would disturb these.
    grid, share = cut_grid(() if subject == "speech" else cuts, duration, *TEMPOS[subject])
    return rhythm_on(replace(grid, confidence=round(share, 3)), moving, duration)


def calmed(rhythm: Rhythm, subject: str) -> Rhythm:
    """Return a rhythm with the energy of music that is to stay in the background.

    Args:
        rhythm: beats and energy.
        subject: what the video shows.
    """
    if subject not in ("speech", "landscape"):
        return rhythm
    low, high = (0.15, 0.3) if subject == "speech" else (0.1, 0.5)
    energy = (low + (high - low) * np.asarray(rhythm.energy)).astype(np.float32)
    return replace(rhythm, energy=energy, accents=np.zeros_like(rhythm.accents))
