"""Generators of the sound library ``d2m/sounds/studio.sf3``, run by ``scripts/build_sound_library.py``."""
