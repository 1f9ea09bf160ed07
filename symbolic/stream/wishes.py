"""Queue of songs that listeners requested."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from d2m.errors import D2MError

_MOST = 200


class Wish(NamedTuple):
    """A song to be played: the number of the wish, and the song's name."""

    number: int
    name: str


class Wishes:
    """Queue of requests, each with a number.

    Attributes:
        queue: the next first.
        count: number of all wishes so far.
    """

    def __init__(self) -> None:
        self.queue: list[Wish] = []
        self.count = 0

    def add(self, name: str) -> None:
        """Add a song to the end of the queue.

        Args:
            name: name of the song.

        Raises:
            D2MError: if the queue is full.
        """
        if len(self.queue) >= _MOST:
            raise D2MError("the queue is full")
        self.count += 1
        self.queue.append(Wish(self.count, name))

    def remove(self, numbers: Collection[int]) -> None:
        """Remove requests from the queue.

        Args:
            numbers: numbers of the requests.
        """
        self.queue = [wish for wish in self.queue if wish.number not in numbers]

    def move(self, number: int, to: int) -> None:
        """Move a request in the queue.

        Args:
            number: number of the request.
            to: new position, from 0.
        """
        chosen = [wish for wish in self.queue if wish.number == number]
        rest = [wish for wish in self.queue if wish.number != number]
        at = max(to, 0)
        self.queue = rest[:at] + chosen + rest[at:]

    def only(self, known: Collection[str]) -> list[Wish]:
        """Remove requests for songs that no longer exist.

        Args:
            known: names of the songs that exist.

        Returns:
            The requests that were removed.
        """
        gone = [wish for wish in self.queue if wish.name not in known]
        self.queue = [wish for wish in self.queue if wish.name in known]
        return gone
