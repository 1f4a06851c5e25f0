"""MongoDB that rides out failover: a proxy over PyMongo, safe writes, read preferences.

``connect(uri)`` returns a client, ``resilient(client)`` wraps one; what is reached through it has
PyMongo's own names and types. Needs the extra ``mongo``, imported when it is first used.

>>> from penstock.mongo import ReadFrom, operation
>>> operation("collection", "update_many").kind
<OpKind.MULTI: 'M'>
>>> ReadFrom.of("secondaryPreferred staleness=120").staleness
120.0
"""

from penstock.errors import MissingExtra
from penstock.lazy import attach

_find, __dir__, __all__ = attach(__name__)


def __getattr__(name: str) -> object:
    try:
        return _find(name)
    except ModuleNotFoundError as error:
        if error.name in {"bson", "pymongo"}:
            raise MissingExtra("MongoDB", "pymongo", "mongo") from error
        raise
