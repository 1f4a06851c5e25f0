"""Pipelines as files: read with exact errors, planned, and run. Knows every room; none knows it."""

from typing import TYPE_CHECKING

from penstock.assembly.beginning import begun
from penstock.assembly.build import seconds_of as seconds_of
from penstock.assembly.build import store_named
from penstock.assembly.heartbeat import Heartbeat, Signs, last_beat, last_beats, together
from penstock.assembly.java_files import read_schema, write_java_file
from penstock.assembly.kinds import SLOTS, Kind, Section, Site
from penstock.assembly.label_stage import labelling
from penstock.assembly.plans import Plan, plan
from penstock.assembly.processes import scheduler_of, with_workers
from penstock.assembly.reading import read_any, read_file, read_several, read_stream_text, read_text
from penstock.assembly.resources import Part, parts, resource_store, resources_in
from penstock.assembly.run import Look, Run, Summary
from penstock.assembly.schema import json_schema
from penstock.assembly.sections import PipelineFile
from penstock.assembly.stream_sections import StreamFile, StreamsFile
from penstock.assembly.streams import build_stream
from penstock.assembly.timestamps import lag as lag
from penstock.assembly.trial import Trial, try_part
from penstock.assembly.workers import lead, work
from penstock.later import later
from penstock.pipeline import Use, Used

if TYPE_CHECKING:
    from penstock.assembly.web_pages import fetch_article as fetch_article
    from penstock.assembly.web_pages import pictures_of as pictures_of

if not TYPE_CHECKING:  # a name that is not there is found by the type checker
    __getattr__ = later(__name__, {"fetch_article": "web_pages", "pictures_of": "web_pages"})

# The names they had while streams were run apart, for one release.
StreamPlan = Plan
StreamRun = Run
StreamSummary = Summary
plan_stream = plan

__all__ = [
    "SLOTS",
    "Heartbeat",
    "Kind",
    "Look",
    "Part",
    "PipelineFile",
    "Plan",
    "Run",
    "Section",
    "Signs",
    "Site",
    "StreamFile",
    "StreamsFile",
    "Summary",
    "Trial",
    "Use",
    "Used",
    "begun",
    "build_stream",
    "json_schema",
    "labelling",
    "last_beat",
    "last_beats",
    "lead",
    "parts",
    "plan",
    "read_any",
    "read_file",
    "read_schema",
    "read_several",
    "read_stream_text",
    "read_text",
    "resource_store",
    "resources_in",
    "scheduler_of",
    "store_named",
    "together",
    "try_part",
    "with_workers",
    "work",
    "write_java_file",
]
