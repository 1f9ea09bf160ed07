"""Symbolic music: piano-rolls, MIDI, sound rendering, and models that write scores."""
