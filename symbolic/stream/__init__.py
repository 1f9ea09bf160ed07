"""Endless streams of songs with composed bridges, played continuously.

    library = Library(Path("songs"))
    font = SoundFont(find_soundfont())
    programme = Programme(library, Planner(load("studio-bridge"), font), shuffle=True)
    record(programme, Player(font, programme), 60.0, Path("hour.wav"))

Modules: ``library`` (songs of a folder or playlist and their order), ``planning`` (mix points and gains), ``sections``
(songs and bridges of a programme), ``programme`` (their sequence), ``recording`` (output to a file), ``station`` (one
programme for many listeners), ``pace`` (limit to real time), ``wishes`` (the queue), ``memory`` (stored state),
``server`` and ``page`` (the web page). :mod:`d2m.symbolic.sound` plays it.
"""
