"""Device of the networks that make and judge music: chosen once per process, followed by everything that loads one.

``--device`` calls :func:`choose`; what loads a network moves it with :func:`on_device`, and what calls one sends its
inputs to :func:`device_of` and takes its outputs back to the processor. The choice is also kept in the environment, so
that processes which are started later follow it. Networks run in single precision on every device. Training takes the
same names and passes them on to Lightning Fabric (:mod:`d2m.training.devices`).
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, TypeVar

from d2m.errors import D2MError

if TYPE_CHECKING:
    import torch
    from torch import nn

    Network = TypeVar("Network", bound=nn.Module)

#: What ``--device`` takes.
DEVICES: tuple[str, ...] = ("auto", "cpu", "cuda", "mps")
#: Environment variable that holds the choice.
VARIABLE = "D2M_DEVICE"
_NAMES = {"cuda": "CUDA GPU", "mps": "Apple GPU (MPS)"}


def check(name: str) -> str:
    """Check that a device is there.

    Args:
        name: one of :data:`DEVICES`.

    Returns:
        The name.

    Raises:
        D2MError: if there is no such name, or no such device on this machine.
    """
    if name not in DEVICES:
        raise D2MError(f"no device '{name}'; choose one of {', '.join(DEVICES)}")
    if name in _NAMES:
        import torch

        there = torch.cuda.is_available() if name == "cuda" else torch.backends.mps.is_available()
        if not there:
            raise D2MError(f"PyTorch finds no {_NAMES[name]} on this machine; use --device cpu or auto")
    return name


def choose(name: str) -> str:
    """Choose the device of this process and of those that it starts.

    Args:
        name: one of :data:`DEVICES`; ``"auto"`` is a CUDA GPU if there is one, otherwise the processor.

    Returns:
        The name.

    Raises:
        D2MError: if there is no such device.
    """
    os.environ[VARIABLE] = check(name)
    return name


def current() -> torch.device:
    """Return the device that was chosen.

    Raises:
        D2MError: if the environment variable :data:`VARIABLE` names none that is there.
    """
    import torch

    name = check(os.environ.get(VARIABLE, "auto"))
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)


def on_device(network: Network) -> Network:
    """Move a network to the device that was chosen.

    Args:
        network: the network.
    """
    return network.to(current())


def device_of(network: nn.Module) -> torch.device:
    """Return the device of a network's parameters.

    Args:
        network: a network with parameters.
    """
    return next(network.parameters()).device
