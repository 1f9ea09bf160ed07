"""Recognise the files of a D2M-GAN given by the user, and build the engine from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from d2m import weights
from d2m.engines.d2m_gan import D2MGanEngine
from d2m.engines.d2m_gan_inputs import read_motion_file, read_visual_file
from d2m.errors import D2MError
from d2m.files.download import sha256_of
from d2m.generator.d2m_gan import D2MGAN, FEATURE_SIZE
from d2m.generator.d2m_gan_checkpoint import ENCODER, GENERATOR, Part, assemble, part_of
from d2m.jukebox.codec import JukeboxCodec, codebook_digest
from d2m.nn.device import on_device
from d2m.weights.checkpoint import is_pytorch, load_checkpoint, state_of
from d2m.weights.files import describe_kind, load_state, read_safetensors
from d2m.weights.recognise import recognise

_VQVAE, _I3D = "jukebox-vqvae", "i3d"


@dataclass(frozen=True)
class Sorted:
    """Files of a D2M-GAN by their contents; None for those that were not given."""

    encoder: Part | None = None
    generator: Part | None = None
    vqvae: Path | None = None
    i3d: Path | None = None


def sort_files(names: Sequence[str | Path]) -> Sorted | None:
    """Recognise the files, given in any order.

    Args:
        names: files, or names of weights that are installed or in the catalogue.

    Returns:
        None if no part of a D2M-GAN is among them.

    Raises:
        D2MError: if one is missing, damaged or wants to run code, if there are two of a kind, or one is of no use with
            the others.
    """
    found = [(path, *_look(path)) for path in (weights.find(name)[0] for name in names)]
    if not any(part for _, _, part in found):
        for path, kind, _ in found:
            if kind in (_VQVAE, _I3D):
                raise D2MError(
                    f"{path} holds {describe_kind(kind)}, which makes no music by itself; add a D2M-GAN's mencoder.pt "
                    "and netG.pt"
                )
        return None
    parts: dict[str, Part] = {}
    paths: dict[str, Path] = {}
    for path, kind, part in found:
        if kind not in (ENCODER, GENERATOR, _VQVAE, _I3D):
            held = "an unknown model" if kind is None else describe_kind(kind)
            raise D2MError(
                f"{path} holds {held}; a D2M-GAN is made of a motion encoder (mencoder.pt), a generator (netG.pt), a "
                "JukeBox VQ-VAE (vqvae_high.pt or vqvae_low.pt) and I3D for the picture"
            )
        if kind in paths:
            raise D2MError(f"{paths[kind]} and {path} both hold {describe_kind(kind)}; give one of them")
        paths[kind] = path
        if part is not None:
            parts[kind] = part
    return Sorted(parts.get(ENCODER), parts.get(GENERATOR), paths.get(_VQVAE), paths.get(_I3D))


def load_engine(
    files: Sorted,
    level: str = "high",
    motion: str | Path | None = None,
    visual: str | Path | None = None,
    denoise: bool = False,
) -> D2MGanEngine:
    """Return the D2M-GAN engine on these files.

    Args:
        files: files from :func:`sort_files`.
        level: what the user asked for. The generator tells its own; only ``"low"`` is held against it, since
            ``"high"`` is what is asked for by saying nothing.
        motion, visual: files, see :mod:`d2m.engines.d2m_gan_inputs`.
        denoise: see :class:`~d2m.engines.d2m_gan.D2MGanEngine`.

    Raises:
        D2MError: if a file is missing, or cannot be used, or does not go with the others.
    """
    if files.generator is None:
        raise D2MError("a motion encoder alone cannot generate music; add the generator with --weights netG.pt")
    model = assemble(files.encoder, files.generator)
    if level == "low" and model.config.level != "low":
        raise D2MError(f"{files.generator.path} is a generator of the {model.config.level} level; leave --level out")
    codec, vqvae = _codec(model, files)
    i3d = files.i3d
    if model.config.modality != "motion" and visual is None and i3d is None:
        i3d = _installed_i3d()
    used = [part.path for part in (files.encoder, files.generator) if part is not None] + [vqvae]
    used += [i3d] if i3d is not None and visual is None and model.config.modality != "motion" else []
    seen = [Path(path) for path in (motion, visual) if path is not None]
    return D2MGanEngine(
        on_device(model),
        on_device(codec),
        tuple(path.name for path in used),
        # Read before they are hashed, so that missing files are reported by the reader.
        motion=None if motion is None else read_motion_file(motion),
        visual=None if visual is None else read_visual_file(visual),
        files=tuple({"name": path.name, "sha256": sha256_of(path)} for path in [*used, *seen]),
        visual_weights=i3d,
        denoise=denoise,
    )


def _look(path: Path) -> tuple[str | None, Part | None]:
    """The kind of model in a file, and its parameters where they are a part of D2M-GAN."""
    if is_pytorch(path):
        content = load_checkpoint(path)
        state, header = state_of(content, path), None
    else:
        state, header = load_state(path, None)
    # Models that cannot be recognised by their parameters are named in the header.
    kind = recognise(state) or (None if header is None else read_safetensors(path)[1].get("kind"))
    return kind, part_of(state, path, kind, header) if kind in (ENCODER, GENERATOR) else None


def _codec(model: D2MGAN, files: Sorted) -> tuple[JukeboxCodec, Path]:
    """The VQ-VAE that the generator aims at: the one given, or the shipped one if it was trained on that."""
    from d2m import jukebox

    level = model.config.level
    path = files.vqvae
    if path is None and model.codec in {card.name for card in weights.list_cards()}:
        path, _ = weights.find(model.codec, _VQVAE)
    generator = files.generator.path if files.generator is not None else "the generator"
    if path is None:
        if model.codec:
            raise D2MError(f"{generator} was trained on the VQ-VAE '{model.codec}'; add that one with --weights FILE")
        raise D2MError(
            f"{generator} aims at JukeBox's codebook, so it needs that VQ-VAE to be heard: add --weights "
            f"vqvae_{level}.pt, D2M-GAN's ('d2m models fetch d2m-gan-vqvae-{level}'), or vqvae.pth.tar, OpenAI's ('d2m "
            "models fetch jukebox-5b')"
        )
    vqvae = jukebox.load(path)
    try:
        codec = JukeboxCodec(vqvae, level, model.config.sample_rate)
    except ValueError as error:
        raise D2MError(f"{path}: {error}") from error
    if codec.feature_size != FEATURE_SIZE:
        raise D2MError(f"{path} has codebook entries of {codec.feature_size} values; {generator} makes {FEATURE_SIZE}")
    digest = codebook_digest(vqvae, level)
    if not model.codebook and digest == _studio_digest(level):
        raise D2MError(
            f"{path} has d2m's own codebook, but {generator} does not say that it was trained on it and so aims at "
            f"JukeBox's; add D2M-GAN's vqvae_{level}.pt or OpenAI's vqvae.pth.tar instead"
        )
    if model.codebook and digest != model.codebook:
        raise D2MError(
            f"{path} has another codebook than the one that {generator} was trained on ('{model.codec}'); give that "
            "VQ-VAE, or one with its decoder fine-tuned"
        )
    return codec.eval().requires_grad_(False), path


def _installed_i3d() -> Path | None:
    from d2m.features.i3d import NAME

    try:
        return weights.find(NAME)[0]
    except D2MError:
        return None


def _studio_digest(level: str) -> str:
    from d2m import jukebox

    return codebook_digest(jukebox.load(weights.find("studio-vqvae", _VQVAE)[0]), level)
