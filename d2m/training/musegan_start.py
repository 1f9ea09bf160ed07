"""Start of a MuseGAN's training from the checkpoint of another run, also one with another given track."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from d2m.errors import D2MError
from d2m.symbolic.musegan.config import MuseGanConfig
from d2m.training.export import read_checkpoint

#: Lists of modules of the generator with one entry for each generated track.
_BY_TRACK = ("bars", "rests", "private_time")


def start_from(path: Path, modules: dict[str, nn.Module], config: MuseGanConfig) -> None:
    """Load the networks of another run's checkpoint; parts that it lacks keep their initial values.

    If another track was given, the networks of the tracks that both generators make are taken, and that of the track
    which was given keeps its initial values. Critics do not depend on the given track.

    Args:
        path: the checkpoint.
        modules: generator, critics and average of the run.
        config: configuration of the model.

    Raises:
        D2MError: if the checkpoint is damaged, or not that of a like model.
    """
    checkpoint = read_checkpoint(path)
    shape = checkpoint.get("task", {}).get("config")
    before = MuseGanConfig.from_dict(shape) if isinstance(shape, dict) else config
    for name, module in modules.items():
        state = checkpoint["modules"].get("generator" if name == "average" else name, {})
        own = module.state_dict()
        if name != "critics":
            try:
                state = by_track(state, before, config, own)
            except (ValueError, IndexError, RuntimeError):  # names or shapes that no generator has
                state = {}
        if not state or any(key not in own or own[key].shape != value.shape for key, value in state.items()):
            raise D2MError(f"{path} is the checkpoint of another model; start from one with the same settings")
        module.load_state_dict(state, strict=False)


def by_track(
    state: dict[str, Tensor], before: MuseGanConfig, after: MuseGanConfig, own: dict[str, Tensor]
) -> dict[str, Tensor]:
    """Return the parameters of a generator for a generator with another given track.

    Args:
        state: parameters of the generator.
        before: its configuration.
        after: configuration of the other generator.
        own: parameters of the other generator.

    Returns:
        Those parameters of the other generator that both have. If both are given the same track, or their networks
        make all tracks together, they are those of ``state``.
    """
    if before.condition == after.condition or before.model == "composer":
        return state
    places = {before.made.index(track): after.made.index(track) for track in before.made if track in after.made}
    moved: dict[str, Tensor] = {}
    for key, value in state.items():
        first, _, rest = key.partition(".")
        if first in _BY_TRACK:
            number, _, rest = rest.partition(".")
            if int(number) in places:
                moved[f"{first}.{places[int(number)]}.{rest}"] = value
        elif key == "prior" and key in own:
            moved[key] = torch.stack(_columns(value, own[key], places), -1)
        else:
            moved[key] = value
    return moved


def _columns(value: Tensor, own: Tensor, places: dict[int, int]) -> list[Tensor]:
    """Return the columns of ``own``, with those of ``value`` at their new places."""
    columns = list(own.unbind(-1))
    for old, new in places.items():
        columns[new] = value[..., old]
    return columns
