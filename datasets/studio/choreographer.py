"""Choreograph a dance for a beat grid: phrases of moves in a genre, performed with the timing of a person.

No recorded dancer is imitated. The properties of human movement that show the beat, or hide it, are modelled: poses
arrive on beats with deviations of some tens of milliseconds (Repp and Su, "Sensorimotor synchronization", 2013: taps
precede the beat by 20-50 ms, spread 10-30 ms), the body bounces between them, strong beats get larger movements, and
some phrases are in half or double time, off the beat, or pause.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d

from d2m.errors import D2MError
from d2m.types import GENRES, BeatGrid, Score, SmplMotion

from . import skeleton as sk
from .arms import ARM_MOVES
from .body import NEUTRAL, solve
from .genres import STYLES, GenreStyle
from .manner import Choices, Figure, Manner, phrase_starts
from .routine import ARMS, Key, Routine, play
from .steps import STEPS, WHOLE
from .timing import Timing


@dataclass(frozen=True)
class DancerStyle:
    """Properties of a dancer that are the same in all dances.

    Attributes:
        scale: size relative to the neutral body of 1.70 m.
        bias: seconds by which poses arrive late (negative: early); about -0.04 puts the stillest moment, which
            comes after the overshoot, on the beat.
        jitter: standard deviation of a beat's arrival around that, seconds.
        limb_jitter: the same of each limb around the body's, seconds.
        size: amplitude of movement, about 1.
        sharpness: about 1; more takes less time to arrive.
        bounce: depth of the bounce, about 1.
        offbeat: probability that a phrase lands between the beats.
        stance: metres from the middle to each foot.
        settle: overshoot on arrival, as a fraction of the way.
    """

    scale: float = 1.0
    bias: float = -0.04
    jitter: float = 0.015
    limb_jitter: float = 0.010
    size: float = 1.0
    sharpness: float = 1.0
    bounce: float = 1.0
    offbeat: float = 0.04
    stance: float = 0.14
    settle: float = 0.06

    @classmethod
    def random(cls, rng: np.random.Generator) -> DancerStyle:
        """Draw the style of a dancer.

        Args:
            rng: random generator.
        """
        return cls(
            scale=float(np.clip(rng.normal(0.99, 0.045), 0.88, 1.12)),
            bias=float(np.clip(rng.normal(-0.042, 0.016), -0.075, -0.005)),
            jitter=float(rng.uniform(0.008, 0.024)),
            limb_jitter=float(rng.uniform(0.006, 0.022)),
            size=float(rng.uniform(0.78, 1.15)),
            sharpness=float(rng.uniform(0.75, 1.25)),
            bounce=float(rng.uniform(0.6, 1.35)),
            offbeat=float(rng.uniform(0.0, 0.07)),
            stance=float(rng.uniform(0.12, 0.17)),
            settle=float(rng.uniform(0.02, 0.10)),
        )


@dataclass(frozen=True)
class Performance:
    """A danced routine.

    Attributes:
        smpl: SMPL parameters in AIST++ units.
        joints: float32 (T, 24, 3), metres, y upwards, the floor at 0, the front camera on the side of z > 0.
        still: seconds (start, end) in which the dancer holds a freeze.
    """

    smpl: SmplMotion
    joints: np.ndarray
    still: tuple[tuple[float, float], ...]


def choreograph(
    music: Score | BeatGrid,
    genre: str,
    duration: float,
    rng: np.random.Generator,
    *,
    dancer: DancerStyle,
    energy: np.ndarray | None = None,
    fps: float = 60.0,
    manner: Manner | None = None,
    performer: np.random.Generator | None = None,
) -> Performance:
    """Return a dance to the beats of ``music``.

    Args:
        music: a score, whose loudness over time then drives the size of movement, or just its beats.
        genre: AIST code such as ``"gHO"``.
        duration: seconds.
        rng: the choices of this performance.
        dancer: who dances.
        energy: float (N,) in 0..1, one value per beat of the grid; overrides the score's.
        fps: frames a second.
        manner: how freely the dancer moves around the beat; None: almost every beat is marked.
        performer: the timing of this dancer, where several dance one choreography; None: ``rng``.

    Raises:
        D2MError: for an unknown genre, or no time to dance in.
    """
    if genre not in STYLES:
        raise D2MError(f"no such dance genre '{genre}'; choose one of {', '.join(GENRES)}")
    if not duration * fps >= 2:
        raise D2MError(f"a dance of {duration} s at {fps} frames a second is too short; ask for 0.1 s or more")
    grid = music.grid if isinstance(music, Score) else music
    if energy is None:
        energy = loudness(music) if isinstance(music, Score) else np.full(len(grid.beats), 0.6)
    choices = Choices.draw(manner, genre, grid, duration, rng) if manner is not None else None
    routine = _write(STYLES[genre], grid, duration, rng, dancer, np.asarray(energy, dtype=np.float64), choices)
    rng = rng if performer is None else performer
    timing = Timing(grid, duration, rng, bias=dancer.bias, jitter=dancer.jitter)
    times = np.arange(int(round(duration * fps))) / fps
    landing = timing.moved(choices.offsets(timing.positions)) if choices else timing
    controls = _perform(routine, landing, times, rng, dancer, fps, choices.sway if choices else 1.0)
    bouncing = timing.moved(choices.lags(timing.positions)) if choices else timing
    _bounce(controls, STYLES[genre], bouncing, times, routine, rng, dancer, choices)
    poses, pelvis = solve(controls, fps)
    return _finish(poses, pelvis, dancer, fps, [tuple(grid.time_of(np.array(s))) for s in routine.still])


def loudness(score: Score) -> np.ndarray:
    """Compute the energy of each beat from the number and velocity of notes.

    Args:
        score: the score.

    Returns:
        float32, 0..1 per beat of the grid.
    """
    total = np.zeros(len(score.grid.beats))
    for part in score.instruments().parts:
        beat = np.floor(part.starts + 1e-6).astype(int)
        inside = (beat >= 0) & (beat < len(total))
        np.add.at(total, beat[inside], (part.velocities[inside] / 127.0) ** 2)
    total = gaussian_filter1d(total, 1.5, mode="nearest")
    top = np.quantile(total, 0.95) if total.any() else 1.0
    return np.clip(total / max(float(top), 1e-9), 0.0, 1.0)


def _write(
    style: GenreStyle,
    grid: BeatGrid,
    duration: float,
    rng: np.random.Generator,
    dancer: DancerStyle,
    energy: np.ndarray,
    choices: Choices | None,
) -> Routine:
    bar = int(grid.downbeats[0]) if len(grid.downbeats) else 0

    def size(at: float) -> float:
        level = energy[int(np.clip(round(at), 0, len(energy) - 1))]
        phase = (at - bar) % grid.beats_per_bar
        accent = 1.12 if phase < 0.25 else (1.0 if abs(phase - 2) < 0.25 else 0.93)
        if choices:
            accent = choices.accent(at)
        return float(dancer.size * accent * (0.62 + 0.55 * level))

    routine = Routine(rng, style.attack / dancer.sharpness, style.flow, size, dancer.stance)
    for at in phrase_starts(grid, duration):
        _eight_count(routine, style, at, dancer, choices.figure(at) if choices else None)
    return routine


def _choose(rng: np.random.Generator, weights: dict[str, float]) -> str:
    names = list(weights)
    p = np.array([weights[n] for n in names], dtype=np.float64)
    return names[int(rng.choice(len(names), p=p / p.sum()))]


def _eight_count(routine: Routine, style: GenreStyle, at: float, dancer: DancerStyle, figure: Figure | None) -> None:
    """Two bars: a motif, its mirror image, and an ending that may vary or freeze."""
    rng = routine.rng
    tempo = rng.random()
    step = 2.0 if tempo < style.slow else (0.5 if tempo > 1 - style.fast else 1.0)
    offbeat = 0.5 if rng.random() < dancer.offbeat else 0.0
    rest = style.rest
    if figure:
        step, offbeat, rest = figure.step, 0.0, 1.0 if figure.hold else 0.0
        # Movements of a slow phrase fill the time between its landings.
        routine.flow = max(style.flow, figure.flow)
        routine.attack = style.attack / dancer.sharpness * max(step, 1.0) ** 0.9
    side = 1 if rng.random() < 0.5 else -1
    shape = [(0, 4, 1), (4, 4, -1)] if rng.random() < 0.7 else [(0, 8, 1)]
    upright = {k: v for k, v in style.steps.items() if k != "freeze"}
    feet, arms = _choose(rng, upright), _choose(rng, style.arms)
    ending = rng.random()
    for start, beats, mirror in shape:
        if ending < rest and start + beats == 8:
            beats -= 2
        _segment(routine, style, at + start + offbeat, beats, side * mirror, step, feet, arms, figure)
        if rng.random() < 0.35:
            arms = _choose(rng, style.arms)
        if rng.random() < 0.2:
            feet = _choose(rng, upright)
    if ending < 0.6 * rest:
        STEPS["freeze"](routine, at + 6, 2.0, side, 1.0)
    _gaze(routine, at, side)


def _segment(
    routine: Routine,
    style: GenreStyle,
    at: float,
    beats: float,
    side: int,
    step: float,
    feet: str,
    arms: str,
    figure: Figure | None,
) -> None:
    # feet keep to the beat or slower: double time is for the arms, except where the step itself is quick
    pace = max(step, 1.0)
    if feet == "turn" and beats < 4 * pace:
        feet = "groove" if beats < 4 else feet
        pace = 1.0
    if feet != "facings":
        routine.face_front(at)
    if figure is None or figure.feet:
        STEPS[feet](routine, at, beats, side, pace)
    else:
        routine.home(at)
    if (figure is None or figure.arms) and feet not in WHOLE:
        ARM_MOVES[arms](routine, at, beats, side, step, style.poses)


def _gaze(routine: Routine, at: float, side: int) -> None:
    """The head looks about, mostly on strong beats."""
    for position in np.arange(at, at + 8, 2.0):
        if routine.rng.random() < 0.45:
            pitch, roll, yaw = routine.rng.normal(0.0, (0.12, 0.10, 0.30))
            routine.pose("head", position, (pitch, roll, yaw), 0.6)
    if routine.rng.random() < 0.5:
        routine.pose("chest", at + 7, (0.0,), 1.0)


def _perform(
    routine: Routine,
    timing: Timing,
    times: np.ndarray,
    rng: np.random.Generator,
    dancer: DancerStyle,
    fps: float,
    sway: float,
) -> dict[str, np.ndarray]:
    controls = {}
    for part in NEUTRAL:
        keys = [
            Key(k.at + rng.normal(0.0, dancer.limb_jitter) / 0.5, k.values, k.ease, k.flow, k.lift)
            for k in routine.keys[part]
        ]
        values = play(keys, timing.when, times, part in ARMS)
        # muscles round off corners; feet least, or they would slide before they lift
        values = gaussian_filter1d(values, (0.012 if part.endswith("foot") else 0.022) * fps, axis=0, mode="nearest")
        if not part.endswith("foot") and part != "base":
            values = values + _settle(values, dancer.settle, fps) + sway * _tremor(values.shape, rng, fps)
        controls[part] = values
    return controls


def _settle(values: np.ndarray, amount: float, fps: float) -> np.ndarray:
    """A limb's elastic after-swing: a damped oscillation (6 Hz) driven by its own deceleration."""
    t = np.arange(int(0.35 * fps)) / fps
    kernel = np.exp(-t / 0.07) * np.sin(2 * np.pi * 5.0 * t)
    kernel /= max(np.abs(kernel).sum(), 1e-9)
    velocity = np.gradient(values, axis=0) * fps * 0.10
    swung = np.apply_along_axis(lambda v: np.convolve(v, kernel)[: len(v)], 0, velocity)
    return amount * 8.0 * swung


def _tremor(shape: tuple[int, ...], rng: np.random.Generator, fps: float) -> np.ndarray:
    """Nobody stands like a statue: slow sway of about a degree."""
    noise = gaussian_filter1d(rng.normal(0.0, 1.0, shape), 0.35 * fps, axis=0)
    return 0.012 * noise / max(float(noise.std()), 1e-9) * (0.3 if shape[1] == 6 else 1.0)


def _bounce(
    controls: dict[str, np.ndarray],
    style: GenreStyle,
    timing: Timing,
    times: np.ndarray,
    routine: Routine,
    rng: np.random.Generator,
    dancer: DancerStyle,
    choices: Choices | None,
) -> None:
    """The groove under every move: knees, chest and head go down on the beat."""
    position = timing.where(times) - rng.uniform(-0.03, 0.05)
    moving = np.ones(len(times))
    for start, end in routine.still:
        moving[(position > start) & (position < end)] = 0.0
    level, pulse = choices.bounces(position) if choices else _bounces(position, rng)
    level = level * (pulse > 0) / np.maximum(pulse, 1.0)
    size = np.array([routine.size(p) for p in np.arange(np.floor(position[0]), np.ceil(position[-1]) + 2)])
    size = np.interp(position - np.floor(position[0]), np.arange(len(size)), size)
    width = 0.18 * len(times) / max(times[-1], 1e-3)
    depth = gaussian_filter1d(moving * level, width, mode="nearest") * size * dancer.bounce * style.bounce
    phase = position * np.maximum(pulse, 0.5)
    down = (0.5 + 0.5 * np.cos(2 * np.pi * (phase + 0.06 * np.sin(2 * np.pi * phase)))) ** 1.4
    lag = (0.5 + 0.5 * np.cos(2 * np.pi * (phase - rng.uniform(0.0, 0.12)))) ** 1.4
    controls["pelvis"][:, 1] -= depth * down
    controls["spine"][:, 0] += 2.2 * depth * lag
    controls["chest"][:, 0] += 1.5 * depth * lag
    controls["head"][:, 0] += rng.uniform(1.0, 4.0) * depth * lag
    for arm in ARMS:
        controls[arm][:, 6] += rng.uniform(0.0, 2.0) * depth * lag


def _bounces(position: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Depth and bounces per beat at each position: some phrases bounce at half or double time, some not at all."""
    section = ((position - position[0]) // 8).astype(int)
    level = rng.uniform(0.35, 1.25, section[-1] + 1)[section]
    pulse = rng.choice([1.0, 0.5, 2.0, 0.0], section[-1] + 1, p=[0.78, 0.10, 0.04, 0.08])[section]
    return level, pulse


def _finish(
    poses: np.ndarray, pelvis: np.ndarray, dancer: DancerStyle, fps: float, still: list[tuple[float, ...]]
) -> Performance:
    scale = 100.0 * dancer.scale
    translation = scale * (pelvis - sk.REST_PELVIS)
    joints = sk.joints_of(poses, translation, scale)
    smpl = SmplMotion(poses.astype(np.float32), translation.astype(np.float32), scale, float(fps))
    return Performance(smpl, joints.astype(np.float32), tuple((float(a), float(b)) for a, b in still))
