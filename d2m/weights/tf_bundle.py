"""Read TensorFlow's checkpoints (version 2, "tensor bundle") without TensorFlow, as data.

A checkpoint ``NAME`` is a file ``NAME.index``, a table of variables (:mod:`d2m.weights.tf_table`), and files
``NAME.data-00000-of-00001`` of raw values; ``NAME.meta``, which contains an executable graph, is not read. The files
may be in a folder, or in a tar file, which is read without unpacking. (Format: TensorFlow's
``core/protobuf/tensor_bundle.proto`` and ``core/util/tensor_bundle/``.)

    with open_bundle("hierdec-mel_16bar.tar") as bundle:
        kernel = bundle.read("encoder/mu/kernel")
"""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from d2m.errors import D2MError

from .crc32c import crc32c, unmask
from .tf_table import table, varint
from .tf_tar import Readable, is_tar, tar_files

#: Opens the file of a checkpoint by what follows its name (".index"): the file and its size; None if there is none.
Files = Callable[[str], "tuple[Readable, int] | None"]

#: Around 100 bytes a variable, and no model has 10,000.
_LARGEST_INDEX, _MOST_VARIABLES, _MOST_SHARDS, _MOST_AXES = 4 << 20, 20_000, 100, 8
#: ``DataType`` of TensorFlow's ``types.proto``, as far as plain numbers go.
_TYPES = {1: "<f4", 2: "<f8", 3: "<i4", 9: "<i8", 19: "<f2"}


@dataclass(frozen=True)
class Variable:
    """Place of the values of one variable.

    Attributes:
        type: number in TensorFlow's ``DataType``.
        shape: sizes of the axes; () for a single value.
        shard, offset, size: file and bytes in it.
        checksum: masked CRC-32C of the bytes.
        whole: False if the values are spread over entries of their own.
    """

    type: int
    shape: tuple[int, ...]
    shard: int
    offset: int
    size: int
    checksum: int
    whole: bool


class Bundle:
    """Open checkpoint, made by :func:`open_bundle`.

    Attributes:
        path: as the user gave it, for messages.
        variables: what it holds, by name.
    """

    def __init__(self, path: Path, variables: Mapping[str, Variable], shards: list[tuple[Readable, int]]):
        self.path, self.variables, self._shards = path, variables, shards

    def read(self, name: str) -> np.ndarray:
        """Read the values of a variable and verify their checksum.

        Args:
            name: name of the variable.

        Raises:
            D2MError: if they are damaged, missing, or no plain numbers.
        """
        variable = self.variables[name]
        if variable.type not in _TYPES or not variable.whole:
            raise D2MError(f"{self.path}: '{name}' is not an array of numbers; it belongs to another model")
        kind = np.dtype(_TYPES[variable.type])
        file, length = self._shards[variable.shard]
        if variable.size != math.prod(variable.shape) * kind.itemsize or variable.offset + variable.size > length:
            raise _damaged(self.path, f"'{name}' is cut short")
        content = _read(self.path, file, variable.offset, variable.size)
        if len(content) != variable.size or crc32c(content) != unmask(variable.checksum):
            raise _damaged(self.path, f"the checksum of '{name}' is wrong")
        return np.frombuffer(content, kind).reshape(variable.shape)


def is_bundle(path: Path | str) -> bool:
    """Tell whether a path is a checkpoint: its prefix, one of its files, or a tar file.

    Args:
        path: the path.
    """
    path = Path(path)
    return is_tar(path) or _file(path, ".index").is_file()


@contextlib.contextmanager
def open_bundle(path: Path | str) -> Iterator[Bundle]:
    """Open a checkpoint for reading.

    No more memory is taken than the index and the variables that are asked for are long.

    Args:
        path: ``NAME`` as TensorFlow calls it, one of its files, or a tar file with one checkpoint in it.

    Raises:
        D2MError: if a file is missing or damaged, or it is no such checkpoint.
    """
    path = Path(path)
    with contextlib.ExitStack() as stack:
        files: Files = tar_files(path, stack) if is_tar(path) else _beside(path, stack)
        index = files(".index")
        if index is None:
            raise D2MError(f"{path} holds no TensorFlow checkpoint: there is no .index file; download it again")
        if index[1] > _LARGEST_INDEX:
            raise D2MError(
                f"{path}: its index has {index[1]} bytes, more than any model here needs; download the file again"
            )
        try:
            count, variables = _variables(_read(path, index[0], 0, index[1]))
        except ValueError as error:
            raise _damaged(path, str(error)) from error
        shards = []
        for number in range(count):
            suffix = f".data-{number:05d}-of-{count:05d}"
            shard = files(suffix)
            if shard is None:
                raise D2MError(f"{path} is incomplete: its file '...{suffix}' is missing; put it beside the others")
            shards.append(shard)
        # Else many variables could point to the same bytes and take memory without end.
        if sum(variable.size for variable in variables.values()) > sum(length for _, length in shards):
            raise _damaged(path, "its data is shorter than its index says")
        yield Bundle(path, variables, shards)


_SUFFIX = re.compile(r"\.(index|meta|data-\d{5}-of-\d{5})$")


def _file(path: Path, suffix: str) -> Path:
    """A file of the checkpoint that a path leads to."""
    return path.parent / (_SUFFIX.sub("", path.name) + suffix)


def _beside(path: Path, stack: contextlib.ExitStack) -> Files:
    def find(suffix: str) -> tuple[Readable, int] | None:
        file = _file(path, suffix)
        if not file.is_file():
            return None
        try:
            return stack.enter_context(file.open("rb")), file.stat().st_size
        except OSError as error:
            raise D2MError(f"cannot read {file}: {error.strerror}") from error

    return find


def _read(path: Path, file: Readable, offset: int, size: int) -> bytes:
    try:
        file.seek(offset)
        return file.read(size)
    except (OSError, EOFError, ValueError) as error:
        raise _damaged(path, str(error).strip() or type(error).__name__) from error


def _damaged(path: Path, why: str) -> D2MError:
    return D2MError(f"{path} is damaged or not a TensorFlow checkpoint ({why[:120]}); download the file again")


def _variables(index: bytes) -> tuple[int, dict[str, Variable]]:
    """How many data files there are, and what lies in them. Raises ValueError."""
    variables: dict[str, Variable] = {}
    count = 0
    for key, value in table(index):
        if not key:
            count = _shards(value)
            continue
        if len(variables) >= _MOST_VARIABLES:
            raise ValueError("it names more variables than any model has")
        # A slice of a variable has a binary key that begins with zero; it is found through its variable alone.
        if not key.startswith(b"\0"):
            variable = _variable(value)
            if not 0 <= variable.shard < count:
                raise ValueError("it names a data file that is not there")
            variables[key.decode("utf-8", "backslashreplace")] = variable
    if not count:
        raise ValueError("its index has no header")
    return count, variables


def _shards(header: bytes) -> int:
    """Of a ``BundleHeaderProto``: 1 number of data files, 2 byte order, 3 version."""
    fields = dict(_fields(header))
    if fields.get(2, 0):
        raise ValueError("it was written on a big-endian machine")
    count = fields.get(1, 0)
    if not isinstance(count, int) or not 1 <= count <= _MOST_SHARDS:
        raise ValueError("its index has a header that cannot be")
    return count


def _variable(entry: bytes) -> Variable:
    """Of a ``BundleEntryProto``: 1 type, 2 shape, 3 data file, 4 offset, 5 size, 6 CRC, 7 slices."""
    numbers, whole = {1: 0, 3: 0, 4: 0, 5: 0, 6: 0}, True
    shape: tuple[int, ...] = ()
    for field, value in _fields(entry):
        if field == 2 and isinstance(value, bytes):
            shape = _shape(value)
        elif field == 7:
            whole = False
        elif field in numbers and isinstance(value, int):
            numbers[field] = value
    return Variable(numbers[1], shape, numbers[3], numbers[4], numbers[5], numbers[6], whole)


def _shape(content: bytes) -> tuple[int, ...]:
    """Of a ``TensorShapeProto``: 2 an axis, of which 1 is the size."""
    sizes: list[int] = []
    for field, axis in _fields(content):
        if field == 2 and isinstance(axis, bytes):
            size = dict(_fields(axis)).get(1, 0)
            if not isinstance(size, int) or size >= 1 << 40 or len(sizes) >= _MOST_AXES:
                raise ValueError("a shape in it cannot be")
            sizes.append(size)
    return tuple(sizes)


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """The fields of a protocol buffer: number, and a whole number or bytes (format: protobuf.dev, "Encoding")."""
    place = 0
    while place < len(message):
        tag, place = varint(message, place)
        kind = tag & 7
        if kind == 0:
            value, place = varint(message, place)
            yield tag >> 3, value
            continue
        size, place = varint(message, place) if kind == 2 else ({1: 8, 5: 4}.get(kind, -1), place)
        if size < 0 or place + size > len(message):
            raise ValueError("an entry in it is cut short")
        content = message[place : place + size]
        place += size
        yield tag >> 3, content if kind == 2 else int.from_bytes(content, "little")
