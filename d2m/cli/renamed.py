"""Options that were renamed, and options whose value may be left out."""

from __future__ import annotations

from collections.abc import Sequence

#: Options that were renamed, without their dashes: old name -> new name. The old names stay for one release.
RENAMED = {
    "unheard": "input-dropout",
    "turned": "rotate-prob",
    "spare": "min-play",
    "guided": "imitation-weight",
    "lessons": "replay-steps",
    "judged": "critic-weight",
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
