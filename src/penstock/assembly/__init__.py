"""Pipelines as files: read with exact errors, planned, and run. Knows every room; none knows it."""

from penstock.assembly.build import store_named
from penstock.assembly.java_files import read_schema, write_java_file
from penstock.assembly.kinds import SLOTS, Kind, Section, Site
from penstock.assembly.labelling import labelling
from penstock.assembly.plan import Plan, plan
from penstock.assembly.reading import read_any, read_file, read_stream_text, read_text
from penstock.assembly.run import Run, Summary
from penstock.assembly.schema import json_schema
from penstock.assembly.sections import PipelineFile
from penstock.assembly.stream_run import StreamRun, StreamSummary
from penstock.assembly.stream_sections import StreamFile
from penstock.assembly.streams import StreamPlan, build_stream, plan_stream
from penstock.assembly.using import Use, Used

__all__ = [
    "SLOTS",
    "Kind",
    "PipelineFile",
    "Plan",
    "Run",
    "Section",
    "Site",
    "StreamFile",
    "StreamPlan",
    "StreamRun",
    "StreamSummary",
    "Summary",
    "Use",
    "Used",
    "build_stream",
    "json_schema",
    "labelling",
    "plan",
    "plan_stream",
    "read_any",
    "read_file",
    "read_schema",
    "read_stream_text",
    "read_text",
    "store_named",
    "write_java_file",
]
