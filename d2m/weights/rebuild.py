"""Build a model from a weights file without trusting the sizes that its header claims."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
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
    """Return the model of ``config`` with the parameters ``tensors``, for inference.

    The model is first laid out without memory; only when its shapes are those of the file is it built, so that a
    forged configuration cannot ask for more than the file is long.

    Args:
        build: makes the model from its configuration.
        config: from the file's header.
        tensors: from the file.
        path: path of the file, for messages.

    Raises:
        D2MError: if the configuration and the parameters do not belong together.
    """
    import torch

    refused = D2MError(f"{path} does not fit this version's model; use the weights of this version")
    for name, value in config.items():
        most = len(tensors) if "blocks" in name else _LARGEST
        if not isinstance(value, int | float) or not 0 <= value <= most:
            raise refused
    try:
        with torch.device("meta"), uninitialised():
            shapes = {name: tensor.shape for name, tensor in build(config).state_dict().items()}
        if shapes != {name: tensor.shape for name, tensor in tensors.items()}:
            raise refused
        with uninitialised():
            model = build(config)
        model.load_state_dict(dict(tensors))
    except (TypeError, ValueError, RuntimeError, ArithmeticError) as error:
        raise refused from error
    return model.eval().requires_grad_(False)


def uninitialised() -> AbstractContextManager[object]:
    """Skip the initialisation of parameters in a ``with`` block that builds a model to be loaded from a file.

    Drawing values for a layout without memory (device "meta") makes PyTorch import its compiler, which takes seconds.
    """
    from torch.overrides import TorchFunctionMode

    class Uninitialised(TorchFunctionMode):
        def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            if getattr(function, "__module__", None) == "torch.nn.init":
                return args[0] if args else (kwargs or {})["tensor"]
            return function(*args, **(kwargs or {}))

    return Uninitialised()
