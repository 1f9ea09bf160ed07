"""Plans from the options of ``d2m generate``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from d2m.errors import D2MError
from d2m.features.scene_file import read_scenes
from d2m.genres import genre_title
from d2m.markers import read_hits
from d2m.options import names, pairs
from d2m.plans.make import Cut, lasting, looping, plan_for, retimed
from d2m.plans.types import MOST_GAIN, PARTS, VOCALS, Mix, Plan, check_instrument
from d2m.types import TRACKS, Dance

if TYPE_CHECKING:
    from d2m.engines.base import ScoreEngine
    from d2m.features import Analysis
    from d2m.generate_options import GenerateOptions

#: Options that a plan says itself, by their fields.
SAID_BY_PLAN = {
    "genre": "auto", "scenes": "auto", "hits": None, "mood": None, "key": None, "beats": "auto", "tempo": None,
    "offset": 0.0, "downbeat": None, "begin": 0.0, "end": None, "length": None, "loop": False, "fade_in": 0.0,
    "fade_out": 0.0, "subject": "auto", "seed": 0, "without": None, "solo": None, "instruments": None, "mix": None,
}  # fmt: skip


def check_music(options: GenerateOptions) -> None:
    """Check the options of music and form.

    Args:
        options: options of ``d2m generate``.

    Raises:
        D2MError: if a value does not exist or is out of range, or options contradict each other.
    """
    from d2m.symbolic.keys import read_key

    mix_of(options)
    if options.key is not None:
        read_key(options.key)
    for mood in moods_of(options):
        from d2m.symbolic.emotion.mood import Mood

        Mood.read(mood)
    if options.plan is None:
        return
    if options.write_plan is not None:
        raise D2MError("--plan gives the plan that --write-plan would write; leave out one of them")
    for name, default in SAID_BY_PLAN.items():
        if getattr(options, name) != default:
            raise D2MError(f"the plan says this itself: leave out {_flag(name)}, and change the file of --plan instead")


def refuse_plan(options: GenerateOptions, engine: str, follows_beats: bool = True) -> None:
    """Refuse options of the score for an engine that plays none.

    Args:
        options: options of ``d2m generate``.
        engine: name of the engine.
        follows_beats: whether its music is on the beats of the dance.

    Raises:
        D2MError: if one of them is given.
    """
    defaults = {
        name: SAID_BY_PLAN[name] for name in ("mood", "key", "scenes", "hits", "begin", "end", "length", "loop")
    }
    defaults |= {"fade_in": 0.0, "fade_out": 0.0, "plan": None, "write_plan": None, "without": None, "solo": None}
    defaults |= {"instruments": None, "mix": None, "stems": False}
    defaults |= {} if follows_beats else {"tempo": None}
    for name, default in defaults.items():
        if getattr(options, name) != default:
            raise D2MError(f"the engine {engine} plays no score; leave out {_flag(name)}")
    if len(options.genres) > 1:
        raise D2MError(f"the engine {engine} plays one genre; give one --genre")


def refuse_mix(mix: Mix, stems: bool, engine: ScoreEngine) -> None:
    """Refuse levels, patches and stems for an engine that makes the whole band at once.

    Args:
        mix: changes to the mix.
        stems: whether stems are asked for.
        engine: the engine.

    Raises:
        D2MError: if it is such an engine and one of them is asked for.
    """
    if engine.mixes:
        return
    patches = [name for name in mix.instruments.values() if not name.isdecimal()]
    asked = {
        "--stems": stems,
        "levels of tracks": any(mix.gains.values()),
        f"the patch {' and '.join(patches)}": patches,
    }
    for what, wanted in asked.items():
        if wanted:
            raise D2MError(f"the engine {engine.name} makes the whole band at once; use --engine symbolic for {what}")


def _flag(name: str) -> str:
    return {"begin": "--from", "end": "--to"}.get(name, f"--{name.replace('_', '-')}")


def moods_of(options: GenerateOptions) -> list[str]:
    """Return the moods that are asked for.

    Args:
        options: options of ``d2m generate``.
    """
    return names(options.mood or "")


def mix_of(options: GenerateOptions) -> Mix:
    """Return the changes to the mix that are asked for. Music under the clip's own voice has no voices.

    Args:
        options: options of ``d2m generate``.

    Raises:
        D2MError: if a track or instrument does not exist, or a level is out of range.
    """
    without = _tracks(names(options.without or ""), "--without", (*PARTS, VOCALS))
    if options.solo is not None:
        if without:
            raise D2MError("--without and --solo both choose tracks; leave out one of them")
        kept = _tracks(names(options.solo), "--solo")
        without = tuple(name for name in PARTS if name not in kept)
    gains = {}
    for name, value in pairs(options.mix, "--mix", "drums=-3,bass=2").items():
        _tracks([name], "--mix")
        try:
            gains[name] = float(value)
        except ValueError:
            raise D2MError(f"--mix: '{value}' is no level in dB; give, for example, drums=-3") from None
        if not abs(gains[name]) <= MOST_GAIN:
            raise D2MError(f"--mix {name}={value}: levels go from -{MOST_GAIN:g} to {MOST_GAIN:g} dB")
    instruments = pairs(options.instruments, "--instruments", "bass=38")
    for track, name in instruments.items():
        if track not in TRACKS:
            raise D2MError(f"--instruments: no track '{track}'; choose {', '.join(TRACKS)}")
        check_instrument(track, name)
    if options.keep_audio == "voice" and VOCALS not in without:
        without = (*without, VOCALS)
    if set(PARTS) <= set(without):
        raise D2MError("all tracks are left out; keep one of them")
    return Mix(without, gains, instruments)


def _tracks(wanted: Sequence[str], flag: str, known: Sequence[str] = PARTS) -> tuple[str, ...]:
    for name in wanted:
        if name not in known:
            raise D2MError(f"{flag}: no track '{name}'; choose {', '.join(known)}")
    return tuple(wanted)


def planned(analysis: Analysis, options: GenerateOptions, arranger: str) -> tuple[Plan, Dance]:
    """Return the plan that options ask for, and the dance that it follows.

    Args:
        analysis: analysis of a video.
        options: options of ``d2m generate``.
        arranger: name of the arranger.

    Raises:
        D2MError: if the options cannot be met with this video.
    """
    dance = analysis.dance
    if options.tempo_factor != 1.0:
        dance = retimed(dance, options.tempo_factor)
    if options.length is not None:
        dance = lasting(dance, float(options.length))
    if options.loop:
        dance = looping(dance)
    plan = plan_for(
        dance,
        seed=int(options.seed),
        arranger=arranger,
        cuts=cuts_of(analysis, dance, options.scenes, arranger),
        genres=[genre_title(code) for code in options.genres],
        moods=moods_of(options),
        key=options.key or "",
        begin=float(options.begin),
        end=options.end,
        hits=None if options.hits is None else read_hits(options.hits, dance.duration),
        subject=analysis.subject.name,
        reason=analysis.subject.reason,
        film_cuts=[frame / analysis.envelope_rate for frame in analysis.cuts],
    )
    plan.loop, plan.fade_in, plan.fade_out = options.loop, float(options.fade_in), float(options.fade_out)
    plan.mix = mix_of(options)
    return plan.check(), dance


def cuts_of(analysis: Analysis, dance: Dance, scenes: str, arranger: str) -> list[Cut]:
    """Return the beginnings of sections.

    Args:
        analysis: analysis of a video.
        dance: its dance on the grid of the music.
        scenes: value of ``--scenes``.
        arranger: name of the arranger; a MIDI file is played through, unless the scenes are given.

    Raises:
        D2MError: if a file of scenes cannot be used.
    """
    if scenes == "off" or (scenes == "auto" and arranger.lower().endswith((".mid", ".midi"))):
        return []
    if scenes != "auto":
        return [
            Cut(each.start, "given", genre_title(each.genre) if each.genre else "", each.mood or "")
            for each in read_scenes(scenes, dance.duration)
        ]
    from d2m.features.scenes import find_scenes

    rate = analysis.envelope_rate
    found = find_scenes(
        *(dance.motion, [frame / rate for frame in analysis.cuts], dance.grid, dance.duration, dance.energy),
        dissolves=[frame / rate for frame in analysis.dissolves],
    )
    return [Cut(scene.start, scene.cause) for scene in found[1:]]
