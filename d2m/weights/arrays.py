"""Weights as NumPy arrays, for the networks that are computed without PyTorch."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from d2m.errors import D2MError
from d2m.weights.files import describe_kind
from d2m.weights.store import find


@lru_cache(maxsize=4)
def load_arrays(name: str | Path, kind: str) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Load weights without PyTorch.

    Args:
        name: name of weights, or a file.
        kind: kind of the model.

    Returns:
        The parameters by name (floating point ones in float32), which must not be changed, and the configuration.

    Raises:
        D2MError: if the weights are missing, damaged or another model's.
    """
    from safetensors import SafetensorError, safe_open

    path, _ = find(name, kind)
    try:
        with safe_open(path, "numpy") as file:
            metadata = file.metadata() or {}
            found = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        config = json.loads(metadata.get("config", "{}"))
    except (OSError, SafetensorError, TypeError, ValueError, RecursionError) as error:
        raise D2MError(f"{path} cannot be read ({str(error).splitlines()[0]}); install d2m again") from error
    if metadata.get("kind") != kind or not isinstance(config, dict):
        raise D2MError(f"{path} is not {describe_kind(kind)}; give weights of that kind")
    return {key: value.astype(np.float32) if value.dtype.kind == "f" else value for key, value in found.items()}, config
