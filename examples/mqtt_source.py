"""MQTT as a source of a pipeline file: each message lands, and is acknowledged once it is safe."""

import queue
import time
import uuid
from collections.abc import Iterator

import msgspec
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from penstock.pipeline import LandedRecord, Lot, Position


class Mqtt:
    """Messages of quality 1; for a client's name the broker keeps what comes while it is away."""

    name = "mqtt"

    def __init__(self, host: str, port: int, topic: str, client: str, seconds: float) -> None:
        self.source = f"mqtt://{host}:{port}/{topic}"
        self._seconds = seconds
        self._came: queue.SimpleQueue[MQTTMessage] = queue.SimpleQueue()
        self._taken: list[MQTTMessage] = []
        self._open = (host, port)
        self._mqtt = Client(
            CallbackAPIVersion.VERSION2, client_id=client, clean_session=False, manual_ack=True
        )
        self._mqtt.on_message = lambda _client, _data, message: self._came.put(message)
        self._mqtt.on_connect = lambda client, *_: client.subscribe(topic, qos=1)

    def lots(self, position: Position | None) -> Iterator[Lot]:  # noqa: ARG002 - the broker knows it
        """Yield what came together."""
        until = time.monotonic() + self._seconds
        self._mqtt.connect(*self._open)
        while time.monotonic() < until:
            self._mqtt.loop(timeout=0.1)  # sends acknowledgements, calls on_message
            self._taken = [self._came.get() for _ in range(self._came.qsize())]
            yield Lot([record(message) for message in self._taken])
        self._mqtt.disconnect()

    def safe(self, lot: Lot) -> None:  # noqa: ARG002 - the last one
        """Acknowledge what has landed: the broker forgets it."""
        for message in self._taken:
            self._mqtt.ack(message.mid, message.qos)


def record(message: MQTTMessage) -> LandedRecord:
    """Return what lands of a message; one that comes twice lands twice."""
    value = {"topic": message.topic, "text": message.payload.decode("utf-8", "replace")}
    return LandedRecord(uuid.uuid4().hex, msgspec.json.encode(value))
