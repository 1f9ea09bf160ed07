"""Output of a run: ``log.jsonl``, ``log.txt``, TensorBoard event files, sounds and plots.

::

    RUN/log.jsonl                  one JSON object per logged step; held-out metrics marked "held_out"
    RUN/log.txt                    the same as text
    RUN/events/                    tensorboard --logdir RUN
    RUN/losses.png                 curves of all metrics
    RUN/samples/000500/NAME.wav    output of the model at step 500; NAME.png compares spectrograms with the real music
    RUN/samples/NAME_real.wav      the real music
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from d2m.whole_file import whole_file, write_whole, writing


@dataclass(frozen=True)
class Sample:
    """A sound of a model in training.

    Attributes:
        name: for files.
        waveform: float32 (T,).
        real: float32 (T,), the music that it should sound like.
        sample_rate: hertz.
    """

    name: str
    waveform: np.ndarray
    real: np.ndarray
    sample_rate: int


class Monitor:
    """Writes what one process has to tell.

    Args:
        folder: of the run.
        step: steps done; what a log says of later ones, by a run that was killed, is dropped.
        tensorboard: whether to write event files, too.
    """

    def __init__(self, folder: Path, step: int, tensorboard: bool = True) -> None:
        self.folder = folder
        self._forget_after(step)
        self._events = _event_writer(folder / "events", step) if tensorboard else None
        self._quiet = sys.stderr.isatty()
        if tensorboard and self._events is None:
            self.say("tensorboard is not installed, so there will be no event files; pip install tensorboard", True)

    def say(self, line: str, aloud: bool = False) -> None:
        """Write a line to ``log.txt``, and to stderr if there is no progress bar.

        Args:
            line: the text.
            aloud: write to stderr in any case.
        """
        path = self.folder / "log.txt"
        with writing(path), open(path, "a", encoding="utf-8") as file:
            file.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')}  {line}\n")
        if aloud or not self._quiet:
            print(line, file=sys.stderr, flush=True)

    def log(self, step: int, figures: dict[str, float], held_out: bool = False) -> None:
        """Write the metrics of a step; ``seconds_per_step`` may be one of them.

        Args:
            step: number of the step.
            figures: by name.
            held_out: whether they are of held-out data.
        """
        record = {"step": step, **({"held_out": True} if held_out else {}), **figures}
        rounded = {k: round(v, 5) if isinstance(v, float) else v for k, v in record.items()}
        path = self.folder / "log.jsonl"
        with writing(path), open(path, "a", encoding="utf-8") as file:
            file.write(json.dumps(rounded) + "\n")
        kind = "held out" if held_out else "training"
        self.say(f"step {step:>7}  {kind}  " + "  ".join(f"{name} {value:.4g}" for name, value in figures.items()))
        if self._events is not None:
            with writing(self.folder / "events"):
                for name, value in figures.items():
                    self._events.add_scalar(f"{kind.replace(' ', '_')}/{name}", value, step)

    def show(self, step: int, samples: Sequence[Sample]) -> None:
        """Write sounds, spectrograms and loss curves.

        Args:
            step: number of the step.
            samples: outputs of the model.
        """
        from d2m.training.monitor_plots import plot_comparison, plot_losses

        folder = self.folder / "samples" / f"{step:06d}"
        for sample in samples:
            with writing(folder):
                folder.mkdir(parents=True, exist_ok=True)
            _write_wav(folder / f"{sample.name}.wav", sample.waveform, sample.sample_rate)
            real = folder.parent / f"{sample.name}_real.wav"
            if not real.exists():
                _write_wav(real, sample.real, sample.sample_rate)
            picture = plot_comparison(sample, folder / f"{sample.name}.png", f"step {step}")
            if self._events is not None:
                sound = np.clip(sample.waveform, -1, 1)[None]
                with writing(self.folder / "events"):
                    self._events.add_audio(f"samples/{sample.name}", sound, step, sample.sample_rate)
                    self._events.add_image(f"samples/{sample.name}", picture, step, dataformats="HWC")
        plot_losses(self.folder / "log.jsonl", self.folder / "losses.png")

    def close(self) -> None:
        """Finish the event files."""
        if self._events is not None:
            with writing(self.folder / "events"):
                self._events.close()

    def _forget_after(self, step: int) -> None:
        path = self.folder / "log.jsonl"
        if not path.exists():
            return
        kept = [line for line in path.read_text(encoding="utf-8").splitlines() if _step_of(line) <= step]
        write_whole(path, "".join(f"{line}\n" for line in kept).encode())


def _step_of(line: str) -> float:
    try:
        return int(json.loads(line)["step"])
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        # Half a line, left by a run that was killed while it wrote.
        return float("inf")


def _event_writer(folder: Path, step: int):
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    with writing(folder):
        return SummaryWriter(str(folder), purge_step=step + 1, flush_secs=30)


def _write_wav(path: Path, waveform: np.ndarray, sample_rate: int) -> None:
    import wave

    with whole_file(path) as temporary, wave.open(str(temporary), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(sample_rate)
        file.writeframes((np.clip(waveform, -1, 1) * 32767).round().astype("<i2").tobytes())
