"""Exceptions and warnings that are shown to users as one line."""

from __future__ import annotations


class D2MError(Exception):
    """Error that a user can correct.

    The message says what is wrong and what to do, in one line; the command line prints it as
    ``error: <message>`` and exits with status 1.
    """


class D2MWarning(UserWarning):
    """Warning about input that was corrected or left out; processing continues.

    The message is one line; the command line prints it once as ``warning: <message>``.
    """
