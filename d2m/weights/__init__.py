"""Trained weights: the ones that ship with the package, and files that a user brings along.

Every shipped set is two files in this folder: ``<name>.safetensors`` (float16 parameters, the model's kind
and configuration in its header) and ``<name>.toml`` (the card: what it is, what it was trained on, how well
it does).

    list_cards()                     what is shipped
    find("studio", "generator")      where a name or a path leads, and its card
    load_state(path, "generator")    parameters in float32 and the configuration
    save_state(path, ...)            write such a file, whole or not at all
    verify("studio-codec")           is the file the one that the card describes?

Files from elsewhere are data only: a header is bounded before it is parsed, and PyTorch files are read
without running what they contain (see :mod:`d2m.weights.checkpoint`). Importing this package loads nothing
heavy.
"""

from __future__ import annotations

from .card import Card
from .files import describe_kind, load_state, save_state
from .store import find, list_cards, verify

__all__ = ["Card", "describe_kind", "find", "list_cards", "load_state", "save_state", "verify"]
