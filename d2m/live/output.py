"""Where the music goes: the sound card, or a clock that takes the sound as a card would.

Both take samples from a ring of blocks, which the rendering thread keeps full, and tell at which second of the session
each sample is heard. If the ring is empty, silence is played: a drop-out.
"""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np

from d2m.errors import D2MError
from d2m.extras import require
from d2m.live.player import BLOCK, RATE
from d2m.live.undisturbed import go_first

#: Seconds that are asked for between the call of a card and the sound; samples that the simulated card takes at a time.
CARD, PERIOD = 0.03, 256
#: Share of a new measurement in the time of the samples, and seconds from which on a difference is a jump.
_SMOOTH, _JUMP = 0.02, 0.02


class Output(ABC):
    """Ring of blocks between the rendering thread and what plays them.

    Args:
        now: returns the seconds since the session began.
        buffer: seconds of sound that are kept ready.

    Attributes:
        dropouts: number of drop-outs.
        missing: samples of silence that were played in them.
    """

    def __init__(self, now: Callable[[], float], buffer: float) -> None:
        self.dropouts, self.missing = 0, 0
        self._now, self._room = now, max(int(round(buffer * RATE)), BLOCK + PERIOD)
        self._blocks: deque[np.ndarray] = deque()
        self._ready = 0
        self._taken = 0
        self._origin: float | None = None
        self._starved = self._started = False
        self._changed = threading.Condition()

    @abstractmethod
    def start(self) -> None:
        """Begin to play.

        Raises:
            D2MError: if there is no sound card.
        """

    @abstractmethod
    def stop(self) -> None:
        """Stop playing."""

    def heard(self, sample: int) -> float:
        """Return the second of the session at which a sample is heard.

        Args:
            sample: number of the sample.
        """
        origin = self._origin
        if origin is None:
            origin = self._now() + self._room / RATE + CARD
        return origin + sample / RATE

    def sample_at(self, seconds: float) -> float:
        """Return the sample that is heard at a second of the session.

        Args:
            seconds: since the session began.
        """
        return (seconds - self.heard(0)) * RATE

    def wait(self, patience: float = 0.5) -> bool:
        """Wait until there is room for a block.

        Args:
            patience: seconds after which to give up.

        Returns:
            Whether there is room.
        """
        with self._changed:
            return self._changed.wait_for(lambda: self._ready + BLOCK <= self._room, patience)

    def put(self, block: np.ndarray) -> None:
        """Add a block.

        Args:
            block: float32 (2, n).
        """
        with self._changed:
            self._blocks.append(block)
            self._ready += block.shape[1]

    def take(self, count: int, heard: float) -> np.ndarray:
        """Take the next samples, or silence.

        Args:
            count: number of samples.
            heard: second of the session at which the first of them is heard.

        Returns:
            float32 (2, count).
        """
        out = np.zeros((2, count), np.float32)
        at = 0
        with self._changed:
            self._measure(heard)
            while at < count and self._blocks:
                block = self._blocks.popleft()
                part = block[:, : count - at]
                out[:, at : at + part.shape[1]] = part
                at += part.shape[1]
                if part.shape[1] < block.shape[1]:
                    self._blocks.appendleft(block[:, part.shape[1] :])
            self._ready -= at
            self._taken += at
            self._started |= at > 0
            self._changed.notify_all()
        if at < count and self._started:
            self.dropouts += not self._starved
            self.missing += count - at
        self._starved = at < count
        return out

    def _measure(self, heard: float) -> None:
        """Correct the time of the samples: the clocks of card and computer differ, and a drop-out moves all samples."""
        origin = heard - self._taken / RATE
        if self._origin is None or abs(origin - self._origin) > _JUMP:
            self._origin = origin
        else:
            self._origin += _SMOOTH * (origin - self._origin)


class SilentCard(Output):
    """Clock that takes the sound at the pace of a sound card and plays nothing."""

    def start(self) -> None:
        """Begin to take samples."""
        self._going = True
        self._thread = threading.Thread(target=self._run, name="silent-card", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop taking samples."""
        self._going = False
        self._thread.join()

    def _run(self) -> None:
        go_first()
        begin, count = self._now(), 0
        while self._going:
            due = begin + count / RATE
            wait = due - self._now()
            if wait > 0:
                time.sleep(wait)
            self.take(PERIOD, due + CARD)
            count += PERIOD


class SoundCard(Output):
    """Sound card, through PortAudio.

    Args:
        now: returns the seconds since the session began.
        buffer: seconds of sound that are kept ready.
        device: number or part of the name of the device; None for the default one.
    """

    def __init__(self, now: Callable[[], float], buffer: float, device: str | None = None) -> None:
        super().__init__(now, buffer)
        require("sounddevice", "live", "the sound card")
        self._device: int | str | None = int(device) if device is not None and device.isdecimal() else device
        self._stream: Any = None

    def start(self) -> None:
        """Open the device and begin to play.

        Raises:
            D2MError: if PortAudio is missing, or there is no such device.
        """
        try:
            import sounddevice
        except OSError:
            raise D2MError(
                "the sound card needs PortAudio; install it (Debian: apt-get install libportaudio2), or use --no-sound"
            ) from None
        try:
            self._stream = sounddevice.OutputStream(
                samplerate=RATE,
                device=self._device,
                channels=2,
                dtype="float32",
                latency=CARD,
                callback=self._play,
            )
            self._stream.start()
        except (sounddevice.PortAudioError, ValueError) as error:
            reason = " ".join(str(error).split()).rstrip(".")
            raise D2MError(
                f"no sound card can be used ({reason}); choose another --sound-device, or use --no-sound"
            ) from None

    def stop(self) -> None:
        """Play what is ready, and close the device."""
        if self._stream is not None:
            self._stream.stop()
            self._stream.close()

    def _play(self, out: np.ndarray, count: int, clock: Any, status: Any) -> None:
        ahead = clock.outputBufferDacTime - clock.currentTime
        # Some systems give no times.
        ahead = ahead if 0.0 < ahead < 2.0 else float(self._stream.latency)
        out[:] = self.take(count, self._now() + ahead).T
        if status.output_underflow and self._started:
            self.dropouts += 1


class InstantOutput(Output):
    """Output for a session without a clock: every block is heard when its turn comes."""

    def start(self) -> None:
        """Begin at second 0 of the session."""
        self._origin = 0.0

    def stop(self) -> None:
        """Do nothing."""

    def wait(self, patience: float = 0.5) -> bool:
        """Return at once.

        Args:
            patience: not needed.
        """
        return True

    def put(self, block: np.ndarray) -> None:
        """Take a block at once.

        Args:
            block: float32 (2, n).
        """
        self._taken += block.shape[1]
