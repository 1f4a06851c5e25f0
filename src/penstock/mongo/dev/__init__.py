"""A real replica set on this machine, to develop, test and rehearse failures against.

``penstock mongo dev`` on the command line. The nodes are processes of their own: they outlive
whoever started them, and are stopped by name.
"""

from penstock.mongo.dev.process import Condition
from penstock.mongo.dev.replica import DevSet
from penstock.mongo.dev.values import NodeStatus, SetStatus

__all__ = ["Condition", "DevSet", "NodeStatus", "SetStatus"]
