"""Output of commands: errors and progress on stderr, results on stdout, the output of libraries suppressed."""

from __future__ import annotations

import contextlib
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from typing import TextIO

from d2m.errors import D2MWarning

#: Read by MediaPipe's and TensorFlow Lite's native code when it is loaded.
_QUIET = {"GLOG_minloglevel": "3", "TF_CPP_MIN_LOG_LEVEL": "3", "SVT_LOG": "0"}


def complain(message: str) -> None:
    """Print one line on stderr."""
    print(" ".join(message.split()), file=sys.stderr, flush=True)


def counted(number: int, what: str) -> str:
    """Format a number with its noun: ``1 bar``, ``2 bars``.

    Args:
        number: the number.
        what: the noun in the singular.
    """
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _warn_once() -> Callable[..., None]:
    """Make a function that prints each warning once, for :func:`warnings.showwarning`."""
    said: set[str] = set()

    def show(message: Warning | str, *_: object, **__: object) -> None:
        line = str(message)
        if line not in said:
            said.add(line)
            complain(f"warning: {line}")

    return show


@contextlib.contextmanager
def quiet_libraries() -> Iterator[None]:
    """Suppress the output of native code while Python's own stdout and stderr work as before.

    MediaPipe, TensorFlow Lite and FFmpeg write to the file descriptors 1 and 2 directly and cannot all be silenced
    by settings; Python's streams are moved to copies of the descriptors for the time being.
    """
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    with warnings.catch_warnings(), contextlib.ExitStack() as stack:
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", D2MWarning)
        warnings.showwarning = _warn_once()
        for descriptor, name in ((1, "stdout"), (2, "stderr")):
            with contextlib.suppress(OSError, ValueError, AttributeError):
                stack.enter_context(_moved(descriptor, name))
        yield


@contextlib.contextmanager
def _moved(descriptor: int, name: str) -> Iterator[None]:
    """Redirect a file descriptor to the null device, and the stream of ``sys`` that wrote to it to a copy of it."""
    stream = getattr(sys, name)
    wraps = stream.fileno() == descriptor
    stream.flush()
    copy = os.dup(descriptor)
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), descriptor)
    with os.fdopen(copy, "w", buffering=1, encoding=stream.encoding, errors="backslashreplace") as moved:
        if wraps:
            setattr(sys, name, moved)
        try:
            yield
        finally:
            setattr(sys, name, stream)
            os.dup2(copy, descriptor)
            _flush(moved)


def _flush(stream: TextIO) -> None:
    """Flush a stream; discard what is left if the reader has closed the pipe (``d2m ... | head``)."""
    try:
        stream.flush()
    except BrokenPipeError:
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), stream.fileno())


@contextlib.contextmanager
def stage_bars(stages: dict[str, str], title: str) -> Iterator[Callable[[str, float], None]]:
    """Show one progress bar per stage on stderr if that is a terminal; yield the function that updates them.

    Args:
        stages: name of a stage -> its description, in order.
        title: text above the bars.

    Yields:
        A function of (name of the stage, share done from 0 to 1).
    """
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    console = Console(file=sys.stderr)
    if not console.is_terminal:
        yield lambda stage, share: None
        return
    width = max(len(text) for text in stages.values())
    times = (TimeElapsedColumn(), TimeRemainingColumn())
    columns = (TextColumn(f"{{task.description:<{width}}}"), BarColumn(), TaskProgressColumn(), *times)
    console.print(title, style="bold", highlight=False, markup=False)
    with Progress(*columns, console=console) as bars:
        tasks = {name: bars.add_task(text, total=1.0, start=False) for name, text in stages.items()}

        def tell(stage: str, share: float) -> None:
            bars.start_task(tasks[stage])
            bars.update(tasks[stage], completed=share)

        yield tell


@contextlib.contextmanager
def counting_bar(title: str) -> Iterator[Callable[[int, int], None]]:
    """Show a progress bar on stderr if that is a terminal; yield the function that updates it.

    Args:
        title: text before the bar.

    Yields:
        A function of (number done, total number).
    """
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(file=sys.stderr)
    if not console.is_terminal:
        yield lambda done, total: None
        return
    columns = (TextColumn(escape(title)), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(title, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


@contextlib.contextmanager
def videos_bar(videos: int) -> Iterator[tuple[Callable[[str, float], None], Callable[[str], None]]]:
    """Show a progress bar over videos on stderr if that is a terminal.

    Args:
        videos: number of videos.

    Yields:
        A function of (video, share of it that is done from 0 to 1), and a function of a video that is done.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("videos"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(file=sys.stderr)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("videos", total=videos)
        parts: dict[str, float] = {}
        done = 0

        def tell(video: str, share: float) -> None:
            parts[video] = share
            bar.update(task, completed=done + sum(parts.values()))

        def tick(video: str) -> None:
            nonlocal done
            done += 1
            parts.pop(video, None)
            bar.update(task, completed=done + sum(parts.values()))

        yield tell, tick
