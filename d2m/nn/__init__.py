"""Layers, spectrograms and discriminators that several networks share."""
