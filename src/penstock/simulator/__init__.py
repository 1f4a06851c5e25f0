"""A faulty API server to rehearse against: deterministic, and it counts on its own side.

>>> import urllib.request
>>> with Simulator(SimulatorSettings(users=10, limit=3)) as simulator:
...     answer = urllib.request.urlopen(simulator.url + "/users/7.json")
...     print(answer.headers["RateLimit"])
"3-in-5sec"; r=2; t=5
"""

from penstock.simulator.auth import CREDENTIALS
from penstock.simulator.ledger import KeyTruth, Truth, WindowTruth
from penstock.simulator.oddities import ODDITIES
from penstock.simulator.process import SimulatorProcess, simulator_process
from penstock.simulator.server import Simulator, serve
from penstock.simulator.settings import (
    DEFAULT_MIX,
    AuthKind,
    Dialect,
    LimiterKind,
    ResetForm,
    SimulatorSettings,
    read_mix,
    write_mix,
)
from penstock.simulator.streams.log import StreamTruth
from penstock.simulator.streams.shapes import stream_message
from penstock.simulator.users import user, user_json

__all__ = [
    "CREDENTIALS",
    "DEFAULT_MIX",
    "ODDITIES",
    "AuthKind",
    "Dialect",
    "KeyTruth",
    "LimiterKind",
    "ResetForm",
    "Simulator",
    "SimulatorProcess",
    "SimulatorSettings",
    "StreamTruth",
    "Truth",
    "WindowTruth",
    "read_mix",
    "serve",
    "simulator_process",
    "stream_message",
    "user",
    "user_json",
    "write_mix",
]
