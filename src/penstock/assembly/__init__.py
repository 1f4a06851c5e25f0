"""Pipelines as files: read with exact errors, planned, and run. Knows every room; none knows it."""

from penstock.assembly.java_files import write_java_file
from penstock.assembly.labelling import labelling
from penstock.assembly.plan import Plan, plan
from penstock.assembly.reading import read_file, read_text
from penstock.assembly.run import Run, Summary
from penstock.assembly.sections import PipelineFile
from penstock.assembly.using import Use, Used

__all__ = [
    "PipelineFile",
    "Plan",
    "Run",
    "Summary",
    "Use",
    "Used",
    "labelling",
    "plan",
    "read_file",
    "read_text",
    "write_java_file",
]
