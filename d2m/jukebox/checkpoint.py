"""Read JukeBox VQ-VAE weights in their three file formats; the sizes are taken from the parameters."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from d2m.errors import D2MError
from d2m.weights import load_state, save_state
from d2m.weights.checkpoint import is_pytorch, load_checkpoint, state_of
from d2m.weights.files import wrong_model
from d2m.weights.recognise import recognise
from d2m.weights.strict import refuse_others

from .config import VQVAEConfig
from .vqvae import VQVAE

#: The kind written into our files.
KIND = "jukebox-vqvae"


def load(path: Path | str) -> VQVAE:
    """Load a VQ-VAE, in evaluation mode.

    Args:
        path: OpenAI's ``vqvae.pth.tar`` (a dictionary with the parameters under ``model``), D2M-GAN's
            ``vqvae_high.pt`` or ``vqvae_low.pt`` (the parameters alone), or our ``.safetensors``. OpenAI's
            weights carry a non-commercial licence.

    Raises:
        D2MError: if the file is missing or damaged, wants to run code, or is not a JukeBox VQ-VAE.
    """
    if is_pytorch(path):
        content = load_checkpoint(path)
        state = state_of(content, path)
        if recognise(state) != KIND:
            raise D2MError(wrong_model(path, None, state, KIND))
        config = infer_config(state, path, sample_rate=_sample_rate(content))
        state = {name: tensor for name, tensor in state.items() if not name.endswith((".k_sum", ".k_elem"))}
    else:
        state, values = load_state(path, KIND)
        config = VQVAEConfig.from_dict(values)
    return _filled(config, state, path)


def save(vqvae: VQVAE, path: Path | str, half: bool = True) -> None:
    """Write a VQ-VAE as safetensors with its configuration in the header.

    Args:
        vqvae: the model.
        path: the output file.
        half: store float16.
    """
    save_state(path, vqvae.state_dict(), KIND, vqvae.config.to_dict(), half=half)


def infer_config(state: Mapping[str, Tensor], path: Path | str, sample_rate: int = 22050) -> VQVAEConfig:
    """Infer the configuration of a model from the names and shapes of its parameters.

    Dilations leave no trace in them and are taken to be the published model's.

    Args:
        state: parameters by name.
        path: path of their file, for messages.
        sample_rate: hertz.

    Raises:
        D2MError: if parameters that tell the shape are missing.
    """
    levels = 1 + max((int(m[1]) for m in (re.match(r"encoders\.(\d{1,2})\.", name) for name in state) if m), default=-1)
    shape = "encoders.{}.level_blocks.{}.model.{}.0.weight"
    inner = "encoders.{}.level_blocks.0.model.0.1.model.{}.model.1.weight"
    try:
        downs = tuple(_count(state, shape.format(levels - 1, rate, "{}")) for rate in range(levels))
        strides = tuple(state[shape.format(levels - 1, rate, 0)].shape[2] // 2 for rate in range(levels))
        widths = tuple(state[shape.format(level, 0, 0)].shape[0] for level in range(levels))
        depths = tuple(_count(state, inner.format(level, "{}")) for level in range(levels))
        size, embedding_width = state["bottleneck.level_blocks.0.k"].shape
        factor = state[inner.format(0, 0)].shape[0] / widths[0]
        return VQVAEConfig(downs, strides, widths, depths, embedding_width, size, factor, sample_rate=sample_rate)
    except (KeyError, IndexError, ValueError, ZeroDivisionError) as error:
        raise D2MError(f"{path} is a JukeBox VQ-VAE that lacks parameters ({error}); download it again") from error


def _count(state: Mapping[str, Any], pattern: str) -> int:
    count = 0
    while pattern.format(count) in state:
        count += 1
    return count


def _filled(config: VQVAEConfig, state: Mapping[str, Tensor], path: Path | str) -> VQVAE:
    with torch.device("meta"):
        wanted = VQVAE(config).state_dict()
    refuse_others(state, wanted, path, "JukeBox VQ-VAE")
    vqvae = VQVAE(config)
    vqvae.load_state_dict(state, strict=True)
    return vqvae.eval().requires_grad_(False)


def _sample_rate(content: Mapping[str, Any]) -> int:
    settings = content.get("hps")
    rate = settings.get("sr") if isinstance(settings, Mapping) else None
    return rate if isinstance(rate, int) and 8000 <= rate <= 192000 else 22050
