"""Lakh Pianoroll Dataset (Dong et al., AAAI 2018) and Lakh MIDI Dataset (Raffel 2016): files, and rules for choosing
them.

Both come as one file per song under its MD5 sum, either by its first digit or by the Million Song Dataset entry that it
was matched to::

    lpd/lpd_full/0/0123...ef.npz                          LPD, LPD-5 and LPD-17: 174,154 files (173,997 in the paper)
    lpd_5/lpd_5_cleansed/A/B/C/TRABC0000000000000/*.npz   matched and cleansed subsets, also lmd_matched with .mid
    matched_ids.txt, cleansed_ids.txt                     "MD5    MSD-ID" a line
    midi_info.json (or _v2)                               MD5 -> first_beat_time, constant_time_signature, ...
    match_scores.json                                     MSD-ID -> MD5 -> confidence of the match, 0 to 1
    id_list_rock.txt (any id_list_*.txt)                  MSD-IDs with a tag, one a line

The cleansing rules are those of the data set's page: one metre throughout, 4/4, the first beat at time 0, and for each
MSD entry the file with the best confidence. The paper besides takes rock songs only. Each rule applies where the
metadata it needs is there, in the folder, in the one above it, or in ``labels/lastfm`` beside it; without scores and
MIDI infos, ``cleansed_ids.txt`` stands for the first three.
"""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from d2m.errors import D2MError

#: File names' endings that hold music.
ENDINGS: tuple[str, ...] = (".npz", ".mid", ".midi")
_MSD_ID = re.compile(r"TR[A-Z0-9]{16}")
_MD5 = re.compile(r"[0-9a-f]{32}")
_MOST_METADATA = 400_000_000


@dataclass(frozen=True)
class SongFile:
    """A file of a data set: ``name`` within it (its stem), and its MSD entry if it lies in that one's folder."""

    path: Path
    name: str
    msd_id: str | None = None


@dataclass(frozen=True)
class Metadata:
    """Metadata of the files; empty where none was found.

    Attributes:
        info: MD5 -> the entry of ``midi_info.json``.
        scores: MSD-ID -> MD5 -> confidence.
        matched: MD5 -> MSD-ID, of ``matched_ids.txt`` and ``cleansed_ids.txt``.
        cleansed: MD5 sums of ``cleansed_ids.txt``.
        rock: MSD-IDs of the rock list.
        files: what was read.
    """

    info: dict[str, dict[str, Any]] = field(default_factory=dict)
    scores: dict[str, dict[str, float]] = field(default_factory=dict)
    matched: dict[str, str] = field(default_factory=dict)
    cleansed: frozenset[str] = frozenset()
    rock: frozenset[str] = frozenset()
    files: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Rules:
    """Rules for choosing files; a rule without its metadata keeps everything.

    Attributes:
        four_four: only songs in 4/4 from beginning to end.
        from_zero: only songs whose first beat is at time 0.
        one_each: only the best matched file of every MSD entry.
        rock: only songs on the rock list.
        least_confidence: minimum confidence of the match, 0 to 1.
    """

    four_four: bool = True
    from_zero: bool = True
    one_each: bool = True
    rock: bool = True
    least_confidence: float = 0.0


def song_files(root: str | Path) -> Iterator[SongFile]:
    """Iterate over the music files under a folder, in the order of their paths; links are not followed.

    Args:
        root: the folder.

    Raises:
        D2MError: if the folder cannot be read.
    """
    folders = [Path(root)]
    while folders:
        folder = folders.pop()
        try:
            with os.scandir(folder) as found:
                entries = sorted(found, key=lambda entry: entry.name)
        except OSError as error:
            raise D2MError(f"cannot read {folder} ({error.strerror}); give a folder of piano-rolls or MIDI") from None
        folders += [Path(e.path) for e in reversed(entries) if e.is_dir(follow_symlinks=False)]
        for entry in entries:
            if entry.name.lower().endswith(ENDINGS) and entry.is_file(follow_symlinks=False):
                path = Path(entry.path)
                yield SongFile(path, path.stem, folder.name if _MSD_ID.fullmatch(folder.name) else None)


def read_metadata(root: str | Path) -> Metadata:
    """Read the metadata files in a folder, the folder above it, or ``labels/lastfm`` in one of them; nearer ones have
    priority.

    Args:
        root: the folder.

    Raises:
        D2MError: if one of them is damaged.
    """
    root = Path(root).resolve()
    places = [p / sub for p in (root, root.parent) for sub in ("", "labels/lastfm", "labels")]

    def first(*names: str) -> Path | None:
        return next((place / name for name in names for place in places if (place / name).is_file()), None)

    info, scores = first("midi_info.json", "midi_info_v2.json"), first("match_scores.json")
    matched, cleansed = first("matched_ids.txt"), first("cleansed_ids.txt")
    rock = first("id_list_rock.txt", "id_list_Rock.txt")
    pairs = _pairs(cleansed)
    used = tuple(p for p in (info, scores, matched, cleansed, rock) if p is not None)
    return Metadata(
        _table(info), _table(scores), {**_pairs(matched), **pairs}, frozenset(pairs), _ids(rock), used
    )  # fmt: skip


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > _MOST_METADATA:
            raise D2MError(f"{path} is larger than {_MOST_METADATA // 1_000_000} MB; this is not LPD's")
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise D2MError(f"cannot read {path} ({error}); download it again or remove it") from None


def _table(path: Path | None) -> dict[str, Any]:
    if path is None:
        return {}
    try:
        content = json.loads(_text(path))
    except (ValueError, RecursionError) as error:
        raise D2MError(f"{path} is not JSON ({error}); download it again or remove it") from None
    if not isinstance(content, dict) or not all(isinstance(v, dict) for v in content.values()):
        raise D2MError(f"{path} is not a table of tables; download it again or remove it")
    return content


def _pairs(path: Path | None) -> dict[str, str]:
    if path is None:
        return {}
    rows = [line.split() for line in _text(path).splitlines() if line.strip()]
    if not all(len(row) == 2 and _MD5.fullmatch(row[0]) and _MSD_ID.fullmatch(row[1]) for row in rows):
        raise D2MError(f"{path} should hold an MD5 sum and an MSD id in every line; download it again or remove it")
    return dict(rows)


def _ids(path: Path | None) -> frozenset[str]:
    return frozenset() if path is None else frozenset(_text(path).split())


def cleanse(files: Iterable[SongFile], known: Metadata, rules: Rules | None = None) -> tuple[list[SongFile], Counter]:
    """Select files by the rules.

    Only names and metadata are looked at; no file is opened, so 174,000 files take seconds.

    Args:
        files: to choose from.
        known: metadata.
        rules: which to apply, or None for the defaults.

    Returns:
        The files in order, and how many each rule left out.
    """
    rules, files = rules or Rules(), list(files)
    kept: list[SongFile] = []
    left_out: Counter[str] = Counter()
    there = {file.name for file in files} if known.scores else set()
    best: dict[str, str] = {}
    for msd, scores in known.scores.items():
        if found := [name for name in scores if name in there]:
            best[msd] = max(found, key=lambda name: (float(scores[name]), name))
    for file in files:
        reason = _reason(file, known, rules, best)
        if reason:
            left_out[reason] += 1
        else:
            kept.append(file)
    return kept, left_out


def _reason(file: SongFile, known: Metadata, rules: Rules, best: dict[str, str]) -> str | None:
    """Why a file is left out, or None."""
    msd = file.msd_id or known.matched.get(file.name)
    info = known.info.get(file.name)
    if rules.one_each and known.cleansed and not known.scores and not known.info and file.name not in known.cleansed:
        return "not among the cleansed"
    if info is not None:
        if rules.four_four and int(info.get("num_time_signature_change") or 0) > 1:
            return "metre changes"
        if rules.four_four and info.get("constant_time_signature") != "4/4":
            return "not in 4/4"
        if rules.from_zero and float(info.get("first_beat_time") or 0.0) > 0.0:
            return "first beat after time 0"
    if known.scores and msd is not None:
        confidence = known.scores.get(msd, {}).get(file.name, 0.0)
        if confidence < rules.least_confidence:
            return "uncertain match"
        if rules.one_each and best.get(msd, file.name) != file.name:
            return "another file matches better"
    if rules.rock and known.rock and msd not in known.rock:
        return "no rock tag"
    return None
