"""A faulty API server to rehearse against: deterministic, and it counts on its own side.

>>> import urllib.request
>>> from penstock.simulator import Simulator, SimulatorSettings
>>> with Simulator(SimulatorSettings(users=10, limit=3)) as simulator:
...     answer = urllib.request.urlopen(simulator.url + "/users/7.json")
...     print(answer.headers["RateLimit"])
"3-in-5sec"; r=2; t=5
"""

from penstock.lazy import attach

__getattr__, __dir__, __all__ = attach(__name__)
