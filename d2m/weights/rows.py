"""Matrices as 8-bit integers with a scale for each row: half the size of float16, for models that tolerate the
rounding.

The largest value of a row becomes 127, so that no value is off by more than 1/254 of it (symmetric quantisation by
channel: Jacob et al. 2018, "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only
Inference"). This is a storage format; networks compute with the floating-point values.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from d2m.errors import D2MError

if TYPE_CHECKING:
    import torch

#: What a row's scale is called, after the name of its matrix.
SCALE = ".row_scale"
#: Smaller matrices are not worth it.
_LEAST = 4096


def pack(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Replace floating point matrices (rows, columns) by int8 of that shape and float32 scales (rows,).

    Args:
        tensors: parameters by name.
    """
    import torch

    packed: dict[str, torch.Tensor] = {}
    for name, tensor in tensors.items():
        if tensor.ndim != 2 or not tensor.is_floating_point() or tensor.numel() < _LEAST:
            packed[name] = tensor
            continue
        matrix = tensor.detach().float()
        scale = matrix.abs().amax(dim=1) / 127.0
        packed[name] = (matrix / scale.clamp_min(1e-30)[:, None]).round().to(torch.int8)
        packed[name + SCALE] = scale
    return packed


def unpack(tensors: Mapping[str, torch.Tensor], path: Path | str) -> dict[str, torch.Tensor]:
    """Reverse :func:`pack`; tensors that were not packed are returned unchanged.

    Args:
        tensors: parameters by name.
        path: path of their file, for messages.

    Returns:
        float32 parameters by name.

    Raises:
        D2MError: if scales and matrices do not belong together.
    """
    import torch

    plain = {name: tensor for name, tensor in tensors.items() if not name.endswith(SCALE)}
    for name in tensors.keys() - plain.keys():
        matrix, scale = plain.get(name.removesuffix(SCALE)), tensors[name]
        if (
            matrix is None
            or (matrix.dtype, matrix.ndim) != (torch.int8, 2)
            or scale.shape != matrix.shape[:1]
            or not scale.is_floating_point()
        ):
            raise D2MError(f"{path} is damaged: '{name}' belongs to no matrix in it; download the file again")
        plain[name.removesuffix(SCALE)] = matrix.float() * scale.float()[:, None]
    return plain
