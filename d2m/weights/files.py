"""Weights on disk: safetensors with the model's kind and configuration in the header.

The format has a JSON header of named shapes and offsets before the raw values, so that reading it neither executes code
nor takes more memory than the length of the file. (Format: github.com/huggingface/safetensors.)
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from d2m.errors import D2MError
from d2m.files.atomic import atomic_write_bytes

from .recognise import recognise
from .rows import SCALE, pack, unpack

if TYPE_CHECKING:
    from collections.abc import Mapping

    import torch

#: Our largest model has under a thousand parameters by name, 100 bytes of header each.
MAX_HEADER_BYTES = 4 << 20
#: What parameters are stored as, in the format's own words.
_STORED = frozenset(("F64", "F32", "F16", "BF16", "I64", "I32", "I16", "I8", "U8", "BOOL"))

#: What each kind is called in messages.
KINDS: dict[str, str] = {
    "codec": "a codec",
    "spectral-codec": "a spectral VQ codec",
    "stereo-codec": "a stereo spectral VQ codec",
    "jukebox-vqvae": "a JukeBox VQ-VAE",
    "generator": "a music generator",
    "musegan": "a MuseGAN",
    "d2m-gan-motion-encoder": "a D2M-GAN motion encoder",
    "d2m-gan-generator": "a D2M-GAN generator",
    "discriminator": "a discriminator",
    "genre": "a genre network",
    "beats": "a beat network",
    "i3d": "an I3D network for video",
    "smpl": "a SMPL body model",
    "musicvae": "a MusicVAE",
    "emotion": "an actor and critic of emotions",
    "bridge": "a bridge network",
    "image-network": "a ResNet for pictures",
}


def describe_kind(kind: str) -> str:
    """Describe a kind of weights with its article: ``"a JukeBox VQ-VAE"``.

    Args:
        kind: name of the kind.
    """
    return KINDS.get(kind, f"a '{kind}' model")


def load_state(path: Path | str, expect: str | None) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Read a weights file written by :func:`save_state`.

    Args:
        path: a ``.safetensors`` file.
        expect: the kind that the caller can use; None takes any.

    Returns:
        The parameters by name (floating point ones in float32) and the model's configuration.

    Raises:
        D2MError: if the file is missing, damaged, of another format, or another model's.
    """
    import torch

    tensors, metadata = read_safetensors(path)
    kind = metadata.get("kind")
    if expect is not None and kind != expect:
        raise D2MError(wrong_model(path, kind, tensors, expect))
    try:
        config = json.loads(metadata.get("config", "{}"))
    except (ValueError, RecursionError) as error:
        raise D2MError(f"{path}: the configuration in its header is not valid JSON; download the file again") from error
    if not isinstance(config, dict):
        raise D2MError(f"{path}: the configuration in its header is not a table; download the file again")
    tensors = unpack(tensors, path)
    return {k: v.to(torch.float32) if v.is_floating_point() else v for k, v in tensors.items()}, config


def read_safetensors(path: Path | str) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    """Read the tensors of any safetensors file and its text metadata.

    Args:
        path: the file.

    Raises:
        D2MError: if it cannot be read or is damaged.
    """
    from safetensors import SafetensorError, safe_open

    _check_header(Path(path))
    try:
        with safe_open(str(path), framework="pt", device="cpu") as file:
            names = file.keys()
            if any(file.get_slice(name).get_dtype() not in _STORED for name in names):
                raise ValueError("numbers of a kind that no model here has")
            tensors = {name: file.get_tensor(name).clone() for name in names}
            return tensors, file.metadata() or {}
    except (SafetensorError, RuntimeError, ValueError, KeyError) as error:
        raise D2MError(f"{path} is damaged or incomplete ({_first_line(error)}); download the file again") from error


def _check_header(path: Path) -> None:
    """Refuses what is no safetensors file before a parser that trusts its header length sees it."""
    try:
        with path.open("rb") as file:
            start = file.read(9)
        size = path.stat().st_size
    except OSError as error:
        raise D2MError(f"cannot read the weights file {path}: {error.strerror}") from error
    if start[:4] == b"PK\x03\x04" or (start[:1] == b"\x80" and start[8:9] != b"{"):
        raise D2MError(f"{path} is a PyTorch file; a .safetensors file is needed here")
    header = int.from_bytes(start[:8], "little")
    if len(start) < 9 or start[8:9] != b"{":
        raise D2MError(f"{path} is not a weights file (safetensors)")
    if header > MAX_HEADER_BYTES:
        raise D2MError(
            f"{path} has a header of {header} bytes, more than any model here needs; download the file again"
        )
    if 8 + header > size:
        raise D2MError(f"{path} is incomplete: it ends inside its header; download the file again")


def save_state(
    path: Path | str,
    tensors: Mapping[str, torch.Tensor],
    kind: str,
    config: Mapping[str, Any],
    half: bool = True,
    rows: bool = False,
) -> None:
    """Write parameters with their model's kind and configuration, whole or not at all.

    Args:
        path: where to; ``.safetensors``.
        tensors: parameters by name.
        kind: one of :data:`KINDS`, or a new one.
        config: plain JSON values that rebuild the model.
        half: store floating point values in float16. A value beyond its range (65504) keeps its tensor in
            float32.
        rows: store matrices in 8 bits (:mod:`d2m.weights.rows`).

    Raises:
        D2MError: if the file cannot be written, or a value is not finite.
    """
    import torch
    from safetensors.torch import save

    stored = {}
    for name, tensor in (pack(tensors) if rows else tensors).items():
        tensor = tensor.detach().to("cpu").contiguous()
        if tensor.is_floating_point():
            if not torch.isfinite(tensor).all():
                raise D2MError(
                    f"will not save {path}: '{name}' holds values that are not finite; lower the learning rate"
                )
            fits = tensor.numel() == 0 or bool(tensor.abs().max() <= torch.finfo(torch.float16).max)
            # A scale multiplies a whole row: it must not lose its digits below the normal numbers.
            fits = fits and not (name.endswith(SCALE) and bool(tensor.min() < torch.finfo(torch.float16).tiny))
            tensor = tensor.to(torch.float16 if half and fits else torch.float32)
        stored[name] = tensor.clone()
    atomic_write_bytes(path, save(stored, {"kind": kind, "config": json.dumps(dict(config))}))


def wrong_model(path: Path | str, kind: str | None, names: Mapping[str, Any], expect: str) -> str:
    """Compose the message for a file with another model than needed.

    Args:
        path: the file.
        kind: kind of the model in it, or None if unknown.
        names: its parameters.
        expect: kind that is needed.
    """
    found = kind or recognise(names)
    if found is None:
        first = next(iter(names), None)
        what = "no parameters" if first is None else f"an unknown model (first parameter: '{str(first)[:60]}')"
    else:
        what = describe_kind(found)
    return f"{path} holds {what}, but {describe_kind(expect)} is needed here"


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:120]
