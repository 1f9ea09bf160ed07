"""Make a checkpoint of the architecture of ``hierdec-mel_16bar`` with Magenta's own code, and reference outputs.

    python scripts/make_magenta_golden.py FOLDER --magenta CHECKOUT [--full]

Writes ``FOLDER/magenta.ckpt.*`` (random weights, TensorFlow's Saver) and ``FOLDER/magenta.npz``: melodies, latent
vectors, means, deviations and teacher-forced logits. It needs TensorFlow, which d2m does not: run it in an environment
of its own with ``pip install tensorflow-cpu tf-keras tensorflow-probability tf-slim numpy`` and a checkout of
github.com/magenta/magenta, of which only ``magenta/contrib``, ``magenta/common`` and ``magenta/models/music_vae`` are
loaded. ``tests/data/magenta`` was made so.
"""

from __future__ import annotations

import argparse
import os
import sys
import types
from pathlib import Path

import numpy as np

os.environ["TF_USE_LEGACY_KERAS"] = "1"

CLASSES, STEPS = 90, 256
#: Latent size, encoder units, decoder units.
SMALL, FULL = (6, (5, 5), (4, 4)), (512, (2048, 2048), (1024, 1024))
#: Steps whose logits are kept: first ones, around bar lines, the last.
KEPT = (0, 1, 2, 14, 15, 16, 17, 127, 128, 240, 255)


def magenta_modules(checkout: str):
    """Return Magenta's modules without the packages around them, which ask for much that is not needed here."""
    for name in ("magenta", "magenta.contrib", "magenta.common", "magenta.models", "magenta.models.music_vae"):
        package = types.ModuleType(name)
        package.__path__ = [str(Path(checkout, *name.split(".")))]
        sys.modules[name] = package
    from magenta.common import nade, sequence_example_lib

    common = sys.modules["magenta.common"]
    common.Nade = nade.Nade
    common.flatten_maybe_padded_sequences = sequence_example_lib.flatten_maybe_padded_sequences
    from magenta.models.music_vae import base_model, lstm_models

    return base_model, lstm_models


def melodies(rng: np.random.Generator, count: int) -> np.ndarray:
    """Return random classes, half of them holds: uint8 (count, 256)."""
    classes = rng.integers(0, CLASSES, (count, STEPS))
    return np.where(rng.random((count, STEPS)) < 0.5, 0, classes).astype(np.uint8)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--magenta", required=True, help="a checkout of github.com/magenta/magenta")
    parser.add_argument("--full", action="store_true", help="the published sizes instead of tiny ones")
    arguments = parser.parse_args()
    base_model, lstm_models = magenta_modules(arguments.magenta)
    import tensorflow.compat.v1 as tf

    tf.disable_v2_behavior()
    latent, encoder, decoder = FULL if arguments.full else SMALL
    rng = np.random.default_rng(20)
    told = melodies(rng, 2)
    z = rng.standard_normal((2, latent)).astype(np.float32)

    hparams = lstm_models.get_default_hparams()
    sizes = {"batch_size": 2, "max_seq_len": STEPS, "z_size": latent}
    for name, value in {**sizes, "enc_rnn_size": list(encoder), "dec_rnn_size": list(decoder)}.items():
        hparams.set_hparam(name, value)
    model = base_model.MusicVAE(
        lstm_models.BidirectionalLstmEncoder(),
        lstm_models.HierarchicalLstmDecoder(
            lstm_models.CategoricalLstmDecoder(), level_lengths=[16, 16], disable_autoregression=True
        ),
    )
    model.build(hparams, CLASSES, is_training=False)
    heard = tf.constant(np.eye(CLASSES, dtype=np.float32)[told])
    lengths = tf.constant([STEPS, STEPS])
    posterior = model.encode(heard, lengths)
    before = tf.pad(heard[:, :-1], [(0, 0), (1, 0), (0, 0)])
    _, _, results = model.decoder.reconstruction_loss(before, heard, lengths, tf.constant(z))
    answers = {"mu": posterior.loc, "sigma": posterior.scale.diag, "logits": results.rnn_output}
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        for variable in tf.trainable_variables():
            shape = variable.shape.as_list()
            wide = 1.5 / shape[0] ** 0.5 if len(shape) == 2 else 0.3
            variable.load(wide * rng.standard_normal(shape, dtype=np.float32), session)
        found = session.run(answers)
        arguments.folder.mkdir(parents=True, exist_ok=True)
        tf.train.Saver().save(session, str(arguments.folder / "magenta.ckpt"), write_meta_graph=False)
    found["logits"] = found["logits"][:, list(KEPT)]
    np.savez_compressed(arguments.folder / "magenta.npz", melodies=told, z=z, steps=np.array(KEPT), **found)


if __name__ == "__main__":
    from one_line import run_main

    run_main(main)
