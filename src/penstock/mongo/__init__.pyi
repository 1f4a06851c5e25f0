from bson import DBRef as DBRef  # unlisted
from bson import Int64 as Int64  # unlisted
from bson import encode as encode  # unlisted
from bson.errors import BSONError as BSONError  # unlisted
from bson.raw_bson import RawBSONDocument as RawBSONDocument  # unlisted
from bson.timestamp import Timestamp as Timestamp  # unlisted
from pymongo import InsertOne as InsertOne  # unlisted
from pymongo import MongoClient as MongoClient  # unlisted
from pymongo import UpdateOne as UpdateOne  # unlisted
from pymongo import timeout as timeout  # unlisted
from pymongo.client_session import ClientSession as ClientSession  # unlisted
from pymongo.collection import Collection as Collection  # unlisted
from pymongo.errors import BulkWriteError as BulkWriteError  # unlisted
from pymongo.errors import DuplicateKeyError as DuplicateKeyError  # unlisted
from pymongo.errors import InvalidName as InvalidName  # unlisted
from pymongo.errors import OperationFailure as OperationFailure  # unlisted
from pymongo.errors import PyMongoError as PyMongoError  # unlisted
from pymongo.read_concern import ReadConcern as ReadConcern  # unlisted

from penstock.mongo.address import is_address as is_address  # unlisted
from penstock.mongo.address import place_in as place_in  # unlisted
from penstock.mongo.address import says as says  # unlisted
from penstock.mongo.client_options import refuse_weaker as refuse_weaker  # unlisted
from penstock.mongo.connect_any import Client as Client  # unlisted
from penstock.mongo.connect_any import DictCollection as DictCollection
from penstock.mongo.connect_any import collection_of as collection_of  # unlisted
from penstock.mongo.connect_any import connect_any_server as connect_any_server
from penstock.mongo.connect_any import repeatable as repeatable  # unlisted
from penstock.mongo.connection import connect as connect
from penstock.mongo.connection import counters as counters
from penstock.mongo.connection import reading_from as reading_from
from penstock.mongo.connection import resilient as resilient
from penstock.mongo.dev import DevSet as DevSet  # unlisted
from penstock.mongo.dev import SetStatus as SetStatus  # unlisted
from penstock.mongo.drill import DRILL_FAULTS as DRILL_FAULTS
from penstock.mongo.drill import DrillReport as DrillReport  # unlisted
from penstock.mongo.drill import run_drill as run_drill
from penstock.mongo.durability import DURABILITY as DURABILITY
from penstock.mongo.durability import Durability as Durability
from penstock.mongo.error_kinds import reason_of as reason_of  # unlisted
from penstock.mongo.errors import MongoGaveUp as MongoGaveUp
from penstock.mongo.errors import NotRetryable as NotRetryable
from penstock.mongo.errors import maybe_applied as maybe_applied
from penstock.mongo.operations import OPERATIONS as OPERATIONS
from penstock.mongo.operations import Kind as Kind  # unlisted
from penstock.mongo.operations import Operation as Operation
from penstock.mongo.operations import OpKind as OpKind
from penstock.mongo.operations import operation as operation
from penstock.mongo.read_from import ReadFrom as ReadFrom
from penstock.mongo.server_check import is_set as is_set  # unlisted
from penstock.mongo.settings import ClientCounters as ClientCounters
from penstock.mongo.settings import Counters as Counters  # unlisted
from penstock.mongo.status import ClusterStatus as ClusterStatus  # unlisted
from penstock.mongo.status import MemberStatus as MemberStatus  # unlisted
from penstock.mongo.status import cluster_status as cluster_status  # unlisted
