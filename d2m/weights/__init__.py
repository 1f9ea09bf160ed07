"""Trained weights: those that ship with the package, and files of the user.

Every shipped set is two files in this folder: ``<name>.safetensors`` (float16 parameters, the model's kind and
configuration in its header) and ``<name>.toml`` (the card: architecture, training data, scores).

    list_cards()                     cards of the shipped weights
    find("studio", "generator")      path and card of a name or a path
    load_state(path, "generator")    parameters in float32 and the configuration
    save_state(path, ...)            write such a file atomically
    verify("studio-codec")           compare the file with its card

Files from elsewhere are read as data only: the size of a header is checked before it is parsed, and PyTorch files are
read without executing code in them (see :mod:`d2m.weights.checkpoint`). Importing this package loads no heavy package.
"""

from __future__ import annotations

from .card import Card
from .files import describe_kind, load_state, save_state
from .store import find, list_cards, verify

__all__ = ["Card", "describe_kind", "find", "list_cards", "load_state", "save_state", "verify"]
