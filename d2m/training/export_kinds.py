"""Kinds of runs whose checkpoints become weights: the network that is stored, its kind and its description."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from d2m.errors import D2MError

if TYPE_CHECKING:
    from d2m.training.export import Checkpoint


@dataclass(frozen=True)
class ExportKind:
    """Description of a kind of run.

    Attributes:
        task: name of the run's :class:`~d2m.training.loop.Task`, as stored in ``settings.json``.
        weights: kind of the weights file.
        module: name of the network in the checkpoint.
        architecture: the model in a sentence, for the card.
        rows: whether matrices are stored in 8 bits. These models are large, and rounding hardly changes what they do.
        codec: weights of the codec that the shipped model of this kind predicts, or "".
    """

    task: str
    weights: str
    module: str
    architecture: str
    rows: bool = False
    codec: str = ""


VQVAE = (
    "JukeBox VQ-VAE with two levels, hops of 32 and 128 samples: strided convolutions and dilated residual blocks on "
    "the waveform, a codebook of 2048 entries each; 22.05 kHz mono"
)
#: Name of a kind -> its description.
KINDS: dict[str, ExportKind] = {
    "codec": ExportKind(
        "CodecTask",
        "spectral-codec",
        "codec",
        "log-mel and 4096-point spectra -> ConvNeXt encoder -> residual VQ -> ConvNeXt decoder -> "
        "magnitude and phase, and a bank of sine tones; 22.05 kHz mono",
    ),
    "stereo-codec": ExportKind(
        "StereoTask",
        "stereo-codec",
        "codec",
        "spectra of middle and side -> ConvNeXt encoder -> residual VQ -> ConvNeXt decoder -> magnitude and phase of "
        "the middle with a bank of sine tones, the side from the middle and of its own; 44.1 kHz stereo, grown from "
        "studio-codec",
        rows=True,
    ),
    "generator": ExportKind(
        "GeneratorTask",
        "generator",
        "generator",
        "dilated ConvNeXt over the codec's frames; each part of a sketch is encoded alone with its instrument; motion, "
        "rhythm, vision, genre and noise are added, each optional",
        codec="studio-codec",
    ),
    "stereo-generator": ExportKind(
        "GeneratorTask",
        "generator",
        "generator",
        "dilated ConvNeXt over the codec's frames; each part of a sketch is encoded alone with its instrument or "
        "patch; motion, rhythm, vision, genre and noise are added, each optional",
        rows=True,
        codec="studio-stereo-codec",
    ),
    "genre": ExportKind(
        "GenreTask",
        "genre",
        "genre",
        "VGG-like network on log-mel spectrograms: four stages of two 3 x 3 convolutions, embedding of 96 values, ten "
        "genres; embeddings of the training set's songs to retrieve from",
    ),
    "beats": ExportKind(
        "BeatTask",
        "beats",
        "beats",
        "log-mel frames at 50 Hz -> two convolutions over time and frequency -> temporal convolutional network, nine "
        "blocks of two dilations each -> probabilities of beat and downbeat",
    ),
    "vqvae": ExportKind(
        "VQVAETask",
        "jukebox-vqvae",
        "vqvae",
        VQVAE,
    ),
    "d2m-gan": ExportKind(
        "D2MGANTask",
        "d2m-gan-generator",
        "generator",
        "D2M-GAN (Zhu et al. 2022): motion encoder and VQ generator of dilated residual convolutions",
    ),
    "musegan": ExportKind(
        "MuseGanTask",
        "musegan",
        "average",
        "MuseGAN (Dong et al. 2018), 4 bars x 16 steps x 72 pitches x 5 tracks: temporal and bar generators that grow "
        "time then pitch and pitch then time, trained by WGAN-GP; moving average of the generator",
        rows=True,
    ),
    "decoder": ExportKind(
        "DecoderTask",
        "jukebox-vqvae",
        "vqvae",
        f"{VQVAE}; a decoder fine-tuned against multi-scale discriminators",
    ),
    "bridge": ExportKind(
        "BridgeTask",
        "bridge",
        "bridge",
        "U-Net over bars, beats and sixteenths that writes 1 to 8 bars between two and may copy either one's beats, "
        "moved by semitones; 16 steps x 72 pitches x 5 tracks",
    ),
    "musicvae": ExportKind(
        "MusicVaeTask",
        "musicvae",
        "musicvae",
        "MusicVAE (Roberts et al. 2018) on melodies of 16 bars: dense layers over the steps of a bar, bidirectional "
        "LSTM over bars -> latent vector -> conductor LSTM over bars -> LSTM that writes each bar",
        rows=True,
    ),
    "emotion": ExportKind(
        "EmotionTask",
        "emotion",
        "emotion",
        "actor that moves a MusicVAE's latent vectors towards a mean pitch and a density, and critic of their realism, "
        "pitch, density and harmony (latent constraints, Engel et al. 2017); three hidden layers each",
        rows=True,
    ),
}


def kind_of(task: str, state: Checkpoint) -> str:
    """Return the kind of a run.

    Args:
        task: name of its task, as stored in ``settings.json``.
        state: its checkpoint.

    Raises:
        D2MError: if no kind has such a task.
    """
    from d2m.generator.sketch import PATCHED_COUNT

    names = [name for name, kind in KINDS.items() if kind.task == task]
    if not names:
        raise D2MError(f"the run is of '{task}', which is not known here; choose its kind with --kind")
    parts = state["modules"].get("generator", {}).get("parts.instrument.weight")
    return "stereo-generator" if names[0] == "generator" and _rows(parts) >= PATCHED_COUNT else names[0]


def _rows(tensor: Any) -> int:
    return 0 if tensor is None else len(tensor)


def config_of(name: str, state: Checkpoint) -> dict[str, Any]:
    """Return the configuration of the model in a checkpoint.

    Args:
        name: name of a kind in :data:`KINDS`.
        state: the checkpoint.
    """
    from d2m.codec.spectral import SpectralCodec
    from d2m.codec.stereo import StereoCodec
    from d2m.generator.temporal import TemporalConfig, TemporalGenerator

    if name == "codec":
        return SpectralCodec().settings()
    if name == "stereo-codec":
        return StereoCodec().settings()
    if KINDS[name].task == "GeneratorTask":
        parameters = state["modules"]["generator"]
        sizes = TemporalConfig(parameters["mean"].shape[0], programs=parameters["parts.instrument.weight"].shape[0])
        return TemporalGenerator(sizes).settings()
    return state["task"]["config"]
