"""The studio in a browser (`d2m app`): a JSON API over jobs in worker processes, and the page that uses it.

:mod:`routes` answers requests, :mod:`studio` keeps visitors, clips and jobs, :mod:`queue` orders the jobs,
:mod:`pool` runs the worker processes and :mod:`work` is what they do.
"""
