"""Convert the checkpoint of a run to shipped weights with their card.

    python scripts/export_weights.py codec runs/codec --command "..." --scores codec.json
    python scripts/export_weights.py generator runs/generator --command "..." --scores generator.json
    python scripts/export_weights.py vqvae runs/vqvae --command "..." --scores vqvae.json "parameters=1.2e6"
    python scripts/export_weights.py decoder runs/decoder --command "first; second" --steps-before 8000
    python scripts/export_weights.py musegan runs/musegan/best.ckpt --command "..." --scores musegan.json
    python scripts/export_weights.py genre runs/genre --command "..." --scores "accuracy=0.99"
    python scripts/export_weights.py bridge runs/bridge/best.ckpt --command "..." --scores bridge.json
    python scripts/export_weights.py emotion runs/emotion/best.ckpt --command "..." --data "POP909 (MIT licence)"
    python scripts/export_weights.py d2m-gan runs/high/best.ckpt --command "..." --data "AIST++" --out high.safetensors

writes d2m/weights/studio-codec.safetensors and .toml (studio-generator and studio-vqvae likewise). The run of `codec`
may be one of `d2m train codec --decoder-only`; `decoder` is one of `d2m train decoder`, and makes the whole VQ-VAE with
its fine-tuned level. Weights made by several runs name all commands, with "; " between them, and give the steps of the
earlier runs with --steps-before. `d2m-gan` is one of `d2m train generator --model d2m-gan`, and makes two files, the
generator and its motion encoder, for `d2m generate --weights high.safetensors --weights high-motion.safetensors`.

The scores are name=value pairs, and JSON files: plain objects of figures, or what scripts/measure_codec.py and
scripts/measure_generator.py print with --json, or scripts/measure_musegan.py writes with --scores.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from d2m.errors import D2MError
from d2m.training.emotion import joined
from d2m.training.export import export, export_d2m_gan, read_checkpoint

WEIGHTS = Path(__file__).resolve().parent.parent / "d2m" / "weights"
DATA = (
    "Music of the studio composer in ten dance genres and excerpts of POP909 (MIT licence) arranged for five tracks, "
    "rendered with FluidR3 GM (MIT licence), and synthetic dancers, by scripts/make_training_data.py"
)
PHRASES = (
    "Four-bar phrases of POP909 (MIT licence) arranged for five tracks and of the studio composer's songs, by "
    "d2m symbolic prepare POP909 studio:300"
)
VQVAE = (
    "JukeBox VQ-VAE with two levels, hops of 32 and 128 samples: strided convolutions and dilated residual blocks on "
    "the waveform, a codebook of 2048 entries each; 22.05 kHz mono"
)
#: Model -> (name of its weights, kind, name in the checkpoint, architecture).
MODELS: dict[str, tuple[str, str, str, str]] = {
    "codec": (
        "studio-codec",
        "spectral-codec",
        "codec",
        "log-mel and 4096-point spectra -> ConvNeXt encoder -> residual VQ -> ConvNeXt decoder -> "
        "magnitude and phase, and a bank of sine tones; 22.05 kHz mono",
    ),
    "stereo-codec": (
        "studio-stereo-codec",
        "stereo-codec",
        "codec",
        "spectra of middle and side -> ConvNeXt encoder -> residual VQ -> ConvNeXt decoder -> magnitude and phase of "
        "the middle with a bank of sine tones, the side from the middle and of its own; 44.1 kHz stereo, grown from "
        "studio-codec",
    ),
    "generator": (
        "studio-generator",
        "generator",
        "generator",
        "dilated ConvNeXt over the codec's frames; each part of a sketch is encoded alone with its instrument; motion, "
        "rhythm, vision, genre and noise are added, each optional",
    ),
    "stereo-generator": (
        "studio-stereo-generator",
        "generator",
        "generator",
        "dilated ConvNeXt over the codec's frames; each part of a sketch is encoded alone with its instrument or "
        "patch; motion, rhythm, vision, genre and noise are added, each optional",
    ),
    "genre": (
        "studio-genre",
        "genre",
        "genre",
        "VGG-like network on log-mel spectrograms: four stages of two 3 x 3 convolutions, embedding of 96 values, ten "
        "genres; embeddings of the training set's songs to retrieve from",
    ),
    "beats": (
        "studio-beats",
        "beats",
        "beats",
        "log-mel frames at 50 Hz -> two convolutions over time and frequency -> temporal convolutional network, nine "
        "blocks of two dilations each -> probabilities of beat and downbeat",
    ),
    "vqvae": ("studio-vqvae", "jukebox-vqvae", "vqvae", VQVAE),
    "d2m-gan": (
        "d2m-gan",
        "d2m-gan-generator",
        "generator",
        "D2M-GAN (Zhu et al. 2022): motion encoder and VQ generator of dilated residual convolutions",
    ),
    "musegan": (
        "studio-musegan",
        "musegan",
        "average",
        "MuseGAN (Dong et al. 2018), 4 bars x 16 steps x 72 pitches x 5 tracks: temporal and bar generators that grow "
        "time then pitch and pitch then time, trained by WGAN-GP; moving average of the generator",
    ),
    "decoder": (
        "studio-vqvae",
        "jukebox-vqvae",
        "vqvae",
        f"{VQVAE}; a decoder fine-tuned against multi-scale discriminators",
    ),
    "bridge": (
        "studio-bridge",
        "bridge",
        "bridge",
        "U-Net over bars, beats and sixteenths that writes 1 to 8 bars between two and may copy either one's beats, "
        "moved by semitones; 16 steps x 72 pitches x 5 tracks",
    ),
    "musicvae": (
        "studio-musicvae",
        "musicvae",
        "musicvae",
        "MusicVAE (Roberts et al. 2018) on melodies of 16 bars: dense layers over the steps of a bar, bidirectional "
        "LSTM over bars -> latent vector -> conductor LSTM over bars -> LSTM that writes each bar",
    ),
    "emotion": (
        "studio-emotion",
        "emotion",
        "emotion",
        "actor that moves a MusicVAE's latent vectors towards a mean pitch and a density, and critic of their realism, "
        "pitch, density and harmony (latent constraints, Engel et al. 2017); three hidden layers each",
    ),
}

#: The codec that each generator plays through.
CODEC_OF = {"generator": "studio-codec", "stereo-generator": "studio-stereo-codec"}


def config_of(model: str, state: dict[str, object]) -> dict[str, object]:
    """Return the configuration that the checkpoint holds, or that the run's defaults stand for."""
    from d2m.codec.spectral import SpectralCodec
    from d2m.codec.stereo import StereoCodec
    from d2m.generator.temporal import TemporalConfig, TemporalGenerator

    if model == "codec":
        return SpectralCodec().settings()
    if model == "stereo-codec":
        return StereoCodec().settings()
    if model.endswith("generator"):
        parameters = state["modules"]["generator"]
        sizes = TemporalConfig(parameters["mean"].shape[0], programs=parameters["parts.instrument.weight"].shape[0])
        return TemporalGenerator(sizes).settings() | {"codec": CODEC_OF[model]}
    return state["task"]["config"]


def musegan_name(config: dict[str, object]) -> str:
    """Return studio-musegan for the hybrid model from scratch; others say what they are, as in studio-musegan-piano."""
    from d2m.types import TRACKS

    words = ["studio-musegan"]
    words += [str(config["model"])] if config["model"] != "hybrid" else []
    words += [TRACKS[config["condition"]]] if config["condition"] >= 0 else []
    return "-".join(words)


def read_scores(words: list[str]) -> dict[str, float]:
    """Return figures by name from name=value pairs and JSON files, rounded to five digits.

    Raises:
        D2MError: if a word is neither, or a figure is no number.
    """
    scores: dict[str, float] = {}
    for word in words:
        name, equals, value = word.rpartition("=")
        found = {name: value} if equals and not Path(word).is_file() else _read_file(Path(word))
        try:
            scores |= {name: float(f"{float(value):.5g}") for name, value in found.items()}
        except (TypeError, ValueError) as error:
            raise D2MError(f"the scores of '{word}' are not numbers; give name=value or a JSON file") from error
    return scores


def _read_file(path: Path) -> dict[str, object]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise D2MError(f"cannot read scores from '{path}'; give name=value or a JSON file") from error
    if not isinstance(content, dict):
        raise D2MError(f"'{path}' holds no JSON object of figures")
    if "results" not in content:
        return content
    about = f"{content.get('songs', '')} held-out songs".strip()
    if content.get("seconds"):
        about += f" of {content['seconds']:g} s"
    # Noise and other songs are references in the tables and no scores of the weights.
    rows = {row: figures for row, figures in content["results"].items() if row not in ("white noise", "next song")}
    return {f"{row}: {name}, {about}": value for row, figures in rows.items() for name, value in figures.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", choices=sorted(MODELS))
    parser.add_argument("run", type=Path, help="folder of the run, or its checkpoint")
    parser.add_argument("--command", required=True, help="what was run, for the card; several with '; ' between")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps-before", type=int, default=0, help="steps of earlier runs that this one started from")
    parser.add_argument("--scores", nargs="*", default=[], metavar="FILE|NAME=VALUE", help="measured figures")
    parser.add_argument("--data", help="what it was trained on, with licences, for the card")
    parser.add_argument("--out", type=Path, help="another file than the shipped one")
    parser.add_argument("--half", action="store_true", help="store matrices in 16 bits, also where 8 are enough")
    args = parser.parse_args()
    name, kind, module, architecture = MODELS[args.model]
    scores = read_scores(args.scores)
    state = read_checkpoint(args.run / "last.ckpt" if args.run.is_dir() else args.run)
    if args.model == "emotion" and {"actor", "critic"} <= state["modules"].keys():
        state = joined(state)
    if module not in state["modules"] or (args.model == "decoder") != ("before" in state.get("task", {})):
        command = "generator --model d2m-gan" if args.model == "d2m-gan" else args.model
        raise D2MError(f"{args.run} is not a run of 'd2m train {command}'")
    if any(key.endswith(".k") and not book.any() for key, book in state["modules"][module].items()):
        raise D2MError(f"{args.run} has not begun to quantise (step {state['step']}); train it further")
    if kind == "musegan":
        name = musegan_name(state["task"]["config"])
    card = {
        "architecture": architecture,
        "data": args.data or (PHRASES if kind in ("musegan", "bridge") else DATA),
        "licence": "MIT",
        "command": "; ".join(part.strip() for part in args.command.split(";") if part.strip()),
        "seed": args.seed,
        "scores": scores,
    }
    state["step"] = int(state["step"]) + args.steps_before
    path = args.out or WEIGHTS / f"{name}.safetensors"
    if args.model == "d2m-gan":
        for written in export_d2m_gan(state, path, card):
            print(f"{path.with_name(written.file)}: step {written.steps}, sha256 {written.sha256[:12]}")
        return
    # Large for what they do, and hardly touched by rounding; their cards tell the scores as stored.
    rows = args.model in ("musicvae", "emotion", "stereo-codec", "stereo-generator") and not args.half
    written = export(state, module, path, kind, config_of(args.model, state), card, rows)
    print(f"{path}: step {written.steps}, {path.stat().st_size / 1e6:.1f} MB, sha256 {written.sha256[:12]}")


if __name__ == "__main__":
    from one_line import run_main

    run_main(main)
