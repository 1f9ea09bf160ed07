"""Questions to listeners."""

from __future__ import annotations

import re
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from d2m.errors import D2MError

#: Words for the five points of a scale of quality (ITU-T P.800, annex B).
QUALITY = ("bad", "poor", "fair", "good", "excellent")
AGREEMENT = ("not at all", "a little", "partly", "mostly", "fully")


@dataclass(frozen=True)
class Question:
    """One five-point scale.

    Attributes:
        name: in the answers, a word.
        text: what is asked.
        points: what 1 to 5 stand for.
    """

    name: str
    text: str
    points: tuple[str, ...] = QUALITY

    def plain(self) -> dict[str, Any]:
        """Return all fields as JSON values."""
        return asdict(self)


#: Sets of questions by name: D2M-GAN's two for clips with a picture, MuseGAN's five, two for sound alone.
SETS: dict[str, tuple[Question, ...]] = {
    "dance": (
        Question("coherence", "How well does the music fit the dance?"),
        Question("quality", "How good does the music sound?"),
    ),
    "music": (
        Question("harmony", "Is the harmony pleasant?", AGREEMENT),
        Question("rhythm", "Is the rhythm unified?", AGREEMENT),
        Question("structure", "Is there a clear musical structure?", AGREEMENT),
        Question("coherence", "Does it hang together?", AGREEMENT),
        Question("overall", "How good is it all in all?"),
    ),
    "sound": (
        Question("quality", "How good does the music sound?"),
        Question("overall", "How good is it as a piece of music?"),
    ),
}


def default_questions(pictures: bool) -> str:
    """Return the name of the set for clips with or without a picture.

    Args:
        pictures: whether all clips have one.
    """
    return "dance" if pictures else "sound"


def read_questions(name_or_path: str) -> tuple[Question, ...]:
    """Read a set of questions.

    Args:
        name_or_path: name of a set, or a TOML file with tables ``[[question]]`` of ``name``, ``text`` and optionally
            ``points``.

    Raises:
        D2MError: if there is no such set or file, or the file is not of that form.
    """
    if name_or_path in SETS:
        return SETS[name_or_path]
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    path = Path(name_or_path)
    if not path.is_file():
        raise D2MError(f"no questions called '{name_or_path}'; choose {', '.join(SETS)}, or give a TOML file")
    try:
        tables = tomllib.loads(path.read_text("utf-8"))["question"]
        questions = tuple(
            Question(str(t["name"]), str(t["text"]), tuple(map(str, t.get("points", QUALITY)))) for t in tables
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise D2MError(f"{path}: give tables [[question]] with name, text and five points ({error})") from error
    names = [q.name for q in questions]
    if not questions or len(set(names)) < len(names) or any(not re.fullmatch(r"\w{1,40}", n) for n in names):
        raise D2MError(f"{path}: every question needs a name of its own, one word")
    if any(len(q.points) != 5 for q in questions):
        raise D2MError(f"{path}: a scale has five points")
    return questions
