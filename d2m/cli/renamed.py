"""Options and commands that were renamed, and options whose value may be left out."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

from d2m.errors import D2MWarning

#: Options that were renamed, without their dashes: old name -> new name. The old names stay for one release.
RENAMED = {
    "unheard": "input-dropout",
    "turned": "rotate-prob",
    "spare": "min-play",
    "guided": "imitation-weight",
    "lessons": "replay-steps",
    "judged": "critic-weight",
    "accelerator": "device",
}


def current_name(name: str) -> str:
    """Return the current name of an option that was renamed, and any other name as it is."""
    return RENAMED.get(name, name)


#: Options whose value may be left out: name -> (values, value that stands for none).
OPTIONAL = {"--keep-audio": (("voice", "all"), "all")}


def with_values(arguments: Sequence[str]) -> list[str]:
    """Return the arguments of a command with the values of options that were left out.

    Args:
        arguments: words of the command line.
    """
    words = list(arguments)
    for index, word in enumerate(words):
        if word == "--":
            break
        if word in OPTIONAL and (index + 1 == len(words) or words[index + 1] not in OPTIONAL[word][0]):
            words[index] = f"{word}={OPTIONAL[word][1]}"
    return words


def current_words(command: str, arguments: Sequence[str]) -> list[str]:
    """Return the arguments of a command in which a command that was renamed has its current name.

    ``d2m train generator --model d2m-gan`` is now ``d2m train d2m-gan``; the old form stays for one release and gives a
    warning that names the new one.

    Args:
        command: first word of the command line, such as ``train``.
        arguments: the words after it.
    """
    words = list(arguments)
    if command != "train" or words[:1] != ["generator"]:
        return words
    for index, word in enumerate(words):
        name, equals, value = word.partition("=")
        length = 1 if equals else 2
        value = value if equals else "".join(words[index + 1 : index + 2])
        if name == "--model" and value in _MODELS:
            warnings.warn(f"'train generator --model {value}' is now 'd2m train {_MODELS[value]}'", D2MWarning, 2)
            return [_MODELS[value], *words[1:index], *words[index + length :]]
    return words


#: Former values of ``d2m train generator --model`` -> name of the command of ``d2m train``.
_MODELS = {"temporal": "generator", "d2m-gan": "d2m-gan"}
