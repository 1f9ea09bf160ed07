"""Audio processing: filters, dynamics, reverberation, mixing, loudness and limiting.

Signals are float32 arrays of shape (channels, samples). Processors with a state take blocks of any size and give the
same samples whatever the sizes are.
"""
