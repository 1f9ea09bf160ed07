"""Turn the checkpoint of a run into shipped weights with their card.

    python scripts/export_weights.py codec runs/codec --command "..." --scores scores.json
    python scripts/export_weights.py generator runs/generator --command "..." --scores scores.json

writes d2m/weights/studio-codec.safetensors and .toml (studio-generator likewise). The scores are those that
scripts/measure_codec.py and scripts/measure_generator.py print with --json.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from d2m.training.export import export, read_checkpoint

WEIGHTS = Path(__file__).resolve().parent.parent / "d2m" / "weights"
DATA = (
    "Music of the studio composer in ten dance genres and excerpts of POP909 (MIT licence) arranged for five tracks, "
    "rendered with FluidR3 GM (MIT licence), and synthetic dancers, by scripts/make_training_data.py"
)
ARCHITECTURES = {
    "codec": "log-mel and 4096-point spectra -> ConvNeXt encoder -> residual VQ -> ConvNeXt decoder -> "
    "magnitude and phase, and a bank of sine tones; 22.05 kHz mono",
    "generator": "dilated ConvNeXt over the codec's frames; each part of a sketch is encoded alone with its "
    "instrument; motion, rhythm, vision, genre and noise are added, each optional",
}


def config_of(model: str, state: dict[str, object]) -> dict[str, object]:
    """The configuration that the run's defaults stand for."""
    from d2m.codec.spectral import SpectralCodec
    from d2m.generator.temporal import TemporalConfig, TemporalGenerator

    if model == "codec":
        return SpectralCodec().settings()
    size = state["modules"]["generator"]["mean"].shape[0]
    return TemporalGenerator(TemporalConfig(feature_size=size)).settings() | {"codec": "studio-codec"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", choices=sorted(ARCHITECTURES))
    parser.add_argument("run", type=Path)
    parser.add_argument("--command", required=True, help="what was run, for the card")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--scores", type=Path, help="JSON object of measured figures")
    parser.add_argument("--out", type=Path, help="another file than the shipped one")
    args = parser.parse_args()
    state = read_checkpoint(args.run / "last.ckpt")
    card = {
        "architecture": ARCHITECTURES[args.model],
        "data": DATA,
        "licence": "MIT",
        "command": args.command,
        "seed": args.seed,
        "scores": json.loads(args.scores.read_text(encoding="utf-8")) if args.scores else {},
    }
    kind = {"codec": "spectral-codec", "generator": "generator"}[args.model]
    path = args.out or WEIGHTS / f"studio-{args.model}.safetensors"
    written = export(state, args.model, path, kind, config_of(args.model, state), card)
    print(f"{path}: step {written.steps}, {path.stat().st_size / 1e6:.1f} MB, sha256 {written.sha256[:12]}")


if __name__ == "__main__":
    main()
