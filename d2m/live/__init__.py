"""Live music for a dancer in front of a camera: ``d2m live``.

Modules: ``camera`` (webcam, screen, or a file in place of one), ``dancer`` (landmarks of the main dancer, frame by
frame), ``watcher`` (landmarks and beats, in a process), ``phrases`` (music written ahead, in several densities),
``writer`` (the same in a process), ``conductor`` (which notes are played when),
``player`` (mixes them, with all tones ready), ``output`` (sound card, or a clock in its place), ``recorder`` (picture
and music as a file), ``latency`` (what takes how long), ``session`` (all of them, in threads or step by step). Beats
are tracked by :mod:`d2m.features.causal` and followed by :mod:`d2m.features.beat_clock`.
"""
