"""The ``d2m`` command: one module per command group, each loaded only when it is asked for."""
