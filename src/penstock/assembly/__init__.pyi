from penstock.assembly.beginning import begun as begun
from penstock.assembly.build import seconds_of as seconds_of  # unlisted
from penstock.assembly.heartbeat import Heartbeat as Heartbeat
from penstock.assembly.heartbeat import Signs as Signs
from penstock.assembly.heartbeat import last_beats as last_beats
from penstock.assembly.heartbeat import together as together
from penstock.assembly.java_files import read_schema as read_schema
from penstock.assembly.java_files import write_java_file as write_java_file
from penstock.assembly.kinds import SLOTS as SLOTS
from penstock.assembly.kinds import Kind as Kind
from penstock.assembly.kinds import Section as Section
from penstock.assembly.kinds import Site as Site
from penstock.assembly.label_stage import labelling as labelling
from penstock.assembly.locking import room_beside as room_beside
from penstock.assembly.places import resource_store as resource_store
from penstock.assembly.places import resources_in as resources_in
from penstock.assembly.places import store_named as store_named
from penstock.assembly.plans import PipelinePlan as PipelinePlan
from penstock.assembly.plans import Plan as Plan  # unlisted
from penstock.assembly.plans import StreamPlan as StreamPlan  # unlisted
from penstock.assembly.plans import plan as plan
from penstock.assembly.plans import plan_stream as plan_stream  # unlisted
from penstock.assembly.processes import scheduler_of as scheduler_of
from penstock.assembly.processes import with_workers as with_workers
from penstock.assembly.reading import located as located  # unlisted
from penstock.assembly.reading import locating as locating  # unlisted
from penstock.assembly.reading import read_any as read_any
from penstock.assembly.reading import read_file as read_file
from penstock.assembly.reading import read_several as read_several
from penstock.assembly.reading import read_stream_text as read_stream_text
from penstock.assembly.reading import read_text as read_text
from penstock.assembly.resources import Part as Part
from penstock.assembly.resources import parts as parts
from penstock.assembly.run import Look as Look  # unlisted
from penstock.assembly.run import Run as Run
from penstock.assembly.run import RunStatus as RunStatus
from penstock.assembly.run import StreamRun as StreamRun  # unlisted
from penstock.assembly.run import StreamSummary as StreamSummary  # unlisted
from penstock.assembly.run import Summary as Summary
from penstock.assembly.schema import json_schema as json_schema
from penstock.assembly.sections import PipelineFile as PipelineFile
from penstock.assembly.stream_sections import StreamFile as StreamFile
from penstock.assembly.stream_sections import StreamsFile as StreamsFile
from penstock.assembly.streams import build_stream as build_stream
from penstock.assembly.timestamps import lag as lag  # unlisted
from penstock.assembly.trial import Trial as Trial
from penstock.assembly.trial import try_part as try_part
from penstock.assembly.values import missing_values as missing_values  # unlisted
from penstock.assembly.web_pages import fetch_article as fetch_article  # unlisted
from penstock.assembly.web_pages import pictures_of as pictures_of  # unlisted
from penstock.assembly.workers import lead as lead
from penstock.assembly.workers import rejoining as rejoining
from penstock.assembly.workers import work as work
from penstock.pipeline import Use as Use
from penstock.pipeline import Used as Used
