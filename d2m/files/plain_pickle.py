"""Restricted unpickler for numbers, text, containers and NumPy arrays, with bounded memory.

A file passes two checks. First, the opcodes are read without executing them: only those that build plain data are
allowed, lengths must fit the file, and memo numbers must be small (a huge one makes the unpickler allocate as much).
Then each global must be one of the four array constructors of NumPy (1 or 2), whose arguments are checked. Objects of
other libraries are refused or, if the caller names the library, replaced by a :class:`PlainObject` with their contents
and without their code.
"""

from __future__ import annotations

import io
import pickle
import pickletools
from collections.abc import Callable, Collection
from pathlib import Path

import numpy as np

from d2m.errors import D2MError

#: Largest pickle that is read, bytes: ten times the longest AIST++ file.
MOST_BYTES = 100_000_000
_MOST_MEMO = 100_000
#: An array takes some twenty; an empty list takes one byte of the file and seventy of memory.
_MOST_OPCODES = 1_000_000
_OPCODES = """
PROTO FRAME STOP MARK POP POP_MARK NONE NEWTRUE NEWFALSE INT BININT BININT1 BININT2 LONG LONG1 FLOAT BINFLOAT
STRING BINSTRING SHORT_BINSTRING UNICODE SHORT_BINUNICODE BINUNICODE BINUNICODE8 SHORT_BINBYTES BINBYTES BINBYTES8
BYTEARRAY8 EMPTY_LIST APPEND APPENDS LIST EMPTY_TUPLE TUPLE TUPLE1 TUPLE2 TUPLE3 EMPTY_DICT DICT SETITEM SETITEMS
GET BINGET LONG_BINGET PUT BINPUT LONG_BINPUT MEMOIZE GLOBAL STACK_GLOBAL REDUCE BUILD
"""
_ALLOWED = frozenset(_OPCODES.split())
#: What pickles of objects need besides; harmless where the only classes at hand are stand-ins.
_OF_OBJECTS = frozenset(("NEWOBJ",))


def load_pickle(path: str | Path, most_bytes: int = MOST_BYTES, libraries: Collection[str] = ()) -> dict[str, object]:
    """Return the dictionary in a pickle file.

    Args:
        path: the file.
        most_bytes: larger files are refused.
        libraries: top-level packages such as ``"scipy"`` whose objects come out as :class:`PlainObject`.

    Raises:
        D2MError: if it is missing, too large, damaged, holds anything but data, or is not a dictionary.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            data = file.read(most_bytes + 1)
    except OSError as error:
        raise D2MError(f"cannot read {path}: {error.strerror or error}") from error
    if len(data) > most_bytes:
        raise D2MError(f"{path} is larger than {most_bytes // 1_000_000} MB, more than such a file needs")
    try:
        _inspect(data, _ALLOWED | _OF_OBJECTS if libraries else _ALLOWED)
        result = _Plain(data, libraries).load()
    except _Unsafe as error:
        raise D2MError(f"{path} {error}; do not use it") from error
    except (
        pickle.UnpicklingError, EOFError, ValueError, TypeError, AttributeError, KeyError, IndexError, MemoryError,
        OverflowError, RecursionError, SystemError,
    ) as error:  # fmt: skip
        raise D2MError(f"{path} is damaged or not a pickle file; download it again") from error
    if not isinstance(result, dict):
        raise D2MError(f"{path} holds no dictionary of arrays; it is another kind of file")
    return {key: np.asarray(v) if isinstance(v, np.ndarray) else v for key, v in result.items()}


class PlainObject:
    """Contents of an object of another library, without its class and methods.

    Attributes:
        contents: its state by name; empty if it was no dictionary.
    """

    contents: dict[str, object] = {}

    def __setstate__(self, state: object) -> None:
        self.contents = state if isinstance(state, dict) else {}


class _Unsafe(Exception):
    """What makes the file unsafe, as the middle of a sentence."""


def _inspect(data: bytes, allowed: Collection[str]) -> None:
    for count, (opcode, argument, _) in enumerate(pickletools.genops(data)):
        if count >= _MOST_OPCODES:
            raise _Unsafe("holds more single values than arrays do")
        if opcode.name not in allowed:
            raise _Unsafe(f"is no plain data (opcode {opcode.name})")
        keeps = opcode.name in ("PUT", "BINPUT", "LONG_BINPUT")
        if keeps and not (isinstance(argument, int) and argument <= _MOST_MEMO):
            raise _Unsafe("asks for an absurd amount of memory")


class _Plain(pickle.Unpickler):
    def __init__(self, data: bytes, libraries: Collection[str]):
        super().__init__(io.BytesIO(data), encoding="latin1")
        self._libraries = libraries

    def find_class(self, module: str, name: str) -> object:
        if module.split(".")[0] in self._libraries:
            return PlainObject
        known = _BUILDERS | _OBJECT_BUILDERS if self._libraries else _BUILDERS
        found = known.get((module.replace("numpy._core", "numpy.core"), name))
        if found is None:
            raise _Unsafe(f"wants to run {module}.{name}"[:120])
        return found

    def persistent_load(self, pid: object) -> object:
        raise _Unsafe("refers to data outside the file")


class _Builder:
    """A function that a pickle may call but not alter: functions take any attribute that they are given."""

    __slots__ = ("_function",)

    def __init__(self, function: Callable[..., object]):
        self._function = function

    def __call__(self, *arguments: object) -> object:
        return self._function(*arguments)

    def __setstate__(self, state: object) -> None:
        raise _Unsafe("alters what reads it")


class _Kind:
    """The type of a number, with its byte order; never a structure, never an object."""

    def __init__(self, spec: object, *_: object):
        text = spec.decode("ascii") if isinstance(spec, bytes) else spec
        if not isinstance(text, str) or len(text) > 4 or np.dtype(text).kind not in "fiub":
            raise _Unsafe("holds an array of something else than numbers")
        self.dtype = np.dtype(text)

    def __setstate__(self, state: tuple) -> None:
        if state[1] in ("<", ">"):
            self.dtype = self.dtype.newbyteorder(state[1])


class _Filled(np.ndarray):
    """An array whose contents come from the bytes of numbers."""

    def __setstate__(self, state: tuple) -> None:
        version, shape, kind, fortran, content = state
        if not isinstance(kind, _Kind) or not isinstance(content, bytes | str):
            raise _Unsafe("holds an array of something else than numbers")
        raw = content.encode("latin1") if isinstance(content, str) else content
        super().__setstate__((version, shape, kind.dtype, fortran, raw))


def _no_array(*_: object) -> None:
    raise _Unsafe("builds an array in an unusual way")


#: Placeholder for NumPy's array class as an argument of a constructor; it builds nothing. It is no class: a pickle
#: may give those any attribute, too.
_ARRAY_CLASS = _Builder(_no_array)


def _array(kind: object, shape: object, letter: object) -> np.ndarray:
    # numpy starts from an empty array and fills in shape, type and bytes afterwards, checking that they agree
    if kind is not _ARRAY_CLASS or shape != (0,):
        raise _Unsafe("builds an array in an unusual way")
    return _Filled.__new__(_Filled, (0,), np.int8)


def _scalar(kind: object, content: object) -> np.generic:
    if not isinstance(kind, _Kind) or not isinstance(content, bytes | str):
        raise _Unsafe("holds a number of an unusual kind")
    raw = content.encode("latin1") if isinstance(content, str) else content
    return np.frombuffer(raw, kind.dtype)[0]


def _from_buffer(content: object, kind: object, shape: object, order: object, *_: object) -> np.ndarray:
    if not isinstance(kind, _Kind) or not isinstance(content, bytes | bytearray):
        raise _Unsafe("holds an array of something else than numbers")
    if not isinstance(shape, tuple):
        raise _Unsafe("builds an array in an unusual way")
    return np.frombuffer(content, kind.dtype).reshape(shape, order="F" if order == "F" else "C")


def _encode(text: object, encoding: object = "latin1") -> bytes:
    # protocols 0 to 2 write bytes as text
    if not isinstance(text, str) or encoding != "latin1":
        raise _Unsafe("encodes text in an unusual way")
    return text.encode("latin1")


def _no_bytes(*arguments: object) -> bytes:
    # how protocols 0 to 2 write empty bytes
    if arguments:
        raise _Unsafe("builds bytes in an unusual way")
    return b""


def _object_of(kind: object, base: object, state: object) -> PlainObject:
    # how protocols 0 and 1 make objects
    if kind is not PlainObject or base is not _OBJECT_CLASS or state is not None:
        raise _Unsafe("builds an object in an unusual way")
    return PlainObject()


#: Stands for ``object`` there.
_OBJECT_CLASS = _Builder(_no_array)


_BUILDERS: dict[tuple[str, str], object] = {
    ("numpy.core.multiarray", "_reconstruct"): _Builder(_array),
    ("numpy.core.multiarray", "scalar"): _Builder(_scalar),
    ("numpy.core.numeric", "_frombuffer"): _Builder(_from_buffer),
    ("numpy", "ndarray"): _ARRAY_CLASS,
    ("numpy", "dtype"): _Kind,
    ("_codecs", "encode"): _Builder(_encode),
    ("__builtin__", "bytes"): _Builder(_no_bytes),
    ("builtins", "bytes"): _Builder(_no_bytes),
}
_OBJECT_BUILDERS: dict[tuple[str, str], object] = {
    ("copy_reg", "_reconstructor"): _Builder(_object_of),
    ("copyreg", "_reconstructor"): _Builder(_object_of),
    ("__builtin__", "object"): _OBJECT_CLASS,
    ("builtins", "object"): _OBJECT_CLASS,
    ("collections", "OrderedDict"): dict,
}
