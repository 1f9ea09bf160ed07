"""Find weights by name or path, and check them against their cards."""

from __future__ import annotations

from pathlib import Path

from d2m.errors import D2MError
from d2m.files.download import sha256_of

from .card import Card
from .catalogue import find_entry, path_of
from .files import describe_kind

#: Folder of the shipped files.
FOLDER = Path(__file__).parent


def list_cards() -> list[Card]:
    """Return the cards of all shipped weights, sorted by name."""
    return sorted((Card.read(path) for path in FOLDER.glob("*.toml")), key=lambda card: card.name)


def find(name_or_path: Path | str, kind: str | None = None) -> tuple[Path, Card | None]:
    """Return where a name or path given by a user leads.

    Args:
        name_or_path: a card's name (``"studio-codec"``), the name of a family whose member of the wanted kind
            is meant (``"studio"``), a name of the catalogue (:mod:`d2m.weights.catalogue`), or the path of a file.
        kind: the kind that is needed; checked against the card. None takes any.

    Returns:
        The weights file, which exists, and its card, or None for a file without one.

    Raises:
        D2MError: if nothing has that name, or it is another kind of model.
    """
    path = Path(name_or_path)
    if path.is_dir():
        raise D2MError(f"{path} is a folder; give a weights file or one of: {_names()}")
    if path.is_file():
        beside = path.with_suffix(".toml")
        card = Card.read(beside) if beside.is_file() and path.suffix == ".safetensors" else None
        return path, _of_kind(card, kind)
    card = _by_name(str(name_or_path), kind)
    entry = find_entry(name_or_path)
    if card is None and entry is not None:
        if kind not in (None, entry.kind):
            raise D2MError(f"'{entry.name}' is {describe_kind(entry.kind)}, but {describe_kind(kind)} is needed here")
        return path_of(entry), None
    if card is None:
        raise D2MError(f"no weights called '{name_or_path}'; give a file or one of: {_names()}")
    file = FOLDER / card.file
    if not file.is_file():
        raise D2MError(f"the weights '{card.name}' are missing from the installation ({card.file}); install d2m again")
    return file, _of_kind(card, kind)


def verify(name_or_path: Path | str) -> Card:
    """Check a weights file against the sha256 on its card.

    Args:
        name_or_path: name of weights, or a file.

    Returns:
        The card.

    Raises:
        D2MError: if there is no card, or the file is not the one that it describes.
    """
    path, card = find(name_or_path)
    if card is None:
        raise D2MError(f"{path} has no card beside it to check it against")
    actual = sha256_of(path)
    if actual != card.sha256:
        raise D2MError(f"{path} is not the file that its card describes (sha256 {actual[:12]}…); install d2m again")
    return card


def _by_name(name: str, kind: str | None) -> Card | None:
    cards = list_cards()
    for card in cards:
        if card.name == name:
            return card
    family = [card for card in cards if card.name.startswith(f"{name}-") and kind in (None, card.kind)]
    return family[0] if len(family) == 1 else None


def _of_kind(card: Card | None, kind: str | None) -> Card | None:
    if card is not None and kind is not None and card.kind != kind:
        raise D2MError(f"'{card.name}' is {describe_kind(card.kind)}, but {describe_kind(kind)} is needed here")
    return card


def _names() -> str:
    return ", ".join(card.name for card in list_cards()) or "(none is installed)"
