"""What the candidates for one video differ in, besides their seed: a light mood, and now and then the arranger."""

from __future__ import annotations

from dataclasses import replace

from d2m.engines.arrangers import DEFAULT
from d2m.generate_options import GenerateOptions

#: Period of the candidates' moods and arrangers.
_PERIOD = 8
#: Moods by index within the period, weak enough that genre and beat stay what they are; the others have none.
_MOODS = {2: "bright:0.4", 4: "melancholic:0.4", 6: "intense:0.4"}
#: Arranger by index within the period, where the user names none.
_ARRANGERS = {5: "musegan"}


def wish_of(options: GenerateOptions, index: int, arranger: str = DEFAULT) -> tuple[GenerateOptions, str]:
    """Return the options and the arranger of a candidate.

    Seeds count up; groove, harmony and instruments follow from them. A mood is added only if the user asks for none
    and the music is not for speech or a landscape, and another arranger only in place of the default one.

    Args:
        options: options of the user.
        index: number of the candidate, from 0; the first is what is made without candidates.
        arranger: name of the user's arranger.
    """
    place = index % _PERIOD
    varied = options.mood is None and options.subject in ("auto", "dance", "picture")
    if arranger == DEFAULT:
        arranger = _ARRANGERS.get(place, arranger)
    mood = _MOODS.get(place) if varied else options.mood
    return replace(options, seed=int(options.seed) + index, mood=mood), arranger
