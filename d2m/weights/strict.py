"""Compare the parameters of a file with those that a model needs, before the model takes any memory."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from d2m.errors import D2MError

if TYPE_CHECKING:
    from torch import Tensor


def refuse_others(state: Mapping[str, Tensor], wanted: Mapping[str, Tensor], path: Path | str, what: str) -> None:
    """Check that a file contains exactly the parameters of a model, with finite numbers.

    Args:
        state: the file's parameters by name.
        wanted: the model's, of which only names and shapes matter; they may lie on the device "meta".
        path: path of the file, for messages.
        what: the model's name, for messages: ``"a JukeBox VQ-VAE"`` without its article.
    """
    import torch

    missing, surplus = wanted.keys() - state.keys(), state.keys() - wanted.keys()
    if missing or surplus:
        name = sorted(missing or surplus)[0]
        raise D2MError(
            f"{path} is not a complete {what}: {'lacks' if missing else 'has an unexpected'} parameter '{name}'"
        )
    for name, tensor in wanted.items():
        found = state[name]
        if found.shape != tensor.shape:
            raise D2MError(
                f"{path}: '{name}' has shape {tuple(found.shape)}, not {tuple(tensor.shape)}; it is of another model"
            )
        if not (found.is_floating_point() and found.layout is torch.strided and found.device.type == "cpu"):
            raise D2MError(f"{path}: '{name}' is not an array of numbers; download the file again")
        # Summing is the cheapest look at every value: it is finite only if all of them are.
        if not math.isfinite(float(found.double().sum())):
            raise D2MError(f"{path}: '{name}' holds values that are not finite; download the file again")
