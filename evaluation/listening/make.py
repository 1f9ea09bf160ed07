"""Build a listening test: blinded clips, the page that plays them, and the key that assigns clips to systems."""

from __future__ import annotations

import contextlib
import hashlib
import html
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from d2m.errors import D2MError
from d2m.evaluation.listening.questions import Question
from d2m.files.atomic import atomic_write

SOUND = (".wav", ".flac", ".mp3", ".m4a", ".ogg")
VIDEO = (".mp4", ".mov", ".mkv", ".webm")
#: Every clip is brought to this loudness: louder is taken for better.
LOUDNESS = -18.0
LOW_PASS, WRONG_MUSIC = "anchor: low-passed", "anchor: another clip's music"
#: What listeners read about attention checks.
_CHECKS = (
    "<li>In {} you hear beeps over the music. Count them and choose their number, in place of an opinion; this shows "
    "that the clips are listened to.</li>"
)
_PAGE = Path(__file__).parent / "page"


@dataclass(frozen=True)
class ListeningTest:
    """Settings of a test.

    Attributes:
        title: shown to listeners.
        questions: asked of every clip.
        trials: clips that one listener hears; 0 for one of every item and system.
        checks: clips among them with a number of beeps to count, which only who listens can.
        anchors: whether the low-passed reference and, for videos, the reference of another item are hidden among the
            systems.
        seed: random seed of blinding and beeps; every listener's order is drawn in the browser.
    """

    title: str
    questions: tuple[Question, ...]
    trials: int = 0
    checks: int = 2
    anchors: bool = True
    seed: int = 0


def make_test(
    systems: Mapping[str, Path],
    out: Path,
    test: ListeningTest,
    reference: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Write ``out/page/`` for the listeners and ``out/key.json``, the secret assignment of clips to systems.

    Args:
        systems: name -> folder of clips, videos or sound files; clips of the same file name belong together, and only
            those that every system has are used.
        out: folder to make; must not hold a test already.
        test: settings.
        reference: the system that anchors are made from, the real music.
        progress: called with clips done and clips in all.

    Returns:
        Counts and what was left out: ``items``, ``clips``, ``left_out``.

    Raises:
        D2MError: if folders have no clips in common, a clip cannot be read, or the reference is no system.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise D2MError(f"{out} already holds something, perhaps a listening test; choose another folder")
    if reference is not None and reference not in systems:
        raise D2MError(f"the reference '{reference}' is none of the systems: {', '.join(systems)}")
    if len(systems) + (reference is not None and test.anchors) < 2:
        raise D2MError("a listening test needs at least two systems; repeat --system")
    clips = {name: _clips(folder) for name, folder in systems.items()}
    items = sorted(set.intersection(*(set(found) for found in clips.values())))
    left_out = sorted(set.union(*(set(found) for found in clips.values())) - set(items))
    if not items:
        raise D2MError("the systems have no clip in common; files of one dance need the same name in every folder")
    sources = {(item, name): clips[name][item] for item in items for name in systems}
    if reference is not None and test.anchors:
        sources |= _anchors(items, clips[reference])
    if test.trials < 0 or test.checks < 0 or test.checks > len(items):
        raise D2MError(f"choose 0 to {len(items)} attention checks, as many as there are items")
    with _whole_folder(out) as folder:
        count = _write_test(folder, sources, items, next(iter(systems)), test, progress, reference)
    return {"items": len(items), "clips": count, "left_out": left_out}


@contextlib.contextmanager
def _whole_folder(out: Path) -> Iterator[Path]:
    """A folder beside ``out`` that takes its name if the block ends well, and is removed otherwise."""
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) as place:
            folder = Path(place) / "test"
            folder.mkdir()
            yield folder
            os.replace(folder, out)
    except OSError as error:
        raise D2MError(f"cannot write {out}: {error.strerror or error}; choose another folder") from error


def _write_test(
    out: Path,
    sources: dict[tuple[str, str], Any],
    items: list[str],
    first: str,
    test: ListeningTest,
    progress: Callable[[int, int], None] | None,
    reference: str | None = None,
) -> int:
    """Clips, page and key; the number of clips. Attention checks are made from the system ``first``."""
    rng = np.random.default_rng(test.seed)
    key: dict[str, Any] = {"title": test.title, "reference": reference, "clips": {}}
    key["questions"] = [q.plain() for q in test.questions]
    jobs = [(item, name, source, 0) for (item, name), source in sources.items()]
    checked = rng.permutation(len(items))[: test.checks]
    jobs += [(items[i], "check", sources[items[i], first], int(rng.integers(2, 6))) for i in checked]
    # Which clips share a system may be known, for a balanced choice; which system it is may not.
    names = list(dict.fromkeys(name for _, name in sources))
    groups = dict(zip(names, rng.permutation(len(names)).tolist(), strict=True))
    shown = []
    for done, (item, name, source, beeps) in enumerate(jobs):
        blind = hashlib.sha256(f"{test.seed}/{item}/{name}/{rng.integers(2**62)}".encode()).hexdigest()[:16]
        file = _write_clip(source, name, out / "page" / "media" / blind, beeps)
        key["clips"][blind] = {"item": item, "system": name, "beeps": beeps}
        about = {"item": items.index(item), "group": groups.get(name, -1), "check": beeps > 0}
        shown.append({"id": blind, "file": f"media/{file.name}", **about})
        if progress:
            progress(done + 1, len(jobs))
    _write_page(out / "page", test, shown, rng)
    with atomic_write(out / "key.json") as part:
        part.write_text(json.dumps(key, indent=1, ensure_ascii=False), "utf-8")
    return len(jobs)


def _clips(folder: Path) -> dict[str, Path]:
    """Clips of a folder by name; of a video and a sound of the same name the video."""
    if not folder.is_dir():
        raise D2MError(f"{folder} is not a folder; give one folder of clips for each system")
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        suffix = path.suffix.lower()
        stem = path.name.split(".")[0]
        if suffix in VIDEO or (suffix in SOUND and found.get(stem, path).suffix.lower() not in VIDEO):
            found[stem] = path
    if not found:
        raise D2MError(f"no clips in {folder}; give a folder of videos or sound files")
    return found


def have_pictures(folders: Mapping[str, Path]) -> bool:
    """Tell whether all clips of a listening test are videos.

    Args:
        folders: name -> folder of clips.

    Raises:
        D2MError: if a folder has no clips.
    """
    return all(path.suffix.lower() in VIDEO for folder in folders.values() for path in _clips(folder).values())


def _anchors(items: list[str], reference: dict[str, Path]) -> dict[tuple[str, str], Any]:
    """The low-passed reference, and under each picture the reference of the next item."""
    found: dict[tuple[str, str], Any] = {(item, LOW_PASS): reference[item] for item in items}
    if len(items) > 1 and all(reference[item].suffix.lower() in VIDEO for item in items):
        for item, other in zip(items, items[1:] + items[:1], strict=True):
            found[item, WRONG_MUSIC] = (reference[item], reference[other])
    return found


def _write_clip(source: Any, system: str, stem: Path, beeps: int) -> Path:
    """One clip under a name that says nothing, all at one loudness, without its file's metadata."""
    from d2m.audio.loudness import loudness
    from d2m.media import open_video, read_audio
    from d2m.media.write import mux, write_wav

    picture, sound = source if isinstance(source, tuple) else (source, source)
    rate = 44100
    wave = np.asarray(read_audio(sound, rate, mono=False), np.float64)
    if system == LOW_PASS:
        from scipy.signal import butter, sosfiltfilt

        wave = sosfiltfilt(butter(8, 3500, fs=rate, output="sos"), wave)
    level = loudness(wave, rate)
    if not np.isfinite(level):
        raise D2MError(f"{sound} is silent; leave it out of the listening test")
    wave = wave * 10 ** ((LOUDNESS - level) / 20)
    wave *= min(1.0, 0.97 / max(np.abs(wave).max(), 1e-9))
    if beeps:
        wave = _with_beeps(wave, rate, beeps)
    stem.parent.mkdir(parents=True, exist_ok=True)
    if picture.suffix.lower() not in VIDEO:
        write_wav(stem.with_suffix(".wav"), wave.astype(np.float32), rate)
        return stem.with_suffix(".wav")
    length = round(open_video(picture).duration * rate)
    wave = np.pad(wave, ((0, 0), (0, max(0, length - wave.shape[1]))))[:, :length]
    return mux(picture, wave.astype(np.float32), rate, stem.with_suffix(".mp4"))


def _with_beeps(wave: np.ndarray, rate: int, count: int) -> np.ndarray:
    """``count`` beeps of 1 kHz, 0.15 s, evenly over the middle of the clip; the music steps back for them."""
    out = wave.copy()
    length = int(0.15 * rate)
    t = np.arange(length) / rate
    beep = 0.3 * np.sin(2 * np.pi * 1000 * t) * np.hanning(length) ** 0.25
    for centre in (np.arange(count) + 0.5) / count * 0.8 + 0.1:
        first = min(int(centre * wave.shape[1]), wave.shape[1] - length)
        if first < 0:
            raise D2MError("a clip is too short for an attention check; use clips of at least two seconds")
        out[:, first : first + length] = 0.25 * wave[:, first : first + length] + beep
    return out


def _write_page(folder: Path, test: ListeningTest, clips: list[dict[str, Any]], rng: np.random.Generator) -> None:
    """The page, its settings inside it: it also runs from a disk, where a page may not read other files."""
    plan = {
        "title": test.title,
        "test": hashlib.sha256(json.dumps(clips).encode()).hexdigest()[:16],
        "questions": [q.plain() for q in test.questions],
        "trials": test.trials,
        "clips": [clips[i] for i in rng.permutation(len(clips))],
    }
    # "</" would end the script element that the plan stands in.
    beeps = sum(clip["check"] for clip in clips)
    inside = json.dumps(plan, ensure_ascii=False).replace("</", "<\\/")
    page = (_PAGE / "index.html").read_text("utf-8")
    page = page.replace("@TITLE@", html.escape(test.title)).replace("@PLAN@", inside)
    page = page.replace("@CHECKS@", _CHECKS.format("one clip" if beeps == 1 else f"{beeps} clips") if beeps else "")
    with atomic_write(folder / "index.html") as part:
        part.write_text(page, "utf-8")
    for name in ("page.css", "page.js"):
        shutil.copyfile(_PAGE / name, folder / name)
