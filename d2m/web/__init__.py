"""Base of the web pages of d2m: the studio (`d2m app`), the endless stream and the listening test.

:mod:`d2m.web.serving` runs an ASGI application on a port, :mod:`d2m.web.guard` keeps out requests that were not meant
for it and sets the security headers, :mod:`d2m.web.answers` sends files and errors.
"""
