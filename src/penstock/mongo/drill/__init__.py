"""A rehearsal of failover: fifteen kinds of operation while nodes are failed, then an audit.

Through penstock's proxy and through plain PyMongo, side by side, under the very same faults.
"""

from penstock.mongo.drill.rehearsal import FAULTS, Fault, drill
from penstock.mongo.drill.values import ArmReport, DrillReport, Findings

__all__ = ["FAULTS", "ArmReport", "DrillReport", "Fault", "Findings", "drill"]
