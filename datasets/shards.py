"""Shards: many training examples in few large files, each read from its beginning to its end.

A shard is a tar archive in the layout of WebDataset (https://github.com/webdataset/webdataset): the files of an example
have the same name before the first dot, such as ``00000017.npz`` and ``00000017.flac`` (:mod:`d2m.datasets.pairs`). The
examples are shuffled once, when the shards are made, so that each shard is a random sample. Shards lie in a folder or
at a URL such as ``s3://bucket/shards``, with the parts ``train/`` and ``held_out/``.
"""

from __future__ import annotations

import io
import re
import shutil
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from d2m.datasets.pairs import Pair, read_pair
from d2m.errors import D2MError
from d2m.files.careful_tar import MOST_AT_ONCE, CarefulStream, each_member
from d2m.files.store import Store

#: Parts of a folder of examples.
PARTS = ("train", "held_out")
#: Endings of the files of an example.
_ARRAYS, _MUSIC = ".npz", ".flac"
#: Largest shard that is read, in bytes.
MOST_BYTES = 2 << 30
#: Largest size of a shard's arrays in memory, in bytes.
MOST_UNPACKED = 8 << 30


@dataclass(frozen=True)
class ShardOrder:
    """Order in which the processes of a run read shards.

    Each epoch goes through all shards in another order. A process keeps several shards in memory, from which it draws
    examples at random, and replaces the oldest one after a number of steps. What is in memory at a step depends on the
    step alone, so that a resumed run goes on with the same shards.

    Attributes:
        count: number of shards.
        resident: number of shards that each process keeps in memory.
        every: steps after which one is replaced.
        seed: random seed.
        rank, world: number of this process, and of all.
    """

    count: int
    resident: int
    every: int
    seed: int = 0
    rank: int = 0
    world: int = 1

    def at(self, step: int) -> list[int]:
        """Return the shards that are in memory at a step, the oldest first.

        Args:
            step: number of the training step.
        """
        first = step // self.every
        return [self._shard(self.rank + self.world * place) for place in range(first, first + self.resident)]

    def _shard(self, place: int) -> int:
        epoch, within = divmod(place, self.count)
        return int(np.random.default_rng([self.seed, epoch]).permutation(self.count)[within])


def shard_names(store: Store, part: str) -> list[str]:
    """Return the names of the shards of a part, in order.

    Args:
        store: folder or URL of shards.
        part: "train" or "held_out".
    """
    names = (name for name in store.names(part) if name.endswith(".tar"))
    return sorted(name for name in names if PurePosixPath(name).parent.as_posix() == part)


def write_shards(
    folder: Path, store: Store, size: int, seed: int = 0, progress: Callable[[int, int], None] | None = None
) -> dict[str, int]:
    """Pack a folder of examples into shards. Shards of the same content that are there already are not written again.

    Args:
        folder: with the parts ``train`` and ``held_out``.
        store: where the shards are written.
        size: bytes of a shard; one that has reached them is complete.
        seed: random seed of the order of the examples.
        progress: called with the number of examples packed and of all.

    Returns:
        Number of shards by part.

    Raises:
        D2MError: if there are no examples, or a file cannot be read.
    """
    found = {part: sorted((folder / part).glob(f"*{_ARRAYS}")) for part in PARTS}
    if not found["train"]:
        raise D2MError(f"no examples in {folder / 'train'}; make some with 'd2m data examples'")
    done, total = 0, sum(map(len, found.values()))
    counts = {}
    for part, paths in found.items():
        order = np.random.default_rng([seed, PARTS.index(part)]).permutation(len(paths))
        known, number, packed = store.names(part), 0, 0
        for group in _grouped([paths[index] for index in order], size):
            name, content = f"{part}/{number:06d}.tar", _archive(group, packed)
            if name not in known or store.read(name, len(content)) != content:
                store.put(name, content)
            number, packed, done = number + 1, packed + len(group), done + len(group)
            if progress:
                progress(done, total)
        # Shards of an earlier packing into more of them would be read with these; other archives are left alone.
        for name in shard_names(store, part):
            if re.fullmatch(r"\d{6,}", PurePosixPath(name).stem) and int(PurePosixPath(name).stem) >= number:
                store.remove(name)
        counts[part] = number
    return counts


def _grouped(paths: list[Path], size: int) -> Iterator[list[Path]]:
    """Yield the examples of each shard."""
    group: list[Path] = []
    held = 0
    for path in paths:
        group.append(path)
        held += sum(file.stat().st_size for file in _files(path))
        if held >= size:
            yield group
            group, held = [], 0
    if group:
        yield group


def _files(path: Path) -> list[Path]:
    """The files of an example that exist."""
    return [file for file in (path, path.with_suffix(_MUSIC)) if file.is_file()]


def _archive(paths: list[Path], first: int) -> bytes:
    """A tar archive of examples, which are numbered from ``first`` on."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for number, path in enumerate(paths, first):
            for file in _files(path):
                _add(archive, file, f"{number:08d}{file.suffix}")
    return buffer.getvalue()


def _add(archive: tarfile.TarFile, file: Path, name: str) -> None:
    try:
        content = file.read_bytes()
    except OSError as error:
        raise D2MError(f"cannot read {file}: {error.strerror}") from error
    # Owner and time are left out, so that the same examples give the same shard.
    member = tarfile.TarInfo(name)
    member.size = len(content)
    archive.addfile(member, io.BytesIO(content))


def read_shard(store: Store, name: str) -> list[Pair]:
    """Read the examples of a shard.

    Args:
        store: folder or URL of shards.
        name: name of the shard.

    Raises:
        D2MError: if it is missing, damaged, or larger than :data:`MOST_BYTES` (:data:`MOST_UNPACKED` in memory), or an
            example is damaged.
    """
    content = store.read(name, MOST_BYTES)
    if content is None:
        raise D2MError(f"{store.path(name)} is missing, or larger than {MOST_BYTES >> 30} GB")
    arrays: dict[str, bytes] = {}
    music: dict[str, bytes] = {}
    try:
        with tarfile.open(fileobj=CarefulStream(io.BytesIO(content)), mode="r:") as archive:
            for member in each_member(archive):
                key, dot, ending = PurePosixPath(member.name).name.partition(".")
                kept = {_ARRAYS: arrays, _MUSIC: music}.get(dot + ending)
                file = archive.extractfile(member) if kept is not None and member.isreg() else None
                if kept is not None and file is not None:
                    copied = io.BytesIO()
                    shutil.copyfileobj(file, copied, MOST_AT_ONCE // 2)
                    kept[key] = copied.getvalue()
    except (tarfile.TarError, OSError, ValueError, EOFError, RecursionError) as error:
        raise D2MError(f"{store.path(name)} is damaged; make the shards again") from error
    pairs: list[Pair] = []
    held = 0
    for key in sorted(arrays):
        pair = read_pair(f"{store.path(name)}: {key}{_ARRAYS}", arrays.pop(key), music.pop(key, None))
        held += pair.waveform.nbytes + pair.rows.nbytes + pair.motion.nbytes + pair.rhythm.nbytes
        if held > MOST_UNPACKED:
            raise D2MError(f"{store.path(name)} unpacks to more than {MOST_UNPACKED >> 30} GB; make smaller shards")
        pairs.append(pair)
    return pairs
