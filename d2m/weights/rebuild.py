"""Build a model from a weights file without trusting the sizes that its header claims."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from d2m.errors import D2MError

if TYPE_CHECKING:
    import torch
    from torch import nn

Model = TypeVar("Model", bound="nn.Module")

#: No width, window or rate of our models comes near it.
_LARGEST = 1 << 17


def rebuild(
    build: Callable[[Mapping[str, Any]], Model],
    config: Mapping[str, Any],
    tensors: Mapping[str, torch.Tensor],
    path: Path | str,
) -> Model:
    """The model of ``config`` with the parameters ``tensors``, for inference.

    The model is first laid out without memory; only when its shapes are those of the file is it built, so that a
    forged configuration cannot ask for more than the file is long.

    Args:
        build: makes the model from its configuration.
        config: from the file's header.
        tensors: from the file.
        path: of the file, for messages.

    Raises:
        D2MError: if the configuration and the parameters do not belong together.
    """
    import torch

    refused = D2MError(f"{path} does not fit this version's model; get matching weights")
    for name, value in config.items():
        most = len(tensors) if "blocks" in name else _LARGEST
        if not isinstance(value, int | float) or not 0 <= value <= most:
            raise refused
    try:
        with torch.device("meta"):
            shapes = {name: tensor.shape for name, tensor in build(config).state_dict().items()}
        if shapes != {name: tensor.shape for name, tensor in tensors.items()}:
            raise refused
        model = build(config)
        model.load_state_dict(dict(tensors))
    except (TypeError, ValueError, RuntimeError, ArithmeticError) as error:
        raise refused from error
    return model.eval().requires_grad_(False)
