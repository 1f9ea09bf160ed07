"""How the sound library ``d2m/sounds/studio.sf3`` is made; ``scripts/build_sound_library.py`` runs it."""
