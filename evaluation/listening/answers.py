"""Answers of a listener: validated before use, since they may come from anywhere."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from d2m.errors import D2MError

#: Bytes of one listener's answers at most; a clip takes about 150.
MAX_BYTES = 1 << 18


@dataclass(frozen=True)
class Rating:
    """One clip as one listener judged it.

    Attributes:
        listener: an id drawn in the browser.
        item: which dance or piece.
        system: whose music.
        answers: question -> 1 to 5.
        seconds: from the clip's appearance to the answer.
    """

    listener: str
    item: str
    system: str
    answers: Mapping[str, int]
    seconds: float


@dataclass(frozen=True)
class Listener:
    """All that one listener sent.

    Attributes:
        name: an id drawn in the browser.
        ratings: in the order heard, attention checks left out.
        checks, failed: attention checks heard, and those with a wrong count.
        about: what the listener said about experience and equipment.
    """

    name: str
    ratings: tuple[Rating, ...]
    checks: int
    failed: int
    about: Mapping[str, str]


def parse(data: bytes, key: Mapping[str, Any]) -> Listener:
    """Parse answers as sent and saved by the page.

    Args:
        data: JSON.
        key: key of the test, from ``key.json``.

    Raises:
        D2MError: if they are not answers to this test.
    """
    if len(data) > MAX_BYTES:
        raise D2MError("these answers are too long to be any listener's")
    try:
        sent = json.loads(data)
        name = sent["listener"]
        if not re.fullmatch(r"[0-9a-f]{16}", name):
            raise ValueError("listener")
        about = {str(k)[:40]: str(v)[:200] for k, v in sent["about"].items()}
        if len(about) > 20 or len(sent["answers"]) > len(key["clips"]):
            raise ValueError("answers")
        scales = {question["name"] for question in key["questions"]}
        ratings, checks, failed, seen = [], 0, 0, set()
        for one in sent["answers"]:
            clip, answers = key["clips"][one["clip"]], one["answers"]
            if one["clip"] in seen:
                raise ValueError("clip twice")
            seen.add(one["clip"])
            if clip["beeps"]:
                checks += 1
                failed += _count(answers["beeps"]) != clip["beeps"]
                continue
            if set(answers) != scales or not all(1 <= _count(value) <= 5 for value in answers.values()):
                raise ValueError("points")
            ratings.append(Rating(name, clip["item"], clip["system"], dict(answers), float(one["seconds"])))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise D2MError("these are not answers to this listening test") from error
    return Listener(name, tuple(ratings), checks, failed, about)


def _count(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError("not a whole number")
    return value


def read_key(folder: Path) -> dict[str, Any]:
    """Read the key of a test of :func:`~d2m.evaluation.listening.make.make_test`.

    Args:
        folder: folder of the test.

    Raises:
        D2MError: if there is none.
    """
    try:
        key = json.loads((folder / "key.json").read_text("utf-8"))
        known = {"title": key["title"], "questions": key["questions"], "clips": key["clips"]}
        return known | {"reference": key.get("reference")}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise D2MError(f"no listening test in {folder}; make one with d2m evaluate listening make") from error
