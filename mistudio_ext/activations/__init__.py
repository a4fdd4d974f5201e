"""Extraction folders as a notebook sees them: handles, checks, listing. Needs NumPy alone.

Server and workers import :mod:`.manifest` and :mod:`.journal`, which need
nothing but the standard library; so nothing is imported here.
"""
