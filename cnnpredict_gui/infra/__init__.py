"""Paths, settings, logs and files."""
