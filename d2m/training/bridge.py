"""Train bridge networks: real bars are masked between two bars that stay, and the network fills them in.

``published`` is trained as Smootify was: Adam at 1e-4 with betas 0.5 and 0.99, squared error summed over the four bars
and divided by the batch size, two masked bars. d2m's own network is trained on bridges of 1 to 8 bars in all keys, with
the cross-entropy of each key (``bce``), where sounding keys may have a higher weight than silent ones, since a bar is
98 % silence; or with Smootify's squared error (``mse``) for comparison.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from d2m.errors import D2MError
from d2m.symbolic.bridge.composer import Composer, build
from d2m.symbolic.bridge.config import MOST_BARS, BridgeConfig
from d2m.symbolic.bridge.measure import baselines, figures
from d2m.symbolic.bridge.published import PublishedNet
from d2m.training.loop import Task
from d2m.training.settings import describe

OBJECTIVES = ("bce", "mse")
#: Bars of which the thresholds are found and held-out figures taken: the seed's two.
_MEASURED_BARS = 2
_SHOWN = 6


class Windows(Protocol):
    """Runs of bars, as :class:`d2m.datasets.phrase_windows.PhraseWindows` has them."""

    shape: tuple[int, int, int]

    def batch(self, rng: np.random.Generator, count: int, bars: int, transpose: int = 0) -> np.ndarray:
        """Draw windows of bars, transposed at random.

        Args:
            rng: random generator.
            count: number of windows.
            bars: their length.
            transpose: maximum transposition in semitones.

        Returns:
            float32 (count, bars, steps, pitches, tracks) of 0 and 1.
        """


@dataclass(frozen=True)
class BridgeTraining:
    """Settings of a run.

    Attributes:
        data: folder of the phrases.
        batch: bridges a step.
        objective: one of :data:`OBJECTIVES`.
        learning_rate, betas: parameters of Adam; the rate falls to a tenth over ``decay`` steps by a half cosine.
        decay: steps; 0 keeps the rate.
        weight: weight of a key that sounds beside one that is silent, in ``bce``.
        two_bars: share of batches whose bridges have two bars; the others have 1 to 8.
        transpose: windows are moved by up to this many semitones either way.
        clip: greatest norm of the gradient, or 0 for any.
        measured: held-out bridges at each evaluation.
    """

    data: Path
    batch: int = 32
    objective: str = "bce"
    learning_rate: float = 1e-3
    betas: tuple[float, float] = (0.9, 0.99)
    decay: int = 40000
    weight: float = 1.0
    two_bars: float = 0.5
    transpose: int = 5
    clip: float = 1.0
    measured: int = 256


def published_training(data: Path, **changes: Any) -> BridgeTraining:
    """Return Smootify's settings.

    Args:
        data: folder of phrases.
    """
    settings = BridgeTraining(
        data, batch=16, objective="mse", learning_rate=1e-4, betas=(0.5, 0.99), decay=0, two_bars=1.0, transpose=0,
        clip=0.0,
    )  # fmt: skip
    return replace(settings, **changes)


class BridgeTask(Task):
    """The loop's view of a bridge network in training.

    Args:
        settings: settings of the run.
        config: configuration of the network.
        train, held_out: bars of both splits.
        pictures: folder for pictures of held-out bridges, or None for none.
        seed: random seed of what is measured.
    """

    def __init__(
        self,
        settings: BridgeTraining,
        config: BridgeConfig,
        train: Windows,
        held_out: Windows,
        pictures: Path | None = None,
        seed: int = 0,
    ) -> None:
        _check(settings, config, train)
        self.settings, self.config = settings, config
        self.train, self.pictures = train, pictures
        self.network = build(config)
        self.modules = {"bridge": self.network}
        self.optimizers = {
            "bridge": torch.optim.Adam(self.network.parameters(), settings.learning_rate, settings.betas)
        }
        bars, rng = _MEASURED_BARS + 2, np.random.default_rng([seed, 1])
        self.known = train.batch(rng, max(settings.measured // 2, 1), bars) > 0.5
        self.unknown = held_out.batch(rng, settings.measured, bars) > 0.5

    def describe(self) -> dict[str, Any]:
        """Return the settings of the run and the shape of the network."""
        return describe(self.settings) | {f"model.{name}": value for name, value in asdict(self.config).items()}

    def state(self) -> dict[str, object]:
        """Return the shape of the network, for its export."""
        return {"config": self.config.to_dict()}

    def step(self, step: int, rng: np.random.Generator) -> dict[str, float]:
        """Train on one batch.

        Args:
            step: number of the training step.
            rng: random generator of this step, the same on every device.

        Returns:
            Losses and metrics to log, by name.
        """
        settings = self.settings
        bars = 2 if rng.random() < settings.two_bars else int(rng.integers(1, MOST_BARS + 1))
        drawn = self.train.batch(rng, settings.batch, bars + 2, settings.transpose)
        windows = torch.from_numpy(self.own(drawn)).to(self.fabric.device)
        for group in self.optimizers["bridge"].param_groups:
            group["lr"] = settings.learning_rate * _pace(step, settings.decay)
        self.network.train()
        loss = self._loss(windows, bars)
        self.update("bridge", loss, settings.clip)
        return {"loss": loss.item()}

    def _loss(self, windows: Tensor, bars: int) -> Tensor:
        network, context, real = self.modules["bridge"], windows[:, [0, -1]], windows[:, 1:-1]
        if isinstance(self.network, PublishedNet):
            with self.autocast():
                made = self.network.phrase(context)
            return (made.float() - windows).square().sum() / len(windows)
        with self.autocast():
            logits = network(context, bars)
        logits = logits.float()
        if self.settings.objective == "mse":
            return (torch.sigmoid(logits) - real).square().sum() / (len(real) * bars)
        weight = 1 + (self.settings.weight - 1) * real
        loss = nn.functional.binary_cross_entropy_with_logits(logits, real, weight, reduction="sum")
        return loss / (len(real) * bars * 100)

    def evaluate(self, step: int) -> dict[str, float]:
        """Return figures of held-out bridges of two bars, with thresholds and densities found on training bridges.

        Args:
            step: number of training steps done.
        """
        composer = Composer(self.network)
        composer.calibrate(self.known[:, [0, -1]], self.known[:, 1:-1])
        context, real = self.unknown[:, [0, -1]], self.unknown[:, 1:-1]
        made = composer.compose(context, _MEASURED_BARS)
        if self.pictures is not None and self.fabric.is_global_zero:
            self._picture(made, self.pictures / f"{step:06d}.png", f"step {step}")
        return figures(made, real, context, self.config.lowest)

    def score(self, held_out: dict[str, float]) -> float:
        """Return 2 minus note F1 and onset F1.

        Args:
            held_out: metrics of :meth:`evaluate`.
        """
        return 2.0 - held_out["note F1"] - held_out["onset F1"]

    def simple_bridges(self) -> dict[str, dict[str, float]]:
        """Return the same metrics for bridges without a network."""
        context, real = self.unknown[:, [0, -1]], self.unknown[:, 1:-1]
        made = baselines(context, _MEASURED_BARS)
        return {name: figures(bars, real, context, self.config.lowest) for name, bars in made.items()}

    def _picture(self, made: np.ndarray, path: Path, title: str) -> None:
        from d2m.symbolic.pianoroll_image import draw
        from d2m.symbolic.pianoroll_tensor import Resolution, from_tensor

        path.parent.mkdir(parents=True, exist_ok=True)
        context = self.unknown[:_SHOWN, [0, -1]]
        rows = np.concatenate([context[:, :1], made[:_SHOWN], context[:, 1:]], axis=1)
        config = self.config
        draw(from_tensor(rows, Resolution("own", config.steps, config.pitches, config.lowest)), path, title)


def _pace(step: int, decay: int) -> float:
    """Share of the learning rate at a step: a short start, then falling to a tenth."""
    if not decay:
        return 1.0
    # Not NumPy's cosine: its numbers are no plain values, which is all that a checkpoint may hold.
    fall = 0.5 + 0.5 * math.cos(math.pi * min(step / decay, 1.0))
    return min((step + 1) / 100, 0.1 + 0.9 * fall)


def _check(settings: BridgeTraining, config: BridgeConfig, train: Windows) -> None:
    if settings.objective not in OBJECTIVES:
        raise D2MError(f"no objective '{settings.objective}'; choose {' or '.join(OBJECTIVES)}")
    if settings.batch < 2 or settings.measured < 1 or settings.weight < 1 or not 0 <= settings.two_bars <= 1:
        raise D2MError("a batch has 2 bridges or more, the weight is 1 or more, and the share of two bars 0 to 1")
    if config.model == "published" and (settings.objective != "mse" or settings.two_bars != 1):
        raise D2MError("the published network is trained by mse on bridges of two bars")
    if tuple(train.shape) != config.shape:
        raise D2MError(
            f"{settings.data} holds bars of {' x '.join(map(str, train.shape))}, the model needs "
            f"{' x '.join(map(str, config.shape))}; prepare the data at the compact resolution"
        )
