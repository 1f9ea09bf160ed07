"""Read MusicVAEs from Magenta's TensorFlow checkpoints: ``hierdec-mel_16bar``, and others of the same architecture.

Names and shapes of the published checkpoint: github.com/magenta/magenta/issues/1854; where they come from: Magenta's
``music_vae/lstm_models.py`` (``BidirectionalLstmEncoder``, ``HierarchicalLstmDecoder``) and ``base_model.py``.

Its cells (``LSTMBlockCell``) keep one kernel (inputs + units, 4 units), inputs first, whose columns are the gates
input, new, forget, output, and add 1 to the forget gate's bias; PyTorch's keep input, forget, new, output as rows of
two matrices. What was trained with cuDNN was saved in the same way, 1 taken off its forget gate's bias
(``BackwardCompatibleCudnnParamsFormatConverterLSTM`` in the ``lstm_utils.py`` of 2018).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from d2m.errors import D2MError
from d2m.symbolic.emotion.musicvae import FULL, MusicVaeConfig
from d2m.symbolic.melody import CLASSES
from d2m.weights.tf_bundle import open_bundle

_ENCODER = "encoder/cell_{}/bidirectional_rnn/{}/multi_rnn_cell/cell_0/lstm_cell"
_CONDUCTOR = "decoder/hierarchical_level_0/cell_{}/lstm_cell"
_WRITER = "core_decoder/decoder/multi_rnn_cell/cell_{}/lstm_cell"
#: Our layer of weight and bias, and Magenta's of kernel and bias.
_DENSE = {
    "mu": "encoder/mu",
    "sigma": "encoder/sigma",
    "decoder.conductor_start": "decoder/hierarchical_level_0/initial_state",
    "decoder.writer_start": "core_decoder/decoder/z_to_initial_state",
    "decoder.output": "core_decoder/decoder/output_projection",
}
#: What training leaves in a checkpoint beside the model.
_OF_TRAINING = re.compile(r"(^|/)(global_step|beta[12]_power)$|/Adam(_1)?$")
#: No width comes near it.
_WIDEST, _DEEPEST = 1 << 16, 8

Shapes = Mapping[str, tuple[int, ...]]


def load_checkpoint(path: Path | str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return a checkpoint as our parameters, float32, and the configuration that they belong to.

    Args:
        path: the published tar file, or the checkpoint's name (``.../hierdec-mel_16bar.ckpt``) or one of its files.

    Raises:
        D2MError: if it cannot be read, is damaged, or a variable is missing, unexpected or of another shape.
    """
    with open_bundle(path) as bundle:
        shapes = {name: variable.shape for name, variable in bundle.variables.items()}
        config = sizes(shapes, path)
        refuse_others(shapes, variables(config), path)

        def read(name: str) -> np.ndarray:
            values = bundle.read(name)
            if values.dtype.kind != "f" or not np.isfinite(values).all():
                raise D2MError(f"{path}: '{name}' holds values that are not finite numbers; download the file again")
            return values.astype(np.float32, copy=False)

        return convert(read, config), asdict(config)


def load_published(path: Path | str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Load ``hierdec-mel_16bar`` as :func:`load_checkpoint` does, and refuse other sizes.

    Args:
        path: the checkpoint.

    Raises:
        D2MError: if it is anything else.
    """
    tensors, config = load_checkpoint(path)
    if config != asdict(FULL):
        raise D2MError(f"{path} is a MusicVAE of other sizes than hierdec-mel_16bar; download the file again")
    return tensors, config


def sizes(shapes: Shapes, path: Path | str) -> MusicVaeConfig:
    """Infer the sizes of a checkpoint's model from its shapes.

    Args:
        shapes: shapes of the variables.
        path: path of the checkpoint, for messages.

    Raises:
        D2MError: if one of them is not there, or cannot be.
    """

    def width(name: str, share: int) -> int:
        shape = shapes.get(f"{name}/bias")
        if shape is None:
            raise _other(path, f"lacks variable '{name}/bias'")
        if len(shape) != 1 or not 0 < shape[0] <= share * _WIDEST or shape[0] % share:
            raise _other(path, f"'{name}/bias' has shape {shape}, which no such model has")
        return shape[0] // share

    def depth(name: str) -> int:
        return next((n for n in range(1, _DEEPEST) if f"{name.format(n, 'fw')}/bias" not in shapes), _DEEPEST)

    return MusicVaeConfig(
        latent=width("encoder/mu", 1),
        encoder=width(_ENCODER.format(0, "fw"), 4),
        encoder_layers=depth(_ENCODER),
        conductor=width(_CONDUCTOR.format(0), 4),
        decoder=width(_WRITER.format(0), 4),
        decoder_layers=depth(_WRITER),
    )


def variables(config: MusicVaeConfig) -> dict[str, tuple[int, ...]]:
    """Return the variables of a model and their shapes.

    Args:
        config: sizes of the model.
    """
    shapes: dict[str, tuple[int, ...]] = {}

    def layer(name: str, inputs: int, outputs: int) -> None:
        shapes[f"{name}/kernel"], shapes[f"{name}/bias"] = (inputs, outputs), (outputs,)

    def cells(name: str, inputs: int, units: int, layers: int, directions: int = 1) -> None:
        for number in range(layers):
            heard = inputs if number == 0 else directions * units
            for direction in ("fw", "bw")[:directions]:
                layer(name.format(number, direction), heard + units, 4 * units)

    layers = config.decoder_layers
    cells(_ENCODER, CLASSES, config.encoder, config.encoder_layers, directions=2)
    layer(_DENSE["mu"], 2 * config.encoder, config.latent)
    layer(_DENSE["sigma"], 2 * config.encoder, config.latent)
    cells(_CONDUCTOR, 1, config.conductor, layers)
    layer(_DENSE["decoder.conductor_start"], config.latent, 2 * layers * config.conductor)
    cells(_WRITER, CLASSES + config.conductor, config.decoder, layers)
    layer(_DENSE["decoder.writer_start"], config.conductor, 2 * layers * config.decoder)
    layer(_DENSE["decoder.output"], config.decoder, CLASSES)
    return shapes


def refuse_others(found: Shapes, wanted: Shapes, path: Path | str) -> None:
    """Check that a checkpoint has the variables of a model; those of an optimiser are ignored.

    What an optimiser left behind is nobody's business.

    Args:
        found, wanted: shapes by name.
        path: path of the checkpoint, for messages.

    Raises:
        D2MError: if a variable is missing, unexpected or has another shape.
    """
    surplus = sorted(name for name in found if name not in wanted and not _OF_TRAINING.search(name))
    for name, shape in wanted.items():
        if name not in found:
            raise _other(path, f"lacks variable '{name}'" + (f" and has '{surplus[0]}'" if surplus else ""))
        if found[name] != shape:
            raise _other(path, f"'{name}' has shape {found[name]}, {shape} is needed")
    if surplus:
        raise _other(path, f"has an unexpected variable '{surplus[0]}'")


def convert(read: Callable[[str], np.ndarray], config: MusicVaeConfig) -> dict[str, Tensor]:
    """Return Magenta's variables as the parameters of ``HierarchicalMusicVae(config)``.

    Args:
        read: gives a variable by name, float32, in the shape of :func:`variables`.
        config: sizes; ``side_by_side`` is off, as in ``hierdec-mel_16bar``.
    """
    state: dict[str, Tensor] = {}
    for ours, theirs in _DENSE.items():
        state[f"{ours}.weight"] = torch.from_numpy(np.ascontiguousarray(read(f"{theirs}/kernel").T))
        state[f"{ours}.bias"] = torch.from_numpy(read(f"{theirs}/bias").copy())
    for number in range(config.encoder_layers):
        _cell(state, "encoder.lstm", f"l{number}", read, _ENCODER.format(number, "fw"))
        _cell(state, "encoder.lstm", f"l{number}_reverse", read, _ENCODER.format(number, "bw"))
    for number in range(config.decoder_layers):
        _cell(state, "decoder.conductor", f"l{number}", read, _CONDUCTOR.format(number))
        _cell(state, "decoder.writer", f"l{number}", read, _WRITER.format(number))
    return state


def _cell(state: dict[str, Tensor], ours: str, end: str, read: Callable[[str], np.ndarray], theirs: str) -> None:
    """Adds one LSTM layer to ``state``: gates reordered, inputs and states apart, the forget gate's 1 written out."""
    kernel, bias = read(f"{theirs}/kernel"), read(f"{theirs}/bias")
    units = len(bias) // 4
    given, new, forget, output = (slice(gate * units, (gate + 1) * units) for gate in range(4))
    rows = np.concatenate([kernel.T[gate] for gate in (given, forget, new, output)])
    state[f"{ours}.weight_ih_{end}"] = torch.from_numpy(np.ascontiguousarray(rows[:, :-units]))
    state[f"{ours}.weight_hh_{end}"] = torch.from_numpy(np.ascontiguousarray(rows[:, -units:]))
    biases = np.concatenate([bias[given], bias[forget] + np.float32(1.0), bias[new], bias[output]])
    state[f"{ours}.bias_ih_{end}"] = torch.from_numpy(biases)
    # PyTorch adds two biases where TensorFlow has one.
    state[f"{ours}.bias_hh_{end}"] = torch.zeros(4 * units)


def _other(path: Path | str, why: str) -> D2MError:
    return D2MError(f"{path} is not a MusicVAE of the build of hierdec-mel_16bar: it {why}".replace("it '", "'"))
