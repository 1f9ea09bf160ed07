"""Help texts of options that several commands share, so that each option reads the same everywhere."""

from __future__ import annotations

from typing import Annotated

import typer

from d2m.engines.options import LEVEL, SOUNDFONT
from d2m.nn.device import VARIABLE, choose

__all__ = ["LEVEL", "SOUNDFONT"]

OUTPUT_FOLDER = "Output folder; created if missing."
OUTPUT_STORE = "Output folder, created if missing, or a URL such as s3://bucket/folder."
RESUMED_FOLDER = f"{OUTPUT_FOLDER} An unfinished run is resumed."
SEED = "Random seed."
JSON = "Print the result as one JSON object on stdout."
PROCESSES = (
    "Number of parallel processes; with --ray, of units at a time. The result does not depend on it. Default: 1; with "
    "--ray, the number of processors of the cluster."
)
RAY = (
    "Ray cluster to run on: auto (the one that this machine belongs to) or its address (HOST:PORT of the head). The "
    "nodes share the files, under the same paths or at URLs."
)
DEVICE = "Device of the networks: auto (a GPU if there is one), cpu, cuda or mps."
GENRE_NETWORK = "Weights of the genre network (name or file). Default: studio-genre."
VISUAL = "Visual features of the videos, as written by 'd2m features --visual i3d'."
WAV = "Also render a .wav file beside the MIDI file."
PNG = "Also draw the piano-roll as a .png beside the MIDI file."
BRIDGE_BARS = "Bridge length in bars (1-8)."
MIX_METHOD = "Mix point search: harmonic, dtw or jsd (both from Smootify), or random."
STEPS = "Number of training steps of the whole run."
RATE = "Peak learning rate."
ADVERSARIAL_AFTER = "Step at which the adversarial loss starts. Default: never."
DECODER_ONLY = "With --from: freeze the encoder and the codebooks, train the decoder only."

#: The option of commands that use networks; the device is chosen as soon as it is read.
Device = Annotated[
    str, typer.Option("--device", metavar="NAME", help=DEVICE, callback=choose, envvar=VARIABLE, show_envvar=False)
]
