"""Read PyTorch files from elsewhere (``.pt``, ``.pth``, ``.pth.tar``) as data, never as code."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np

from d2m.errors import D2MError

from .torch_file import Hostile, check_torch_file


def load_checkpoint(path: Path | str) -> dict[str, Any]:
    """Read a PyTorch checkpoint with its restricted unpickler, which builds tensors and plain values only.

    Args:
        path: a file written by ``torch.save``, in the zip or the older format.

    Returns:
        Whatever dictionary was saved: a state dict, or one that holds a state dict among other things.

    Raises:
        D2MError: if the file is missing, damaged, not a PyTorch file, wants code to be run, or more memory than it is
            long.
    """
    import pickle

    import torch

    path = Path(path)
    try:
        check_torch_file(path)
        with warnings.catch_warnings(), torch.serialization.safe_globals(_plain_numbers()):
            # It warns about pickle protocols that it refuses or reads anyway.
            warnings.simplefilter("ignore")
            content = torch.load(path, map_location="cpu", weights_only=True)
    except Hostile as error:
        raise D2MError(f"{path} {error}") from error
    except OSError as error:
        raise D2MError(f"cannot read the weights file {path}: {error.strerror or error}") from error
    except pickle.UnpicklingError as error:
        if "weights_only" in str(error) or "Unsupported" in str(error):
            raise D2MError(
                f"{path} contains code that would run when loaded, so it was refused; use a file with weights only"
            ) from error
        raise D2MError(f"{path} is damaged or not a PyTorch file; download the file again") from error
    except Exception as error:
        # What the unpickler raises on a file cut short depends on where the cut falls.
        raise D2MError(f"{path} is damaged or not a PyTorch file; download the file again") from error
    if not isinstance(content, dict):
        raise D2MError(f"{path} holds {type(content).__name__}, not a table of named parameters")
    return content


def is_pytorch(path: Path | str) -> bool:
    """Tell whether a file is a zip archive or a pickle, whatever its name; other files are left to the safetensors
    reader.

    Args:
        path: the file.

    Raises:
        D2MError: if it cannot be read.
    """
    try:
        with Path(path).open("rb") as file:
            start = file.read(9)
    except Hostile as error:
        raise D2MError(f"{path} {error}") from error
    except OSError as error:
        raise D2MError(f"cannot read the weights file {path}: {error.strerror}") from error
    return start[:4] == b"PK\x03\x04" or (start[:1] == b"\x80" and start[8:9] != b"{")


def state_of(content: dict[str, Any], path: Path | str) -> dict[str, Any]:
    """Return the state dict inside a checkpoint: itself, or its entry ``model``, ``state_dict`` or ``model_state``
    (pytorchvideo's); a ``module.`` in front of the names, left by data-parallel training, is taken off.

    Args:
        content: an unpickled checkpoint.
        path: its file, for messages.

    Raises:
        D2MError: if there is none.
    """
    import torch

    for key in ("model", "state_dict", "model_state"):
        if isinstance(content.get(key), dict):
            content = content[key]
            break
    state = {str(k).removeprefix("module."): v for k, v in content.items() if isinstance(v, torch.Tensor)}
    if not state:
        raise D2MError(f"{path} holds no parameters")
    return state


def _plain_numbers() -> list:
    """What the unpickler may build besides tensors: NumPy's numbers, which settings and optimisers often
    hold.
    """
    numbers = [np.dtype(kind) for kind in ("f8", "f4", "f2", "i8", "i4", "i2", "i1", "u8", "u4", "u2", "u1", "?")]
    kinds = [type(number) for number in numbers]
    names = ("numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar")
    return [(_number, name) for name in names] + [(np.dtype, "numpy.dtype"), *kinds]


def _number(kind: np.dtype, raw: bytes) -> np.generic:
    """Stands in for NumPy's own function, which would also build objects."""
    if not isinstance(kind, np.dtype) or kind.kind not in "fiub" or not isinstance(raw, (bytes, str)):
        raise ValueError("not a plain number")
    return np.frombuffer(raw.encode("latin1") if isinstance(raw, str) else raw, kind, count=1)[0]
