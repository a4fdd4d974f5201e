"""Searching texts."""
