"""Metrics of the fit to the dancer. The caller adds chance: the mean score of the same music shifted in time."""

from __future__ import annotations

from d2m.evaluation.alignment import AIST_FPS, aist_frames, beat_align, hit_rate

from .base import Metric, Score, Timing

_ABOUT = (
    "AIST++'s score with sigma 0.05 s, and motion beats with music within 70 ms; less the mean of the same music "
    "shifted round; undefined for music without beats"
)
_LI = "Li et al., AI Choreographer, ICCV 2021, section 5.2.3"


def _beat_align(given: Timing) -> Score:
    return beat_align(given.motion, given.music, given.sigma)


def _music_to_motion(given: Timing) -> Score:
    return beat_align(given.music, given.motion, given.sigma)


def _hit_rate(given: Timing) -> Score:
    return hit_rate(given.motion, given.music, given.window)


def _aist(given: Timing) -> Score:
    return beat_align(aist_frames(given.motion), aist_frames(given.music), 3 / AIST_FPS)


BEAT_ALIGN = Metric(
    "beat_align",
    "beat-align",
    "alignment",
    _beat_align,
    "higher",
    _ABOUT,
    _LI,
    headline="fit over chance",
    headline_interval=True,
    events=("beats", "onsets"),
    chance_column=True,
    fooled_by="a metronome on the beats that were danced to",
    fools=("metronome",),
)
MUSIC_TO_MOTION = Metric(
    "beat_align_music_to_motion",
    "beat-align, music to motion",
    "alignment",
    _music_to_motion,
    "higher",
    "the beat-align score from each event of the music to the nearest motion beat",
    "Siyao et al., Bailando, CVPR 2022, section 4.1",
    column=False,
    fooled_by="a metronome on the beats that were danced to; a single event on a motion beat",
    fools=("metronome",),
)
HIT_RATE = Metric(
    "hit_rate",
    "hit rate",
    "alignment",
    _hit_rate,
    "higher",
    _ABOUT,
    _LI,
    fooled_by="a metronome on the beats that were danced to",
    fools=("metronome",),
)
AIST = Metric(
    "aist",
    "AIST++ script",
    "alignment_aist",
    _aist,
    "higher",
    "the beat-align score with AIST++'s own motion beats, whole frames at 60 a second and a sigma of 3 frames",
    _LI,
    fooled_by="a metronome on the beats that were danced to; without its chance level, dense onsets",
    fools=("metronome",),
)
