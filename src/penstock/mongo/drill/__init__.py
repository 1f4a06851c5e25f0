"""A rehearsal of failover: fifteen kinds of operation while nodes are failed, then an audit.

Through penstock's proxy and through plain PyMongo, side by side, under the very same faults.
"""

from penstock.mongo.drill.rehearsal import DRILL_FAULTS, DrillFault, run_drill
from penstock.mongo.drill.values import ArmReport, DrillReport, Findings

__all__ = ["DRILL_FAULTS", "ArmReport", "DrillFault", "DrillReport", "Findings", "run_drill"]
