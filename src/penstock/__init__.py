"""Resilient data pipelines: data from services that limit, fail and disconnect, under control."""

__version__ = "0.1.0"
