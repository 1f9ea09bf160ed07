"""Convert the checkpoint of a run to weights with a card, and load shipped weights as the start of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypedDict, TypeGuard

import torch

from d2m import weights
from d2m.errors import D2MError
from d2m.files.download import sha256_of
from d2m.weights.torch_file import Hostile, check_torch_file


class _Checked(TypedDict):
    step: int
    modules: dict[str, dict[str, torch.Tensor]]


class Checkpoint(_Checked, total=False):
    """What a run saved.

    Attributes:
        step: steps done.
        modules: parameters and buffers of each network.
        task: what :meth:`d2m.training.loop.Task.state` returned.
    """

    task: dict[str, Any]


class About(TypedDict):
    """What the card of new weights says that the checkpoint does not: see :class:`d2m.weights.Card`."""

    architecture: str
    data: str
    licence: str
    command: str
    seed: int
    scores: dict[str, float]


def read_checkpoint(path: str | Path) -> Checkpoint:
    """Read a state saved by :func:`d2m.training.loop.train`.

    Args:
        path: the file.

    Raises:
        D2MError: if there is none, or it is not such a file.
    """
    try:
        check_torch_file(Path(path))
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Hostile as error:
        raise D2MError(f"{path} {error}") from error
    except FileNotFoundError as error:
        raise D2MError(f"no checkpoint at {path}; train first") from error
    except Exception as error:  # torch raises many kinds for a file that is not its own
        raise D2MError(f"{path} is not a checkpoint of d2m") from error
    if not _is_checkpoint(state):
        raise D2MError(f"{path} is not a checkpoint of d2m")
    return state


def _is_checkpoint(content: object) -> TypeGuard[Checkpoint]:
    return (
        isinstance(content, dict)
        and isinstance(content.get("step"), int)
        and isinstance(content.get("task", {}), dict)
        and _are_modules(content.get("modules"))
    )


def _are_modules(content: object) -> bool:
    modules = content.values() if isinstance(content, dict) and content else [None]
    return all(isinstance(module, dict) and all(map(torch.is_tensor, module.values())) for module in modules)


def export(
    state: Checkpoint,
    module: str,
    path: str | Path,
    kind: str,
    config: dict[str, Any],
    card: About,
    rows: bool = False,
) -> weights.Card:
    """Write ``path`` (safetensors, float16) and the card beside it from one module of a checkpoint.

    Args:
        state: state from :func:`read_checkpoint`.
        module: name of the module in it.
        path: where the weights go; the card gets the same name with ``.toml``.
        kind: kind of the model, for the file's header.
        config: rebuilds the model.
        card: architecture, data, licence, command, seed and scores.
        rows: matrices in 8 bits.
    """
    path = Path(path)
    weights.save_state(path, state["modules"][module], kind, config, rows=rows)
    result = weights.Card(
        name=path.stem,
        kind=kind,
        steps=int(state["step"]),
        sha256=sha256_of(path),
        file=path.name,
        config=config,
        **card,
    )
    result.write(path.with_suffix(".toml"))
    return result


def export_d2m_gan(state: Checkpoint, path: str | Path, card: About) -> list[weights.Card]:
    """Write the parts of a trained D2M-GAN as ``d2m generate --weights`` takes them, each with its card.

    The headers name the VQ-VAE that the model was trained on, and its codebook, without which it makes noise.

    Args:
        state: state from :func:`read_checkpoint`, of ``d2m train d2m-gan``.
        path: ``NAME.safetensors``: the generator; ``NAME-motion.safetensors`` beside it: the motion encoder, unless the
            model is of vision alone.
        card: as for :func:`export`.

    Raises:
        D2MError: if the checkpoint is another model's.
    """
    from d2m.generator.d2m_gan import D2MGAN, D2MGANConfig
    from d2m.generator.d2m_gan_checkpoint import ENCODER, GENERATOR, save_d2m_gan

    task = state.get("task", {})
    if not {"config", "vqvae", "codebook"} <= set(task) or "generator" not in state["modules"]:
        raise D2MError("this is not a checkpoint of 'd2m train d2m-gan'")
    model = D2MGAN(D2MGANConfig(**task["config"]))
    model.load_state_dict(state["modules"]["generator"])
    model.codec, model.codebook = task["vqvae"], task["codebook"]
    generator = Path(path)
    encoder = generator.with_name(f"{generator.stem}-motion.safetensors")
    save_d2m_gan(model, encoder if model.motion_encoder is not None else None, generator)
    parts = [(generator, GENERATOR), *([(encoder, ENCODER)] if model.motion_encoder is not None else [])]
    config = model.config.to_dict() | {"codec": model.codec, "codebook": model.codebook}
    cards = []
    for file, kind in parts:
        digest = sha256_of(file)
        written = weights.Card(
            name=file.stem, kind=kind, steps=int(state["step"]), sha256=digest, file=file.name, config=config, **card
        )
        written.write(file.with_suffix(".toml"))
        cards.append(written)
    return cards
