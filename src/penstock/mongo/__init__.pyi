from penstock.mongo.address import is_address as is_address  # unlisted
from penstock.mongo.address import place_in as place_in  # unlisted
from penstock.mongo.address import says as says  # unlisted
from penstock.mongo.connect_any import Client as Client  # unlisted
from penstock.mongo.connect_any import DictCollection as DictCollection
from penstock.mongo.connect_any import collection_of as collection_of  # unlisted
from penstock.mongo.connect_any import connect_any_server as connect_any_server
from penstock.mongo.connect_any import is_set as is_set  # unlisted
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
from penstock.mongo.driver import BSONError as BSONError  # unlisted
from penstock.mongo.driver import BulkWriteError as BulkWriteError  # unlisted
from penstock.mongo.driver import ClientSession as ClientSession  # unlisted
from penstock.mongo.driver import Collection as Collection  # unlisted
from penstock.mongo.driver import DBRef as DBRef  # unlisted
from penstock.mongo.driver import DuplicateKeyError as DuplicateKeyError  # unlisted
from penstock.mongo.driver import InsertOne as InsertOne  # unlisted
from penstock.mongo.driver import Int64 as Int64  # unlisted
from penstock.mongo.driver import InvalidName as InvalidName  # unlisted
from penstock.mongo.driver import MongoClient as MongoClient  # unlisted
from penstock.mongo.driver import OperationFailure as OperationFailure  # unlisted
from penstock.mongo.driver import PyMongoError as PyMongoError  # unlisted
from penstock.mongo.driver import RawBSONDocument as RawBSONDocument  # unlisted
from penstock.mongo.driver import ReadConcern as ReadConcern  # unlisted
from penstock.mongo.driver import Timestamp as Timestamp  # unlisted
from penstock.mongo.driver import UpdateOne as UpdateOne  # unlisted
from penstock.mongo.driver import encode as encode  # unlisted
from penstock.mongo.driver import reason_of as reason_of  # unlisted
from penstock.mongo.driver import refuse_weaker as refuse_weaker  # unlisted
from penstock.mongo.driver import timeout as timeout  # unlisted
from penstock.mongo.durability import DURABILITY as DURABILITY
from penstock.mongo.durability import Durability as Durability
from penstock.mongo.errors import MongoGaveUp as MongoGaveUp
from penstock.mongo.errors import NotRetryable as NotRetryable
from penstock.mongo.errors import maybe_applied as maybe_applied
from penstock.mongo.operations import OPERATIONS as OPERATIONS
from penstock.mongo.operations import Kind as Kind
from penstock.mongo.operations import Operation as Operation
from penstock.mongo.operations import operation as operation
from penstock.mongo.read_from import ReadFrom as ReadFrom
from penstock.mongo.settings import Counters as Counters
from penstock.mongo.status import ClusterStatus as ClusterStatus  # unlisted
from penstock.mongo.status import MemberStatus as MemberStatus  # unlisted
from penstock.mongo.status import cluster_status as cluster_status  # unlisted
