"""Music that never stops: song after song with composed bridges, as one performance.

    library = Library(Path("songs"))
    programme = Programme(library, Planner(load("studio-bridge")), Settings(shuffle=True))
    player = Player(SoundFont(find_soundfont()), programme)
    samples = player.read(44100)

What the parts are: ``library`` (songs of a folder or playlist, in which order), ``notes`` (scores as notes at samples),
``planning`` (from which bar into which song), ``programme`` (stretches of songs and bridges one after another),
``player`` (the synthesiser, whose notes ring across seams), ``output`` (room and limiter with a memory), ``recording``
(into a file), ``station`` (one programme for many listeners), ``memory`` (what outlives the process), ``server`` and
``page`` (the web page).
"""
