"""Lazy stages over plain generators."""
