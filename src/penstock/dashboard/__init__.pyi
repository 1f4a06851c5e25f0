from penstock.dashboard.server import Dashboard as Dashboard
from penstock.dashboard.watch import Watch as Watch
