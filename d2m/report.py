"""Plot of a result: motion, waveform and spectrogram with their beats."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from d2m.types import GENRES, BeatGrid, Soundtrack

if TYPE_CHECKING:
    from d2m.features import Analysis

#: Seconds of video above which single beats and onsets would only blacken the picture.
CROWDED = 45.0
#: Fonts of usual systems for names of files in Korean, Japanese and Chinese.
FONTS = (
    *("Noto Sans CJK KR", "Noto Sans CJK JP", "Noto Sans KR", "NanumGothic", "Apple SD Gothic Neo", "Malgun Gothic"),
    *("Arial Unicode MS", "Yu Gothic", "Microsoft YaHei", "WenQuanYi Micro Hei", "Droid Sans Fallback"),
)
#: The sources of beats (:data:`d2m.types.BEAT_SOURCES`) in words.
SOURCES_IN_WORDS = {
    "sound": "beats from the clip's own music",
    "dance": "beats from the dancer's movement",
    "picture": "beats from the motion of the picture",
    "given": "tempo as given and beats placed by the movement",
    "cuts": "beats on the cuts of the film",
    "steady": "a steady tempo",
}
#: Columns of a panel.
COLUMNS = 1600

_INK, _SOFT, _BEAT, _BAR, _DANCE, _MUSIC = "#22252b", "#6b7280", "#e9a23b", "#d1344b", "#2f6f9f", "#3c8d6e"


def draw_report(analysis: Analysis, soundtrack: Soundtrack, path: Path, title: str) -> None:
    """Write a png with three panels on one time axis.

    The motion's onset envelope with the moments that stand out in it; the waveform with its onsets; the mel
    spectrogram. Beats and downbeats of the music run through all three.

    Args:
        analysis: what was seen.
        soundtrack: what was made.
        path: the ``.png``; complete or absent.
        title: name of the video.

    Raises:
        D2MError: if the file cannot be written.
    """
    # The figure classes alone: pyplot keeps state and looks for a display.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    from d2m.files.atomic import atomic_write

    duration = soundtrack.waveform.shape[1] / soundtrack.sample_rate
    figure = Figure(figsize=(13, 7.4), dpi=110, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    axes = figure.subplots(3, 1, sharex=True, height_ratios=(1, 1, 1.4))
    genre = soundtrack.provenance.get("genre") or analysis.dance.genre
    grid = soundtrack.grid
    # A file's name may hold bytes that are no text.
    name = title.encode("utf-8", "replace").decode()
    figure.suptitle(
        f"{name}   ·   {GENRES.get(str(genre), genre or 'no genre')}   ·   {beats_in_words(analysis.dance.grid)}",
        fontsize=13,
        color=_INK,
        parse_math=False,  # a dollar sign in a file's name is just that
        fontfamily=usable_fonts(),
    )
    _draw_motion(axes[0], analysis, duration)
    sound = np.asarray(soundtrack.waveform, np.float32)
    if duration <= CROWDED:
        sound = sound.mean(axis=0)
    # The channels of long music are averaged piece by piece, since their mean takes half its memory once more.
    _draw_waveform(axes[1], sound, soundtrack.sample_rate, duration)
    _draw_spectrogram(axes[2], sound, soundtrack.sample_rate, duration)
    for axis in axes:
        _draw_beats(axis, grid, duration, light=axis is axes[2])
        axis.set_xlim(0, duration)
        for side in ("top", "right"):
            axis.spines[side].set_visible(False)
    axes[2].set_xlabel("seconds", color=_INK)
    _draw_legend(figure, duration)
    with atomic_write(path) as temporary, warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # a box stands for it
        figure.savefig(temporary, format="png")


def beats_in_words(grid: BeatGrid) -> str:
    """Describe the source, tempo and confidence of a grid: "beats from the clip's own music, 128 bpm, confidence 0.93".

    Args:
        grid: beats of a dance.
    """
    return f"{SOURCES_IN_WORDS[grid.source]}, {grid.tempo:.0f} bpm, confidence {grid.confidence:.2f}"


def usable_fonts() -> list[str]:
    """matplotlib's own font, then those for other scripts that are installed."""
    from matplotlib.font_manager import fontManager

    installed = set(fontManager.get_font_names())
    return ["DejaVu Sans", *(font for font in FONTS if font in installed)]


def _draw_motion(axis, analysis: Analysis, duration: float) -> None:
    envelope = np.asarray(analysis.envelope, np.float64)
    times = np.arange(len(envelope)) / analysis.envelope_rate
    top = max(float(envelope.max(initial=0.0)), 1e-9)
    axis.fill_between(times, envelope / top, color=_DANCE, alpha=0.25, linewidth=0)
    axis.plot(times, envelope / top, color=_DANCE, linewidth=1.2)
    events = np.asarray(analysis.motion_beats)
    if len(events) and duration <= CROWDED:
        heights = np.interp(events, times, envelope / top) if len(times) else np.zeros(len(events))
        axis.plot(events, heights, "v", color=_DANCE, markersize=7, markeredgecolor="white")
    axis.set_ylim(0, 1.12)
    axis.set_yticks([])
    axis.set_ylabel("motion", color=_INK)


def _draw_waveform(axis, sound: np.ndarray, rate: int, duration: float) -> None:
    step = max(1, sound.shape[-1] // COLUMNS)
    count = sound.shape[-1] // step
    low, high = np.zeros(count), np.zeros(count)
    for column in range(count):
        samples = _mono(sound, column * step, (column + 1) * step)
        low[column], high[column] = samples.min(), samples.max()
    axis.fill_between((np.arange(count) + 0.5) * step / rate, low, high, color=_MUSIC, linewidth=0.3)
    if duration <= CROWDED:
        found = onsets(sound, rate)
        axis.plot(found, np.full(len(found), 1.06), "|", color=_INK, markersize=9, markeredgewidth=1.3)
    axis.set_ylim(-1.02, 1.16)
    axis.set_yticks([-1, 0, 1])
    axis.set_ylabel("waveform", color=_INK)


def _draw_spectrogram(axis, sound: np.ndarray, rate: int, duration: float) -> None:
    mel, hop = mel_spectrogram(sound, rate)
    axis.imshow(
        mel,
        origin="lower",
        aspect="auto",
        cmap="magma",
        vmin=-70,
        vmax=0,
        extent=(0, mel.shape[1] * hop / rate, 0, len(mel)),
        interpolation="nearest",
    )
    marks = [hertz for hertz in (100, 300, 1000, 3000, 10000) if hertz < rate / 2]
    axis.set_yticks(
        [_mel(hertz) / _mel(rate / 2) * len(mel) for hertz in marks],
        [f"{h} Hz" if h < 1000 else f"{h // 1000} kHz" for h in marks],
    )
    axis.set_ylabel("mel spectrogram", color=_INK)


def _draw_beats(axis, grid: BeatGrid, duration: float, light: bool) -> None:
    bars = {int(i) for i in grid.downbeats}
    width = 1.4 if duration <= CROWDED else 0.8
    for index, beat in enumerate(grid.beats):
        if not 0 <= beat <= duration:
            continue
        if index in bars:
            axis.axvline(beat, color="white" if light else _BAR, linewidth=width, alpha=0.9 if light else 0.8)
        elif duration <= CROWDED:
            axis.axvline(beat, color="white" if light else _BEAT, linewidth=0.9, alpha=0.8, linestyle=(0, (4, 3)))


def _draw_legend(figure, duration: float) -> None:
    from matplotlib.lines import Line2D

    entries = [Line2D([], [], color=_BAR, linewidth=1.6, label="downbeat")]
    if duration <= CROWDED:
        entries += [
            Line2D([], [], color=_BEAT, linewidth=1, linestyle=(0, (4, 3)), label="beat"),
            Line2D([], [], color=_DANCE, marker="v", linestyle="", label="accent of the dance"),
            Line2D([], [], color=_INK, marker="|", linestyle="", markersize=9, label="onset of the music"),
        ]
    figure.legend(handles=entries, loc="outside lower right", ncols=len(entries), frameon=False, fontsize=9)


def mel_spectrogram(sound: np.ndarray, rate: int, bands: int = 96, size: int = 2048) -> tuple[np.ndarray, int]:
    """Compute a mel spectrogram for plots.

    Bands are evenly spaced on the mel scale of O'Shaughnessy (1987), 2595 log10(1 + f / 700).

    Args:
        sound: float32 (samples,) or (channels, samples).
        rate: sample rate in hertz.
        bands: number of mel bands.
        size: samples of a window.

    Returns:
        (bands, frames) in decibels below the maximum, and the hop in samples.
    """
    hop = max(size // 8, -(-sound.shape[-1] // COLUMNS))
    edges = 700 * (10 ** (np.linspace(0, _mel(rate / 2), bands + 2) / 2595) - 1)
    bins = np.arange(size // 2 + 1) * rate / size
    rising = (bins - edges[:-2, None]) / np.maximum(np.diff(edges)[:-1, None], rate / size)
    falling = (edges[2:, None] - bins) / np.maximum(np.diff(edges)[1:, None], rate / size)
    filters = np.maximum(0, np.minimum(rising, falling))
    power = np.concatenate([filters @ block for block in _powers(sound, size, hop)], axis=1)
    decibels = 10 * np.log10(np.maximum(power, 1e-10))
    return decibels - decibels.max(), hop


def onsets(mono: np.ndarray, rate: int) -> np.ndarray:
    """Detect onsets: peaks of the spectral flux (Dixon, 2006), in steps of 5 ms, at least 60 ms apart.

    Args:
        mono: float32 (samples,).
        rate: sample rate in hertz.

    Returns:
        float64, times in seconds.
    """
    from scipy.ndimage import maximum_filter1d, uniform_filter1d

    hop = max(1, rate // 200)
    levels, last = [], None
    for block in _powers(mono, 1 << round(np.log2(rate * 0.023)), hop):
        compressed = np.log1p(100 * np.sqrt(block))
        before = compressed[:, :1] if last is None else last
        levels.append(np.maximum(0, np.diff(np.concatenate([before, compressed], axis=1), axis=1)).sum(axis=0))
        last = compressed[:, -1:]
    flux = uniform_filter1d(np.concatenate(levels), 3)
    peak = flux >= maximum_filter1d(flux, 25)
    strong = flux > uniform_filter1d(flux, 101) + 0.1 * flux.max(initial=0.0)
    return np.flatnonzero(peak & strong & (flux > 0)) * hop / rate


def _mono(sound: np.ndarray, begin: int, end: int) -> np.ndarray:
    """Samples of a sound (samples,) or of the mean of its channels (channels, samples); zeros where it has none."""
    count = sound.shape[-1]
    inside = sound[..., max(begin, 0) : min(end, count)]
    if sound.ndim == 2:
        inside = inside.mean(axis=0)
    if begin >= 0 and end <= count:
        return inside
    return np.pad(inside, (max(-begin, 0), max(end - max(begin, count), 0)))


def _powers(sound: np.ndarray, size: int, hop: int, block: int = 512):
    """Blocks (size // 2 + 1, frames) of the power spectrum, full scale 1, frame i centred on sample i * hop."""
    window = np.hanning(size).astype(np.float32)
    window /= window.sum() / 2
    frames = max(1, -(-sound.shape[-1] // hop))
    for first in range(0, frames, block):
        starts = np.arange(first, min(frames, first + block)) * hop
        cut = np.stack([_mono(sound, s - size // 2, s + size - size // 2) for s in starts])
        yield (np.abs(np.fft.rfft(cut * window, axis=1)) ** 2).T


def _mel(hertz: float) -> float:
    return 2595 * np.log10(1 + hertz / 700)
