"""Music that never stops: song after song with composed bridges, as one performance.

    library = Library(Path("songs"))
    font = SoundFont(find_soundfont())
    programme = Programme(library, Planner(load("studio-bridge"), font), shuffle=True)
    record(programme, Player(font, programme), 60.0, Path("hour.wav"))

What the parts are: ``library`` (songs of a folder or playlist, in which order), ``planning`` (from which bar into
which song), ``programme`` (stretches of songs and bridges one after another), ``recording`` (into a file), ``station``
(one programme for many listeners), ``pace`` (no faster than real time), ``wishes`` (the queue), ``memory`` (what
outlives the process), ``server`` and ``page`` (the web page). :mod:`d2m.symbolic.sound` plays it.
"""
