"""Pipelines as files: read with exact errors, planned, and run. Knows every room; none knows it."""

from penstock.assembly.build import store_named
from penstock.assembly.plan import Plan, plan
from penstock.assembly.reading import read_file, read_text
from penstock.assembly.run import Run, Summary
from penstock.assembly.sections import PipelineFile

__all__ = [
    "PipelineFile",
    "Plan",
    "Run",
    "Summary",
    "plan",
    "read_file",
    "read_text",
    "store_named",
]
