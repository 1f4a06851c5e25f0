"""The old name of :mod:`penstock.javadata.json_form`."""

from penstock.javadata.json_form import from_plain, to_plain

__all__ = ["from_plain", "to_plain"]
