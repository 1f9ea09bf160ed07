"""Folder of cached features."""

from __future__ import annotations

from pathlib import Path

from platformdirs import user_cache_path


def default_folder() -> Path:
    """Return the default cache folder: ``features`` in d2m's folder among the user's caches, as the platform has it."""
    return user_cache_path("d2m", appauthor=False) / "features"
