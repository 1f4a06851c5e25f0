"""The real set that the tests of this room share."""

from tests.real.mongod import failing_mongo, mongo, mongo_set

__all__ = ["failing_mongo", "mongo", "mongo_set"]
