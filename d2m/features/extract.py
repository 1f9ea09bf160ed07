"""Extract the features of one video: keypoints and visual features, from the cache if they are there.

    from d2m.features.extract import Settings, extract
    features = extract("dance.mp4", Settings())
    features.motion.joints               # (T, 33, 3), picture heights
    write_features("dance.npz", features, Settings())

What a written file holds (all plain arrays, ``numpy.load`` reads them):

=================  =====================================================================================
``body25``         float32 (T, 25, 3): x, y in pixels of the video as shown, confidence; OpenPose's order
``coco17``         float32 (T, 17, 3), likewise; COCO's order
``landmarks``      float32 (T, 33, 3): MediaPipe's, picture heights, as in :class:`d2m.types.Motion`
``confidence``     float32 (T, 33)
``others``         float32 (D, T, 33, 3): landmarks of up to four other dancers; ``others_confidence``
                   float32 (D, T, 33), 0 where one is not seen
``cuts``           int64 (K,): frames of ``landmarks`` at which another shot or another dancer begins;
                   ``others_cuts`` uint8 (D, T), 1 at those of the others
``fps``            frames a second, from 0 s on
``visual``         float32 (S, 2048), if asked for
``segments``       float64 (S, 2): start and end in seconds of each row of ``visual``
``width, height``  pixels of the video as shown; ``duration`` in seconds
``found``          part of the frames in which the dancer was seen; ``people`` the most in one frame
``pose_model``     name and start of the sha256, or version, of the model; ``visual_model`` likewise
``notes``          what went wrong and could be worked around
``key``            hash of the video's content, the settings and the models; ``d2m`` the version
=================  =====================================================================================
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from d2m.errors import D2MError
from d2m.features import skeletons
from d2m.features.pose_models import DEFAULT, pose_model
from d2m.features.store import StopRun, Store, content_of, key_of, read_arrays, write_arrays
from d2m.types import Motion, Visual
from d2m.version import __version__

if TYPE_CHECKING:
    import torch

KEYPOINTS: tuple[str, ...] = ("body25", "coco17", "both")
#: Raised when the same video and settings give other values than before.
FORMAT = 4
#: A video with fewer pictures than this part of the frames asked for is tracked at its own rate, and interpolated.
ENOUGH_PICTURES = 0.9
_WRITTEN = ("fps", "width", "height", "duration", "found", "people", "key")


@dataclass(frozen=True)
class Settings:
    """Settings of the extraction.

    Attributes:
        fps: keypoint frames per second, 1 to 240.
        keypoints: ``"body25"``, ``"coco17"`` or ``"both"``; the 33 landmarks are always included.
        visual: also extract visual features.
        seconds: length of a segment of visual features in seconds.
        weights: weights of the visual model; None for the downloaded ones.
        keep_empty: return zeros with confidence 0 for a video in which nobody is found, instead of an error.
        cache: folder of the cache; None for the platform's.
        force: extract again even if the cache has the features.
        pose: name of the pose model (:data:`d2m.features.pose_models.POSE_MODELS`).
    """

    fps: float = 30.0
    keypoints: str = "both"
    visual: bool = False
    seconds: float = 2.0
    weights: str | Path | None = None
    keep_empty: bool = False
    cache: str | Path | None = None
    force: bool = False
    pose: str = DEFAULT

    def check(self) -> None:
        """Check the settings.

        Raises:
            D2MError: if a number is out of range, or weights are given that are not used.
        """
        from d2m.features.i3d import LONGEST, find_weights

        pose_model(self.pose)
        if self.keypoints not in KEYPOINTS:
            raise D2MError(f"unknown keypoints '{self.keypoints}'; choose one of {', '.join(KEYPOINTS)}")
        if not 1 <= self.fps <= 240:
            raise D2MError(f"{self.fps:g} frames a second are not possible; choose 1 to 240")
        if not 0.1 <= self.seconds <= LONGEST:
            raise D2MError(f"segments of {self.seconds:g} s are not possible; choose 0.1 to {LONGEST:.0f}")
        if self.weights is not None and not self.visual:
            raise D2MError("weights are given, but no visual features asked for; add --visual i3d")
        if self.visual:
            find_weights(self.weights)


@dataclass(frozen=True)
class Features:
    """Features of a video.

    Attributes:
        motion: 33 landmarks of the dancer at ``fps``; None if nobody was found.
        frames: number of frames.
        fps: frame rate of ``motion``.
        width, height: size of the video as shown, in pixels.
        duration: length in seconds.
        found: share of the frames in which the dancer was seen.
        people: largest number of people in one frame.
        visual: visual features, or None if not extracted.
        segments: float64 (S, 2), starts and ends of their segments in seconds, or None.
        notes: problems that were worked around, one line each.
        key: hash of the video's content, the settings and the models.
        made: whether anything had to be computed.
        others: landmarks of the other dancers.
    """

    motion: Motion | None
    frames: int
    fps: float
    width: int
    height: int
    duration: float
    found: float
    people: int
    visual: Visual | None
    segments: np.ndarray | None
    notes: tuple[str, ...]
    key: str
    made: bool
    others: tuple[Motion, ...] = ()


@dataclass(frozen=True)
class Keys:
    """Keys of a video's features in the cache.

    Attributes:
        pose, visual: keys of the two parts; ``visual`` is None without visual features.
        all: key of the file that is written.
    """

    pose: str
    visual: str | None
    all: str


def keys_of(path: str | Path, settings: Settings) -> Keys:
    """Compute the cache keys of a video; the file is read once.

    Args:
        path: the video.
        settings: settings of the extraction.

    Raises:
        D2MError: if the video or the weights cannot be read.
    """
    if not Path(path).is_file():
        from d2m.media import open_video

        open_video(path)  # says what is wrong with it
    content = content_of(path)
    model = pose_model(settings.pose).identity()
    pose = key_of(part="pose", format=FORMAT, content=content, fps=float(settings.fps), model=model)
    visual = None
    if settings.visual:
        model = visual_model(settings.weights)
        visual = key_of(part="visual", format=FORMAT, content=content, seconds=float(settings.seconds), model=model)
    both = key_of(pose=pose, visual=visual, keypoints=settings.keypoints, keep_empty=settings.keep_empty)
    return Keys(pose, visual, both)


def visual_model(weights: str | Path | None) -> str:
    """Return the name of the visual model with the start of the SHA-256 checksum of its weights.

    Args:
        weights: weights of the visual model; None for the downloaded ones.

    Raises:
        D2MError: if there are no weights.
    """
    from d2m.features.i3d import NAME, find_weights

    return f"{NAME}:{_content(find_weights(weights))[:12]}"


def extract(
    path: str | Path,
    settings: Settings | None = None,
    keys: Keys | None = None,
    progress: Callable[[float], None] | None = None,
) -> Features:
    """Extract the features of a video, or read them from the cache.

    Args:
        path: the video.
        settings: settings of the extraction; the defaults if None.
        keys: cache keys of this video, if they are already known.
        progress: called with the share done, 0 to 1.

    Raises:
        D2MError: if the video cannot be used, or nobody is found in it (unless ``keep_empty``).
        StopRun: if the weights cannot be used or the cache cannot be written.
    """
    settings = settings or Settings()
    keys = keys or keys_of(path, settings)
    store, tell = Store(settings.cache), progress or (lambda share: None)
    share = 0.5 if keys.visual else 1.0
    if keys.visual and (settings.force or not store.has(keys.visual)):
        _visual_network(settings.weights)  # weights that do not fit are better known before the long work
    pose, posed = store.get_or_make(
        keys.pose, lambda: _track(path, settings, lambda done: tell(share * done)), settings.force
    )
    if not len(pose["joints"]) and not settings.keep_empty:
        seen = f"somebody was seen in {float(pose['found']):.0%} of the frames"
        raise D2MError(
            f"{path}: no dancer found ({seen}); leave the video out, or write zeros for it with --keep-empty"
        )
    visual, looked = None, False
    if keys.visual:
        visual, looked = store.get_or_make(
            keys.visual, lambda: _look(path, settings, lambda done: tell(share + share * done)), settings.force
        )
    return _features(pose, visual, keys.all, posed or looked)


def is_cached(keys: Keys, settings: Settings) -> bool:
    """Tell whether the cache has everything that :func:`extract` returns.

    Args:
        keys: cache keys of a video.
        settings: settings of the extraction; False if they force a new one.
    """
    store = Store(settings.cache)
    return not settings.force and store.has(keys.pose) and (keys.visual is None or store.has(keys.visual))


def write_features(path: str | Path, features: Features, settings: Settings) -> None:
    """Write features to an ``.npz`` file atomically, in the format described above.

    Args:
        path: the output file.
        features: features of a video.
        settings: settings with which they were extracted.

    Raises:
        StopRun: if it cannot be written.
    """
    motion = features.motion or _nobody(features)
    arrays: dict[str, Any] = {"landmarks": motion.joints, "confidence": motion.confidence}
    arrays |= _cuts_and_others(motion, features.others)
    if settings.keypoints in ("body25", "both"):
        arrays["body25"] = skeletons.in_pixels(skeletons.to_body25(motion), features.height)
    if settings.keypoints in ("coco17", "both"):
        arrays["coco17"] = skeletons.in_pixels(skeletons.to_coco17(motion), features.height)
    if features.visual is not None:
        arrays |= {"visual": features.visual.features, "segments": features.segments}
        arrays["visual_model"] = visual_model(settings.weights)
    arrays |= {name: getattr(features, name) for name in _WRITTEN}
    arrays |= {"notes": np.array(features.notes, dtype=np.str_), "d2m": __version__}
    arrays["pose_model"] = pose_model(settings.pose).identity()
    write_arrays(Path(path), {name: np.asarray(value) for name, value in arrays.items()})


def read_features(path: str | Path) -> Features:
    """Read a file of :func:`write_features`.

    Args:
        path: the file.

    Raises:
        D2MError: if the file is missing, damaged or of another kind.
    """
    path = Path(path)
    if not path.is_file():
        raise D2MError(f"{path}: no such file")
    data = read_arrays(path)
    if data is None or not {"landmarks", "confidence", "fps", "height", "key"} <= data.keys():
        raise D2MError(f"{path} holds no features of d2m, or is damaged; extract them again")
    pose = data | {"joints": data["landmarks"], "frames": np.asarray(len(data["landmarks"]))}
    visual = {"features": data["visual"], "segments": data["segments"]} if "visual" in data else None
    return _features(pose, visual, str(data["key"]), False)


def key_in(path: Path) -> str | None:
    """Read only the key of a feature file.

    Args:
        path: file of :func:`write_features`.

    Returns:
        The key, or None if the file is missing or not a feature file.
    """
    import zipfile

    try:
        with np.load(path, allow_pickle=False) as data:
            return str(data["key"])
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None


def _track(path: str | Path, settings: Settings, tell: Callable[[float], None]) -> dict[str, np.ndarray]:
    """Compute the pose part of the cache."""
    from d2m.features.analysis import notes_on
    from d2m.features.pose import follow_dancers
    from d2m.media import open_video

    video, fps = open_video(path), settings.fps
    # A picture shown twice would look like a dancer who stops.
    rate = float(fps if video.rate >= ENOUGH_PICTURES * fps else max(video.rate, 5.0))
    tracking = follow_dancers(video, rate=rate, progress=tell, pose=settings.pose)
    frames = max(1, int(np.ceil(video.duration * fps - 1e-6)))
    motion = None if tracking.motion is None else _at_rate(tracking.motion, fps, frames)
    others = [_at_rate(other, fps, frames) for other in tracking.others]
    notes = list(video.warnings) + ([] if motion is None else notes_on(tracking))
    none = np.zeros((0, 33, 3), np.float32)
    values = {
        "joints": none if motion is None else motion.joints,
        "confidence": none[..., 0] if motion is None else motion.confidence,
        "frames": frames, "fps": float(fps), "width": video.width, "height": video.height,
        "duration": video.duration, "found": tracking.found, "people": tracking.people,
        "notes": np.array(notes, dtype=np.str_),
    }  # fmt: skip
    values |= {} if motion is None else _cuts_and_others(motion, others)
    return {name: np.asarray(value) for name, value in values.items()}


def _at_rate(motion: Motion, fps: float, frames: int) -> Motion:
    if (motion.fps, len(motion.joints)) == (fps, frames):
        return motion
    return skeletons.at_rate(motion, fps, frames)


def _cuts_and_others(motion: Motion, others: Sequence[Motion]) -> dict[str, np.ndarray]:
    """Return the arrays ``cuts``, ``others``, ``others_confidence`` and ``others_cuts`` of a file."""
    joints = np.zeros((len(others), *motion.joints.shape), np.float32)
    confidence, cut = np.zeros(joints.shape[:3], np.float32), np.zeros(joints.shape[:2], np.uint8)
    for row, other in enumerate(others):
        joints[row], confidence[row] = other.joints, other.confidence
        cut[row, list(other.cuts)] = 1
    cuts = np.array(motion.cuts, np.int64)
    return {"cuts": cuts, "others": joints, "others_confidence": confidence, "others_cuts": cut}


def _look(path: str | Path, settings: Settings, tell: Callable[[float], None]) -> dict[str, np.ndarray]:
    """Compute the visual part of the cache."""
    from d2m.features.i3d import i3d_features, segments
    from d2m.media import open_video

    video = open_video(path)
    visual = i3d_features(video, _visual_network(settings.weights), settings.seconds, tell)
    return {"features": visual.features, "segments": segments(video.duration, settings.seconds)}


def _features(pose: dict[str, np.ndarray], visual: dict[str, np.ndarray] | None, key: str, made: bool) -> Features:
    from d2m.features.i3d import NAME

    motion, others, fps = None, [], float(pose["fps"])
    if pose["confidence"].any():
        cuts = tuple(int(cut) for cut in pose.get("cuts", ()))
        motion = Motion(pose["joints"], fps, "mediapipe33", pose["confidence"], cuts)
        for joints, confidence, cut in zip(
            *(pose.get(name, ()) for name in ("others", "others_confidence", "others_cuts")), strict=True
        ):
            others.append(Motion(joints, fps, "mediapipe33", confidence, tuple(np.flatnonzero(cut).tolist())))
    return Features(
        motion=motion, others=tuple(others), frames=int(pose["frames"]), fps=fps,
        width=int(pose["width"]), height=int(pose["height"]), duration=float(pose["duration"]),
        found=float(pose["found"]), people=int(pose["people"]),
        visual=None if visual is None else Visual(visual["features"], NAME),
        segments=None if visual is None else visual["segments"],
        notes=tuple(str(note) for note in pose["notes"]), key=key, made=made,
    )  # fmt: skip


def _nobody(features: Features) -> Motion:
    joints = np.zeros((features.frames, 33, 3), np.float32)
    return Motion(joints, features.fps, "mediapipe33", np.zeros(joints.shape[:2], np.float32))


_content = functools.lru_cache(maxsize=8)(content_of)


@functools.lru_cache(maxsize=1)
def _visual_network(weights: str | Path | None) -> torch.nn.Module:
    from d2m.features.i3d import load_i3d

    try:
        return load_i3d(weights)
    except D2MError as error:
        raise StopRun(str(error)) from error
