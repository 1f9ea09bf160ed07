"""Landmarks of the main dancer, frame by frame."""

from __future__ import annotations

import numpy as np

from d2m.features.people import Person, apart
from d2m.features.pose import FRAME_HEIGHT
from d2m.features.pose_models import DEFAULT, pose_model
from d2m.live.camera import RATE

#: Distance (body heights) within which a person is the one of the frame before, and seconds after which the dancer is
#: chosen anew.
SAME, LOST = 0.7, 1.0


class DancerFinder:
    """Pose model that follows one dancer: the tallest person, for as long as that one is visible.

    Args:
        pose: name of the pose model.

    Raises:
        D2MError: if there is no pose model of that name.
    """

    def __init__(self, pose: str = DEFAULT) -> None:
        self._model = pose_model(pose)(RATE)
        self.metres = self._model.metres
        self._index = 0
        self._last: Person | None = None
        self._seen = -np.inf

    def find(self, rgb: np.ndarray, time: float) -> Person | None:
        """Find the dancer in the next frame.

        Args:
            rgb: uint8 (H, W, 3).
            time: seconds.

        Returns:
            The dancer, or None if nobody is visible.
        """
        people = self._model.find(small(rgb), self._index)
        self._index += 1
        if not people:
            return None
        chosen = max(people, key=lambda person: person.height)
        if self._last is not None and time - self._seen <= LOST:
            last = self._last
            nearest = min(people, key=lambda person: apart(person, last))
            if apart(nearest, last) > SAME:
                return None
            chosen = nearest
        self._last, self._seen = chosen, time
        return chosen

    def close(self) -> None:
        """Release the pose model."""
        self._model.close()


def small(rgb: np.ndarray) -> np.ndarray:
    """Scale a picture down to the height that the pose models are given.

    Args:
        rgb: uint8 (height, width, 3).
    """
    import cv2

    height, width = rgb.shape[:2]
    if height <= FRAME_HEIGHT:
        return rgb
    wanted = (max(round(width * FRAME_HEIGHT / height), 2), FRAME_HEIGHT)
    return cv2.resize(rgb, wanted, interpolation=cv2.INTER_AREA)
