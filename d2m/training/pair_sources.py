"""Where the training of the generator draws its examples from: all of them in memory, or shards read in turn."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from d2m.datasets.pairs import Pair
from d2m.datasets.shards import ShardOrder, read_shard
from d2m.errors import D2MError
from d2m.files.store import Store


@dataclass(frozen=True)
class Example:
    """An example and the features that the generator aims at.

    Attributes:
        pair: music, score and dance.
        target: quantised features of the codec, float16 (D, F).
    """

    pair: Pair
    target: np.ndarray


class PairSource(Protocol):
    """Source of training examples."""

    @property
    def is_shared(self) -> bool:
        """Whether all processes of a run have the same examples."""

    def at(self, step: int) -> list[Example]:
        """Return the examples that are drawn from at a step.

        Args:
            step: number of the training step.
        """


@dataclass(frozen=True)
class InMemory:
    """All examples, in the memory of every process."""

    examples: list[Example]

    @property
    def is_shared(self) -> bool:
        """Whether all processes have the same examples: they do."""
        return True

    def at(self, step: int) -> list[Example]:
        """Return all examples.

        Args:
            step: number of the training step.
        """
        return self.examples


@dataclass
class Sharded:
    """A few shards at a time; see :class:`~d2m.datasets.shards.ShardOrder`. The next one is read in the background.

    Attributes:
        store: folder or URL of the shards.
        names: names of all shards.
        order: order in which they are read.
        frames: least length of an example in frames.
        encode: returns the target of an example.
    """

    store: Store
    names: list[str]
    order: ShardOrder
    frames: int
    encode: Callable[[Pair], np.ndarray]
    _held: dict[int, list[Example]] = field(default_factory=dict)
    _ahead: dict[int, Future[list[Pair]]] = field(default_factory=dict)
    _reader: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, thread_name_prefix="shards"))
    _shards: list[int] = field(default_factory=list)
    _examples: list[Example] = field(default_factory=list)

    @property
    def is_shared(self) -> bool:
        """Whether all processes have the same examples: each has shards of its own."""
        return False

    def at(self, step: int) -> list[Example]:
        """Return the examples of the shards that are in memory at a step.

        Args:
            step: number of the training step.

        Raises:
            D2MError: if a shard cannot be read, or none of them has an example that is long enough.
        """
        shards = self.order.at(step)
        if shards != self._shards:
            self._change(shards, self.order.at(step + self.order.every))
        return self._examples

    def _change(self, shards: list[int], following: list[int]) -> None:
        """Read the shards that are new, drop those that are no longer wanted, and begin to read the next ones."""
        self._held = {shard: self._held[shard] if shard in self._held else self._read(shard) for shard in set(shards)}
        self._ahead = {
            shard: self._ahead.get(shard) or self._reader.submit(read_shard, self.store, self.names[shard])
            for shard in set(following) - set(shards)
        }
        self._shards = shards
        self._examples = [example for shard in sorted(self._held) for example in self._held[shard]]
        if not self._examples:
            where = ", ".join(self.store.path(self.names[shard]) for shard in sorted(self._held))
            raise D2MError(f"no examples of {self.frames} frames or more in {where}; make other shards")

    def _read(self, shard: int) -> list[Example]:
        waiting = self._ahead.pop(shard, None)
        pairs = waiting.result() if waiting is not None else read_shard(self.store, self.names[shard])
        return [Example(pair, self.encode(pair)) for pair in pairs if pair.frames >= self.frames]
