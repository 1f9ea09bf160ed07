"""Pose models by name: what finds the people in the frames of a video.

MediaPipe's is the default (:class:`~d2m.features.finder.PeopleFinder`). Another package adds one with an entry point of
the group ``d2m.pose`` (:mod:`d2m.registry`) that leads to a subclass of :class:`PoseModel`, or more simply of
:class:`KeypointModel`, which takes the keypoints of one frame in the order of a known skeleton. Tracking through shots,
filling of gaps and the choice of the dancer are the same for all of them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from types import TracebackType
from typing import TypeVar

import numpy as np

from d2m.errors import D2MError
from d2m.features.people import SMALLEST, Person, distinct
from d2m.registry import Registry

Model = TypeVar("Model", bound="PoseModel")

#: The pose model that is used unless another is named.
DEFAULT = "mediapipe"


class PoseModel(ABC):
    """Detector of people, frame by frame; closed at the end of a ``with`` block.

    Args:
        rate: frames per second of the video.

    Attributes:
        name: name of the model.
        version: version of the model; changes whenever its landmarks would.
        metres: whether :attr:`~d2m.features.people.Person.world` is known.
        is_interpolated: whether people are interpolated between the frames in which they were looked for; a model may
            then leave out single frames.
        alternating: whether somebody was left out in the last frame and has to be interpolated.
        count: number of people followed at present.
        warm_up: frames after which detections no longer depend on where the model began; instances of the model are
            then given pieces of a video, on several cores. None gives one instance all frames in their order.
    """

    name: str
    version: str = "1"
    metres: bool = True
    is_interpolated: bool = False
    alternating: bool = False
    count: int = 0
    warm_up: int | None = None

    def __init__(self, rate: float) -> None:
        self.rate = rate

    @classmethod
    def identity(cls) -> str:
        """Return name and version, which are in the cache's keys and in feature files."""
        return f"{cls.name}:{cls.version}"

    @abstractmethod
    def find(self, rgb: np.ndarray, index: int, cut: bool = False) -> list[Person]:
        """Return the people of a frame.

        Args:
            rgb: uint8 (H, W, 3), at most 432 pixels high.
            index: number of the frame, from 0, rising.
            cut: whether the frame has nothing to do with the one before.
        """

    def close(self) -> None:  # noqa: B027 - most models have nothing to release
        """Release the model."""

    def __enter__(self: Model) -> Model:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


@dataclass(frozen=True)
class Keypoints:
    """One person as a keypoint model sees them.

    Attributes:
        joints: float (J, 2) or (J, 3), x to the right, y downwards and depth, in picture heights.
        confidence: float (J,), 0..1; 0 for joints that are not seen.
    """

    joints: np.ndarray
    confidence: np.ndarray


class KeypointModel(PoseModel):
    """A model that finds keypoints in single frames, in the order of a known skeleton.

    Attributes:
        skeleton: ``"mediapipe33"``, ``"body25"``, ``"coco17"`` or ``"smpl24"`` (:mod:`d2m.features.to_mediapipe`).
    """

    metres = False
    skeleton: str

    @abstractmethod
    def detect(self, rgb: np.ndarray) -> list[Keypoints]:
        """Return the people of a frame.

        Args:
            rgb: uint8 (H, W, 3).
        """

    def find(self, rgb: np.ndarray, index: int, cut: bool = False) -> list[Person]:
        """Return the people of a frame, without duplicates and people in the background.

        Args:
            rgb: uint8 (H, W, 3).
            index: number of the frame, from 0, rising.
            cut: whether the frame begins another shot; ignored, since frames are independent.
        """
        found = [self._person(rgb, index, keypoints) for keypoints in self.detect(rgb)]
        people = [person for person in distinct(found) if person.height >= SMALLEST]
        self.count = len(people)
        return people

    def _person(self, rgb: np.ndarray, index: int, keypoints: Keypoints) -> Person:
        from d2m.features.landmarker import clothes
        from d2m.features.to_mediapipe import ORDERS, to_mediapipe33
        from d2m.types import Motion

        joints, confidence = (np.array(part, np.float32) for part in (keypoints.joints, keypoints.confidence))
        count = max(ORDERS[self.skeleton]) + 1
        if joints.shape not in ((len(joints), 2), (len(joints), 3)) or not len(joints) == len(confidence) >= count:
            raise D2MError(
                f"the pose model {self.name} gave keypoints of shape {joints.shape} with confidence of shape "
                f"{confidence.shape}; '{self.skeleton}' has {count} keypoints"
            )
        if joints.shape[1] == 2:
            joints = np.concatenate([joints, np.zeros((len(joints), 1), np.float32)], axis=1)
        seen = np.isfinite(joints).all(axis=1) & (np.nan_to_num(confidence) > 0)
        # Their place is unknown; it must not move the person.
        joints[~seen] = joints[seen].mean(axis=0) if seen.any() else 0.0
        confidence = np.where(seen, np.clip(confidence, 0.0, 1.0), 0.0).astype(np.float32)
        motion = to_mediapipe33(Motion(joints[None], self.rate, self.skeleton, confidence[None]))
        places = motion.joints[0]
        colour = clothes(rgb, places[:, :2] * rgb.shape[0])
        known = seen[list(ORDERS[self.skeleton])]
        return Person(index, places, np.zeros((33, 3), np.float32), motion.confidence[0], colour, known)


#: Pose models by name.
POSE_MODELS: Registry[type[PoseModel]] = Registry("pose model", "d2m.pose", {DEFAULT: "d2m.features.finder:MediaPipe"})


def pose_model(name: str = DEFAULT) -> type[PoseModel]:
    """Return the class of a pose model, which is made with the frames per second of a video.

    Args:
        name: key of :data:`POSE_MODELS`.

    Raises:
        D2MError: if there is none of that name, or another package's is no pose model.
    """
    found = POSE_MODELS.get(name)
    if not (isinstance(found, type) and issubclass(found, PoseModel)):
        raise D2MError(f"the pose model '{name}' is not a subclass of d2m.features.pose_models.PoseModel")
    return found
