"""Manifest of a run: a Parquet table of what was done, in parts that are never changed.

A run writes a new part after some hundred units or half a minute, as ``manifest/TIME-RANDOM.parquet``. What a run that
ended suddenly had not written yet is written by the next run, which finds the results themselves.
"""

from __future__ import annotations

import io
import platform
import secrets
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from d2m.errors import D2MError
from d2m.extras import require
from d2m.files.store import Store
from d2m.version import __version__

FOLDER = "manifest"
#: Units of a part, and seconds after which a part is written.
_ROWS, _SECONDS = 500, 30.0
_LONGEST = 1 << 28


@dataclass(frozen=True)
class Record:
    """Line of a manifest.

    Attributes:
        unit: key of the unit: a hash of the input's content, the settings and the version.
        input: path or URL of the input.
        identity: size and time of the input, or the checksum that its file system keeps.
        settings: hash of the settings, the same for all units of a command.
        outcome: ``"made"``, ``"unchanged"`` (it was there), ``"failed"`` or ``"crashed"``.
        error: why it failed, else "".
        seconds: computing time in seconds.
        host: name of the machine that did the work.
        version: version of d2m.
        output: name of the file in the store that proves the result, else "".
        finished: seconds since 1970.
    """

    unit: str
    input: str
    identity: str
    settings: str
    outcome: str
    error: str
    seconds: float
    host: str = field(default_factory=platform.node)
    version: str = __version__
    output: str = ""
    finished: float = field(default_factory=time.time)


_NAMES = tuple(each.name for each in fields(Record))


class Manifest:
    """Manifest of a store, to which records are added."""

    def __init__(self, store: Store) -> None:
        """Open a manifest.

        Args:
            store: store of the results.

        Raises:
            D2MError: if pyarrow is not installed.
        """
        require("pyarrow", "cluster", "the manifest of a run")
        self._store = store
        self._waiting: list[Record] = []
        self._since = time.monotonic()

    def add(self, record: Record) -> None:
        """Add a record; it is written with the next part.

        Args:
            record: the record.
        """
        self._waiting.append(record)
        if len(self._waiting) >= _ROWS or time.monotonic() - self._since > _SECONDS:
            self.flush()

    def flush(self) -> None:
        """Write the records that are not written yet."""
        self._since = time.monotonic()
        if not self._waiting:
            return
        import pyarrow
        import pyarrow.parquet

        table = pyarrow.Table.from_pylist([asdict(record) for record in self._waiting])
        buffer = io.BytesIO()
        pyarrow.parquet.write_table(table, buffer, compression="zstd")
        name = f"{FOLDER}/{time.strftime('%Y%m%dT%H%M%S', time.gmtime())}-{secrets.token_hex(4)}.parquet"
        self._store.put(name, buffer.getvalue())
        self._waiting.clear()

    def records(self) -> Iterator[Record]:
        """Yield all records that are written, in the order of the parts.

        Raises:
            D2MError: if a part is damaged.
        """
        import pyarrow
        import pyarrow.parquet

        for name in sorted(self._store.names(FOLDER)):
            if not name.endswith(".parquet"):
                continue
            content = self._store.read(name, _LONGEST)
            try:
                rows = pyarrow.parquet.read_table(io.BytesIO(content or b""), columns=list(_NAMES)).to_pylist()
            except (pyarrow.ArrowException, OSError, ValueError, KeyError) as error:
                reason = str(error).splitlines()[0]
                raise D2MError(f"{self._store.path(name)} is damaged ({reason}); remove it") from None
            yield from (Record(**_typed(row)) for row in rows)

    def results(self) -> dict[str, Record]:
        """Return the latest record of each unit, without those that failed."""
        latest: dict[str, Record] = {}
        for record in self.records():
            before = latest.get(record.unit)
            if record.outcome == "unchanged" and before is not None:
                continue  # the first record says who made it
            latest[record.unit] = record
        return {unit: record for unit, record in latest.items() if record.outcome in ("made", "unchanged")}

    def known(self, settings: str) -> dict[tuple[str, str], Record]:
        """Return the results that need not be made again, because the file that proves each of them is there.

        Args:
            settings: hash of the settings.

        Returns:
            Record by input and its identity.
        """
        records = [record for record in self.results().values() if record.settings == settings and record.identity]
        present = self._store.names() if records else {}
        return {(record.input, record.identity): record for record in records if record.output in present}


def _typed(row: dict[str, Any]) -> dict[str, Any]:
    return {name: float(row[name]) if name in ("seconds", "finished") else str(row[name]) for name in _NAMES}
