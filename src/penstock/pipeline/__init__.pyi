from penstock.pipeline.async_steps import asynchronous as asynchronous
from penstock.pipeline.batch import batches as batches
from penstock.pipeline.concurrent import Slots as Slots
from penstock.pipeline.concurrent import fetch as fetch
from penstock.pipeline.concurrent import fetch_chunks as fetch_chunks
from penstock.pipeline.feeds import AcknowledgedFeed as AcknowledgedFeed
from penstock.pipeline.feeds import Feed as Feed
from penstock.pipeline.feeds import Lot as Lot
from penstock.pipeline.feeds import Position as Position
from penstock.pipeline.feeds import RowFeed as RowFeed
from penstock.pipeline.feeds import position_in as position_in
from penstock.pipeline.feeds import source_of as source_of
from penstock.pipeline.flow import Fetching as Fetching  # unlisted
from penstock.pipeline.flow import Pipeline as Pipeline
from penstock.pipeline.flow import Report as Report
from penstock.pipeline.json_text import BAD_JSON as BAD_JSON
from penstock.pipeline.json_text import check_text as check_text
from penstock.pipeline.json_text import closes as closes
from penstock.pipeline.json_text import elements as elements
from penstock.pipeline.json_text import has_odd_integers as has_odd_integers
from penstock.pipeline.json_text import has_odd_numbers as has_odd_numbers
from penstock.pipeline.json_text import is_json as is_json
from penstock.pipeline.json_text import load as load
from penstock.pipeline.json_text import members as members
from penstock.pipeline.json_text import without_halves as without_halves
from penstock.pipeline.landing import Counts as Counts
from penstock.pipeline.landing import entry_of as entry_of
from penstock.pipeline.landing import land as land
from penstock.pipeline.landing import reported as reported
from penstock.pipeline.ports import Api as Api  # unlisted
from penstock.pipeline.ports import ApiPort as ApiPort
from penstock.pipeline.ports import Calls as Calls  # unlisted
from penstock.pipeline.ports import CallsPort as CallsPort
from penstock.pipeline.ports import Sizer as Sizer
from penstock.pipeline.ports import Store as Store
from penstock.pipeline.progress import Meter as Meter
from penstock.pipeline.progress import Progress as Progress
from penstock.pipeline.progress import Rate as Rate
from penstock.pipeline.result import Checkpoint as Checkpoint
from penstock.pipeline.result import Deletion as Deletion
from penstock.pipeline.result import Entry as Entry
from penstock.pipeline.result import FailedRecord as FailedRecord
from penstock.pipeline.result import Failing as Failing  # unlisted
from penstock.pipeline.result import Gap as Gap  # unlisted
from penstock.pipeline.result import Key as Key
from penstock.pipeline.result import LandedGap as LandedGap
from penstock.pipeline.result import LandedRecord as LandedRecord
from penstock.pipeline.result import Landing as Landing  # unlisted
from penstock.pipeline.result import Mark as Mark  # unlisted
from penstock.pipeline.result import Result as Result
from penstock.pipeline.stages import Stage as Stage
from penstock.pipeline.stages import each as each
from penstock.pipeline.stages import through as through
from penstock.pipeline.uses import Use as Use
from penstock.pipeline.uses import Used as Used
from penstock.pipeline.workers import Workers as Workers  # unlisted
from penstock.pipeline.workers import in_threads as in_threads
