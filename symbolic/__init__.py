"""Music as notes: piano-rolls, MIDI, a synthesiser and the models that write scores."""
