"""MongoDB that rides out failover: the proxy, read preferences, and a replica set for the desk."""
