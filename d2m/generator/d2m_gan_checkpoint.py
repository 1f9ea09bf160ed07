"""Read and write D2M-GAN's weights; the model is recognised by its parameters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from d2m.errors import D2MError
from d2m.generator.d2m_gan import (
    D2MGAN,
    DATASETS,
    GENRE_CODE,
    LEVELS,
    MOTION_CODE,
    VISUAL_SIZE,
    D2MGANConfig,
    MotionEncoder,
    VQGenerator,
)
from d2m.weights import find, load_state, save_state
from d2m.weights.checkpoint import is_pytorch, load_checkpoint, state_of
from d2m.weights.files import wrong_model
from d2m.weights.recognise import recognise
from d2m.weights.strict import refuse_others

#: The kinds written into our files.
ENCODER, GENERATOR = "d2m-gan-motion-encoder", "d2m-gan-generator"
#: What each data set is called in messages.
_TITLES = {"aist": "AIST++ (SMPL motion, genres)", "tiktok": "TikTok (keypoints)"}


@dataclass(frozen=True)
class Part:
    """Content of one file.

    Attributes:
        path: the file.
        kind: :data:`ENCODER` or :data:`GENERATOR`.
        state: parameters by name.
        header: what our files say about the model; empty for the authors' files.
    """

    path: Path
    kind: str
    state: dict[str, Tensor]
    header: dict[str, Any]


def read_part(path: Path | str, expect: str | None = None) -> Part:
    """Read a motion encoder or a generator: the authors' ``.pt`` (a state dict, alone or under ``model`` or
    ``state_dict``, with or without ``module.`` before the names) or our ``.safetensors``.

    Args:
        path: the file.
        expect: the kind that is needed; None takes either.

    Raises:
        D2MError: if the file is missing, damaged, wants to run code, or holds another model.
    """
    if is_pytorch(path):
        return part_of(state_of(load_checkpoint(path), path), path, expect)
    state, header = load_state(path, expect)
    return part_of(state, path, expect, header)


def part_of(
    state: dict[str, Tensor], path: Path | str, expect: str | None = None, header: Mapping[str, Any] | None = None
) -> Part:
    """Recognise the part of a D2M-GAN in parameters that have been read already.

    Args:
        state: parameters by name.
        path: path of their file, for messages.
        expect: kind that is needed, or None for any.
        header: metadata of the file, or None.
    """
    kind = recognise(state)
    if kind not in (ENCODER, GENERATOR) or expect not in (None, kind):
        raise D2MError(wrong_model(path, kind, state, expect or GENERATOR))
    return Part(Path(path), kind, state, dict(header or {}))


def check_part(path: Path | str) -> None:
    """Check that a file contains a complete motion encoder or generator.

    Raises:
        D2MError: if it does not.

    Args:
        path: the file.
    """
    part = read_part(path)
    with torch.device("meta"):
        if part.kind == ENCODER:
            dataset, seconds = _encoder_shape(part)
            wanted = MotionEncoder(_known(part, dataset=dataset, seconds=seconds)).state_dict()
        else:
            wanted = VQGenerator(_generator_config(part, None)).state_dict()
    refuse_others(part.state, wanted, path, "D2M-GAN motion encoder" if part.kind == ENCODER else "D2M-GAN generator")


def load_d2m_gan(motion_encoder_path: Path | str | None, generator_path: Path | str) -> D2MGAN:
    """Return a D2M-GAN from two files, in evaluation mode; see :func:`assemble`.

    Args:
        motion_encoder_path: the authors' ``mencoder.pt`` or ours, or a name of the catalogue; None for a generator of
            vision alone.
        generator_path: the authors' ``netG.pt`` or ours, or a name of the catalogue.

    Raises:
        D2MError: if a file cannot be used, or the two do not belong together.
    """
    encoder = None if motion_encoder_path is None else read_part(find(motion_encoder_path, ENCODER)[0], ENCODER)
    return assemble(encoder, read_part(find(generator_path, GENERATOR)[0], GENERATOR))


def assemble(encoder: Part | None, generator: Part) -> D2MGAN:
    """Combine both parts into one model, loaded strictly.

    Data set, level, length and modality follow from the parameters' names and shapes. They do not tell a high-level
    motion encoder from a low-level one: these are alike, so of the authors' files the right pair is the user's to keep.
    Our files say in their header which they are, and are held to it.

    Args:
        encoder: motion encoder, or None for a model of vision only.
        generator: the generator.

    Raises:
        D2MError: if the parts do not belong together, or lack parameters.
    """
    seconds = None if encoder is None else _encoder_shape(encoder)[1]
    config = _generator_config(generator, seconds)
    if encoder is not None:
        _refuse_pair(encoder, generator, config)
    elif config.modality != "vision":
        raise D2MError(f"{generator.path} needs the motion encoder that it was trained with (mencoder.pt); give both")
    with torch.device("meta"):
        wanted = VQGenerator(config).state_dict()
        first = MotionEncoder(config).state_dict() if config.modality != "vision" else {}
    refuse_others(generator.state, wanted, generator.path, "D2M-GAN generator")
    if first and encoder is not None:
        refuse_others(encoder.state, first, encoder.path, "D2M-GAN motion encoder")
    model = D2MGAN(config)
    model.generator.load_state_dict(generator.state)
    if model.motion_encoder is not None and encoder is not None:
        model.motion_encoder.load_state_dict(encoder.state)
    model.codec, model.codebook = (_text(generator.header, name) for name in ("codec", "codebook"))
    return model.eval().requires_grad_(False)


def save_d2m_gan(
    model: D2MGAN, motion_encoder_path: Path | str | None, generator_path: Path | str, half: bool = True
) -> None:
    """Write a model as two safetensors files that say which model they belong to; float16 unless ``half`` is False.

    Args:
        model: with ``codec`` and ``codebook`` telling what it was trained on.
        motion_encoder_path: None for a model of vision alone.
        generator_path: where the generator goes.
        half: see above.

    Raises:
        D2MError: if a file cannot be written, or a value is not finite.
    """
    header = model.config.to_dict() | {"codec": model.codec, "codebook": model.codebook}
    if model.motion_encoder is not None:
        if motion_encoder_path is None:
            raise ValueError("a model with a motion encoder is two files")
        save_state(motion_encoder_path, model.motion_encoder.state_dict(), ENCODER, header, half=half)
    save_state(generator_path, model.generator.state_dict(), GENERATOR, header, half=half)


def _encoder_shape(part: Part) -> tuple[str, float]:
    """Data set and seconds of a motion encoder."""
    try:
        size, frames = part.state["lin1.weight"].shape[1], part.state["model.0.weight"].shape[1]
    except (KeyError, IndexError) as error:
        raise D2MError(f"{part.path} is not a whole D2M-GAN motion encoder; download the file again") from error
    for name, shape in DATASETS.items():
        if shape.motion_size == size:
            return name, frames / shape.motion_rate
    raise D2MError(f"{part.path} reads motion of {size} values a frame; 219 (SMPL) or 75 (keypoints) is known")


def _generator_config(part: Part, seconds: float | None) -> D2MGANConfig:
    """What the generator in a file is; ``seconds`` as its motion encoder says, if there is one."""
    known = {field.name for field in fields(D2MGANConfig)}
    try:
        if part.header:
            return D2MGANConfig(**{name: value for name, value in part.header.items() if name in known})
        dataset = "aist" if "genre_embed.weight" in part.state else "tiktok"
        level = "low" if "fc.weight" in part.state else "high"
        rows = len(part.state["fc.weight" if level == "low" else "lin.weight"])
        frames = rows if level == "low" else (rows - 682) // 4
        config = D2MGANConfig(dataset, level, 2.0, _modality(part, dataset))
        # Frames are whole, so the length that they stand for is known to a hundredth of a second only.
        ours = -(-frames * LEVELS[level] * 100 // config.sample_rate) / 100
        if seconds is not None and replace(config, seconds=seconds).frames == frames:
            return replace(config, seconds=seconds)
        return replace(config, seconds=ours)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise D2MError(f"{part.path} is not a D2M-GAN generator that this version knows ({error})") from error


def _known(part: Part, **sizes: Any) -> D2MGANConfig:
    try:
        return D2MGANConfig(**sizes)
    except ValueError as error:
        raise D2MError(f"{part.path}: {error}") from error


def _modality(part: Part, dataset: str) -> str:
    if "lin.weight" not in part.state:
        return "both"
    fused = part.state["lin.weight"].shape[1] - (GENRE_CODE if dataset == "aist" else 0)
    sizes = {MOTION_CODE + VISUAL_SIZE: "both", MOTION_CODE: "motion", VISUAL_SIZE: "vision"}
    if fused not in sizes:
        raise ValueError(f"a fused vector of {fused} values")
    return sizes[fused]


def _refuse_pair(encoder: Part, generator: Part, config: D2MGANConfig) -> None:
    """Raises D2MError for two parts of different models."""
    dataset, seconds = _encoder_shape(encoder)
    if config.modality == "vision":
        raise D2MError(f"{generator.path} is a generator of vision alone; leave out the motion encoder {encoder.path}")
    if dataset != config.dataset:
        raise D2MError(
            f"{encoder.path} is a motion encoder for {_TITLES[dataset]}, but {generator.path} is a generator for "
            f"{_TITLES[config.dataset]}; give two files of the same model"
        )
    if round(seconds * config.data.motion_rate) != config.motion_frames:
        raise D2MError(
            f"{encoder.path} reads {seconds:g} s of motion, but {generator.path} makes {config.seconds:g} s of music; "
            "give two files of the same model"
        )
    other = encoder.header.get("level", config.level)
    if other != config.level:
        raise D2MError(
            f"{encoder.path} was trained for the {other} level, {generator.path} for the {config.level} one; give two "
            "files of the same model"
        )


def _text(header: Mapping[str, Any], name: str) -> str:
    value = header.get(name, "")
    return value if isinstance(value, str) else ""
