"""Sources of pictures: a webcam, the screen, or a video file in place of a camera.

Webcams are read by OpenCV, which the features need anyway and which knows the cameras of Linux, macOS and Windows. The
screen is read by mss: it has one interface for the three systems, while the screen devices of FFmpeg (x11grab,
gdigrab, avfoundation) have three, and are missing in PyAV's wheels for Linux.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from d2m.errors import D2MError
from d2m.extras import require

#: Pictures per second that are asked for, and largest height of a picture in pixels.
RATE, HEIGHT = 30.0, 720
#: Seconds without a picture after which a camera counts as unplugged.
PATIENCE = 5.0


@dataclass(frozen=True)
class Picture:
    """A picture of the source.

    Attributes:
        time: seconds since the session began at which it was taken.
        rgb: uint8 (height, width, 3).
    """

    time: float
    rgb: np.ndarray


class Camera(ABC):
    """Source of pictures.

    Attributes:
        name: what users are told.
    """

    name: str

    @abstractmethod
    def pictures(self, now: Callable[[], float], wait: Callable[[float], None]) -> Iterator[Picture]:
        """Yield pictures when they are taken, until the source ends.

        Args:
            now: returns the seconds since the session began.
            wait: waits until a second of the session.

        Raises:
            D2MError: if the source cannot be read.
        """


class Webcam(Camera):
    """Webcam.

    Args:
        number: number of the camera, from 0.
    """

    def __init__(self, number: int = 0) -> None:
        self.number, self.name = number, f"camera {number}"

    def pictures(self, now: Callable[[], float], wait: Callable[[float], None]) -> Iterator[Picture]:
        """Yield pictures; see :meth:`Camera.pictures`.

        Args:
            now: returns the seconds since the session began.
            wait: not needed, as the camera sets the pace.
        """
        import cv2

        device = cv2.VideoCapture(self.number)
        try:
            if not device.isOpened():
                raise D2MError(
                    f"there is no {self.name}, or another program uses it; choose another --camera, or use --screen"
                )
            device.set(cv2.CAP_PROP_FPS, RATE)
            # The newest picture is wanted, not those that wait.
            device.set(cv2.CAP_PROP_BUFFERSIZE, 1)
            last = now()
            while True:
                taken, bgr = device.read()
                if taken:
                    last = now()
                    yield Picture(last, _fitting(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)))
                elif now() - last > PATIENCE:
                    raise D2MError(f"{self.name} gives no more pictures; plug it in again")
                else:
                    time.sleep(0.01)
        finally:
            device.release()


class Screen(Camera):
    """The screen.

    Args:
        number: number of the monitor, from 1; 0 for all of them together.
    """

    def __init__(self, number: int = 1) -> None:
        self.number, self.name = number, f"screen {number}"

    def pictures(self, now: Callable[[], float], wait: Callable[[float], None]) -> Iterator[Picture]:
        """Yield pictures; see :meth:`Camera.pictures`.

        Args:
            now: returns the seconds since the session began.
            wait: waits for the next picture.
        """
        require("mss", "live", "reading the screen")
        import mss
        from mss.exception import ScreenShotError

        try:
            with mss.MSS() as screen:
                if not 0 <= self.number < len(screen.monitors):
                    raise D2MError(
                        f"there is no {self.name}; choose --screen 1 to {len(screen.monitors) - 1}, or 0 for all"
                    )
                due = now()
                while True:
                    wait(due)
                    taken = now()
                    shot = screen.grab(screen.monitors[self.number])
                    bgra = np.frombuffer(shot.raw, np.uint8).reshape(shot.height, shot.width, 4)
                    yield Picture(taken, _fitting(bgra[..., 2::-1]))
                    due = max(due + 1.0 / RATE, now())
        except ScreenShotError as error:
            reason = " ".join(str(error).split()).rstrip(".")
            raise D2MError(f"the screen cannot be read ({reason}); use --camera") from None


class FileCamera(Camera):
    """Video file in place of a camera: every picture is taken at its own time.

    Args:
        path: the file.
        loops: times that it is played, 0 for ever.
    """

    def __init__(self, path: Path, loops: int = 1) -> None:
        from d2m.media import open_video

        self.video, self.loops, self.name = open_video(path), loops, str(path)

    def pictures(self, now: Callable[[], float], wait: Callable[[float], None]) -> Iterator[Picture]:
        """Yield pictures; see :meth:`Camera.pictures`.

        Args:
            now: returns the seconds since the session began.
            wait: waits for the time of a picture.
        """
        rate = min(RATE, max(self.video.rate, 5.0))
        begin, turn = now(), 0
        while not self.loops or turn < self.loops:
            for frame in self.video.frames(rate, HEIGHT):
                taken = begin + turn * self.video.duration + frame.time
                wait(taken)
                yield Picture(taken, frame.rgb)
            turn += 1


def _fitting(rgb: np.ndarray) -> np.ndarray:
    """Scale a picture down to :data:`HEIGHT`."""
    height, width = rgb.shape[:2]
    if height <= HEIGHT:
        return np.ascontiguousarray(rgb)
    import cv2

    wanted = (max(round(width * HEIGHT / height), 2), HEIGHT)
    return cv2.resize(np.ascontiguousarray(rgb), wanted, interpolation=cv2.INTER_AREA)
