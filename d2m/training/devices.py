"""Devices of a run: Lightning Fabric, and processes that share every batch and average their gradients.

One device is one process. ``d2m train ... --devices 4`` starts four; under ``torchrun`` the processes exist already,
and their number is read from the environment. All of them draw the same batch from the seed, compute their own rows
of it and average the results, so that the number of devices changes the time of a step and not its result.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from d2m.errors import D2MError

if TYPE_CHECKING:
    from lightning.fabric import Fabric

#: What ``--precision`` takes.
PRECISIONS: tuple[str, ...] = ("32-true", "bf16-mixed", "16-mixed")
#: What ``--strategy`` takes: both average gradients over the processes; one process needs nothing.
STRATEGIES: tuple[str, ...] = ("auto", "ddp")
#: Values that are averaged over the processes in one go (64 MiB).
_BUCKET = 1 << 24


def make_fabric(accelerator: str, devices: int, nodes: int, strategy: str, precision: str) -> Fabric:
    """Return Fabric with its processes started.

    Args:
        accelerator: ``"auto"``, ``"cpu"``, ``"cuda"``, ... as Fabric takes them.
        devices: processes on each node. Under ``torchrun``, 1 stands for what it was told.
        nodes: machines.
        strategy: one of :data:`STRATEGIES`.
        precision: one of :data:`PRECISIONS`.

    Raises:
        D2MError: if there are no such devices, or the processes do not find each other.
    """
    if precision not in PRECISIONS:
        raise D2MError(f"no precision '{precision}'; choose one of {', '.join(PRECISIONS)}")
    if strategy not in STRATEGIES:
        raise D2MError(f"no strategy '{strategy}' for these models, which fit one device; choose ddp or auto")
    if devices < 1 or nodes < 1:
        raise D2MError("devices and nodes are counted from 1")
    if torch.distributed.is_torchelastic_launched() and devices == nodes == 1:
        devices = int(os.environ["LOCAL_WORLD_SIZE"])
        nodes = int(os.environ["WORLD_SIZE"]) // devices
    from lightning.fabric import Fabric

    # It greets every run, and every process.
    for name in ("lightning.fabric", "lightning.pytorch"):
        logging.getLogger(name).setLevel(logging.WARNING)
    many = devices * nodes > 1
    if many:
        from d2m.training.averaging import Averaging
    try:
        fabric = Fabric(
            accelerator=accelerator,
            devices=devices,
            num_nodes=nodes,
            strategy=Averaging() if many else "auto",
            precision=precision,  # type: ignore[arg-type]  # Fabric refuses what is none of its names
        )
        fabric.launch()
    except Exception as error:  # Lightning raises many kinds for settings that do not fit the machine
        reason = " ".join(str(error).split()).removesuffix(".")
        raise D2MError(f"cannot train on {devices} x '{accelerator}' ({nodes} nodes): {reason}") from error
    if precision == "16-mixed" and fabric.device.type == "cpu":
        raise D2MError("16-mixed needs a GPU; on a processor use --precision bf16-mixed")
    return fabric


def average_gradients(parameters: Iterable[nn.Parameter]) -> None:
    """Replace the gradients by their means over the processes.

    Args:
        parameters: parameters of the networks.
    """
    if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        return
    world, bucket, size = torch.distributed.get_world_size(), [], 0
    for parameter in parameters:
        if parameter.grad is None:
            continue
        bucket.append(parameter.grad)
        size += parameter.grad.numel()
        if size >= _BUCKET:
            _average(bucket, world)
            bucket, size = [], 0
    if bucket:
        _average(bucket, world)


def _average(tensors: list[Tensor], world: int) -> None:
    flat = torch.cat([tensor.flatten() for tensor in tensors])
    torch.distributed.all_reduce(flat)
    flat /= world
    for tensor, mean in zip(tensors, flat.split([tensor.numel() for tensor in tensors]), strict=True):
        tensor.copy_(mean.view_as(tensor))


def share_of(count: int, fabric: Fabric) -> slice:
    """Return the rows of a batch that this process computes.

    Args:
        count: rows of the batch.
        fabric: Lightning Fabric of the run.

    Raises:
        D2MError: if the batch cannot be shared evenly, which would weigh its rows unevenly.
    """
    if count % fabric.world_size:
        raise D2MError(f"a batch of {count} cannot be shared by {fabric.world_size} devices; choose a multiple of it")
    part = count // fabric.world_size
    return slice(fabric.global_rank * part, (fabric.global_rank + 1) * part)


def mean_of(figures: dict[str, float], fabric: Fabric) -> dict[str, float]:
    """Average metrics over the processes, all of which must have the same ones.

    Args:
        figures: figures by name.
        fabric: Lightning Fabric of the run.
    """
    if fabric.world_size == 1 or not figures:
        return figures
    values = torch.tensor(list(figures.values()), dtype=torch.float64, device=fabric.device)
    torch.distributed.all_reduce(values)
    return dict(zip(figures, (values / fabric.world_size).tolist(), strict=True))


def greatest(value: int, fabric: Fabric) -> int:
    """Return the maximum over the processes.

    Args:
        value: value of this process.
        fabric: Lightning Fabric of the run.
    """
    if fabric.world_size == 1:
        return value
    tensor = torch.tensor(value, device=fabric.device)
    torch.distributed.all_reduce(tensor, torch.distributed.ReduceOp.MAX)
    return int(tensor)


def of_all(value: object, fabric: Fabric) -> list[Any]:
    """Gather plain values of all processes.

    Args:
        value: value of this process.
        fabric: Lightning Fabric of the run.

    Returns:
        The values, by rank.
    """
    if fabric.world_size == 1:
        return [value]
    values: list[Any] = [None] * fabric.world_size
    torch.distributed.all_gather_object(values, value)
    return values


def device_name(device: torch.device) -> str:
    """Return the name of a device for people: of a GPU its model, of the processor its kind and cores.

    Args:
        device: the device.
    """
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{device.type} with {torch.get_num_threads()} threads" if device.type == "cpu" else str(device)
