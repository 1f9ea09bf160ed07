"""Convert Magenta's ``hierdec-mel_16bar`` to a safetensors file of d2m.

    python scripts/convert_magenta.py CHECKPOINT -o hierdec.safetensors [--half]

CHECKPOINT is the published tar file (``d2m models fetch hierdec-mel_16bar``), or the name of an unpacked checkpoint
(``.../hierdec-mel_16bar.ckpt``). No TensorFlow is needed. The values stay as they are, 704 MB for the published sizes;
``--half`` rounds them to 16 bits.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from d2m import weights
from d2m.errors import D2MError
from d2m.symbolic.emotion.magenta import load_checkpoint
from d2m.weights.catalogue import find_entry
from d2m.weights.tf_bundle import is_bundle


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkpoint", help="tar file, name of an unpacked checkpoint, or a name of 'd2m models list'")
    parser.add_argument("-o", "--output", type=Path, required=True, help="the .safetensors file to write")
    parser.add_argument("--half", action="store_true", help="16 bits a value instead of 32")
    arguments = parser.parse_args()
    path = Path(arguments.checkpoint)
    try:
        if arguments.output.suffix != ".safetensors":
            raise D2MError(f"{arguments.output} must end in .safetensors")
        if find_entry(arguments.checkpoint) is not None:
            path, _ = weights.find(arguments.checkpoint, "musicvae")
        if not is_bundle(path):
            raise D2MError(f"{path} is not a TensorFlow checkpoint: give its tar file, or the name before '.index'")
        tensors, config = load_checkpoint(path)
        weights.save_state(arguments.output, tensors, "musicvae", config, half=arguments.half)
    except D2MError as error:
        sys.exit(f"error: {error}")
    count = sum(tensor.numel() for tensor in tensors.values())
    print(f"{arguments.output}: {count:,} values, latent size {config['latent']}")


if __name__ == "__main__":
    from one_line import run_main

    run_main(main)
