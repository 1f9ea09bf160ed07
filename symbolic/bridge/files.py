"""Weights of bridge networks: safetensors with the configuration in the header."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from d2m import weights
from d2m.symbolic.bridge.composer import Composer, build
from d2m.symbolic.bridge.config import BridgeConfig
from d2m.weights.rebuild import rebuild

if TYPE_CHECKING:
    from d2m.symbolic.bridge.network import BridgeNet
    from d2m.symbolic.bridge.published import PublishedNet

#: The kind written into weights files.
KIND = "bridge"


def load(name_or_path: str | Path = "studio-bridge") -> Composer:
    """Load a trained network.

    Args:
        name_or_path: name of weights, or a file.

    Raises:
        D2MError: if there are no such weights, or they are another model's.
    """
    path, card = weights.find(name_or_path, KIND)
    tensors, values = weights.load_state(path, KIND)
    config = BridgeConfig.from_dict(values)
    return Composer(rebuild(lambda _: build(config), {}, tensors, path), card.name if card else path.stem)


def save(network: BridgeNet | PublishedNet, path: str | Path) -> None:
    """Write a network as safetensors in float16.

    Args:
        network: the network.
        path: the output file.

    Raises:
        D2MError: if the file cannot be written, or a value is not finite.
    """
    weights.save_state(path, network.state_dict(), KIND, network.config.to_dict())
