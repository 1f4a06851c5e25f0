"""A set of this machine: started, failed on purpose, healed and stopped."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Self, final

from penstock.clock import Clock, SystemClock
from penstock.errors import InputError, StorageError
from penstock.mongo.dev import node_client, server
from penstock.mongo.dev.process import Condition, condition, send
from penstock.mongo.dev.record import NodeRecord, SetRecord, alone, exists, forget, load, save
from penstock.mongo.dev.starting import launch, new_set, revive
from penstock.mongo.dev.values import NodeStatus, SetStatus

__all__ = ["DevSet"]

_STEP = 0.05  # seconds between two looks
_PATIENCE = 60.0  # seconds for what takes a few
_ROLES = ("primary", "secondary")
_SETTLED = ("primary", "secondary", "arbiter", "standalone")


@final
class DevSet:
    """The MongoDB whose data is in ``directory``; :meth:`start` makes one.

    A *target* names nodes: a number, ``host:port``, ``primary``, ``secondary`` (one of them) or
    ``all``. Where no node has the role yet, it is waited for. Dead and paused nodes have no role,
    so that for :meth:`resume` and :meth:`restart` a role means all that are paused or dead.
    Several processes may use one set: its commands take turns.

    Raises:
        InputError: There is no set in ``directory``; or, from methods, no such node in it.
    """

    def __init__(self, directory: str | Path, *, clock: Clock | None = None) -> None:
        self.directory = Path(directory)
        self._clock = clock or SystemClock()
        load(self.directory)

    @classmethod
    def start(
        cls,
        directory: str | Path,
        *,
        nodes: int = 3,
        arbiters: int = 0,
        standalone: bool = False,
        election: float = 1.0,
    ) -> Self:
        """Have a running set in ``directory``, the one that was there or a new one.

        Args:
            directory: Made where it is missing; holds data, logs and what is known of the nodes.
            nodes: How many, 1 to 7.
            arbiters: How many of them vote and hold no data.
            standalone: One node that is no set: no transactions, no change streams.
            election: Seconds without a primary after which the others elect one.

        Raises:
            InputError: Numbers that make no set, or others than those of the set that is there.
            MissingExtra: There is no mongod, or no pymongo.
            StorageError: A node does not start; says which log tells why.
        """
        place = Path(directory)
        wanted = new_set(nodes, arbiters, standalone=standalone, election=election)
        server.find_mongod()
        place.mkdir(parents=True, exist_ok=True)
        with alone(place):
            if not exists(place):
                save(place, wanted)
            _check_same(place, load(place), wanted)
            made = cls(place)
            for node in load(place).nodes:
                if node.process is not None:
                    send(node.process, signal.SIGCONT)
            record = revive(place, load(place))
            if not record.standalone:
                node_client.initiate(record)
            made.wait()
        return made

    @property
    def uri(self) -> str:
        """What clients connect to."""
        return load(self.directory).uri

    def status(self) -> SetStatus:
        """Return how the set is now; nothing is locked."""
        record = load(self.directory)
        nodes = tuple(self._look(node) for node in record.nodes)
        primaries = [node for node in nodes if node.role in ("primary", "standalone")]
        latest = max(primaries, key=lambda node: node.elected, default=None)
        return SetStatus(
            directory=str(self.directory),
            uri=record.uri,
            primary=None if latest is None else latest.number,
            nodes=nodes,
        )

    def kill(self, target: str = "primary") -> list[int]:
        """End nodes at once, as a crash does (SIGKILL); return their numbers."""
        with alone(self.directory):
            chosen = self._choose(target, ("running", "paused"))
            _signal(chosen, signal.SIGKILL)
            self._gone(chosen, _PATIENCE)
        return [node.number for node in chosen]

    def pause(self, target: str = "primary") -> list[int]:
        """Freeze nodes (SIGSTOP): their connections stay open and nothing answers."""
        return self._send(target, signal.SIGSTOP, "running")

    def resume(self, target: str = "all") -> list[int]:
        """Let paused nodes go on; return their numbers."""
        return self._send(target, signal.SIGCONT, "paused")

    def restart(self, target: str = "all") -> list[int]:
        """Start dead nodes again; return their numbers when they listen."""
        with alone(self.directory):
            chosen = self._choose(target, ("dead",))
            launch(self.directory, load(self.directory), chosen)
        return [node.number for node in chosen]

    def step_down(self, target: str = "primary", *, seconds: int = 10) -> list[int]:
        """Have the primary step down; it does not stand again for ``seconds``."""
        with alone(self.directory):
            if load(self.directory).standalone:
                raise InputError("a standalone server has no role to step down from")
            chosen = self._choose(target, ("running",))
            for node in chosen:
                node_client.step_down(node, seconds)
        return [node.number for node in chosen]

    def heal(self, seconds: float = _PATIENCE) -> None:
        """Resume and restart what does not run; return when every node is in its role.

        Raises:
            StorageError: That took longer than ``seconds``.
        """
        self.resume()
        self.restart()
        self.wait(seconds)

    def wait(self, seconds: float = _PATIENCE) -> None:
        """Return when there is one primary and every node is in its role.

        Raises:
            StorageError: That took longer than ``seconds``.
        """
        if not self._until(self._is_whole, seconds):
            raise StorageError(
                f"{self.directory}: not every node came to its role within {seconds:g} s; "
                f"penstock mongo dev status --dir {self.directory}"
            )

    def stop(self, *, remove: bool = False) -> None:
        """End all nodes in good order; ``remove`` deletes the set and its data as well."""
        with alone(self.directory):
            nodes = load(self.directory).nodes
            _signal(nodes, signal.SIGTERM)
            _signal(nodes, signal.SIGCONT)  # a paused one hears of its end only now
            if not self._gone(nodes, 20.0):
                _signal(nodes, signal.SIGKILL)
                self._gone(nodes, _PATIENCE)
            if remove:
                _remove(self.directory, nodes)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _send(self, target: str, number: signal.Signals, among: Condition) -> list[int]:
        with alone(self.directory):
            chosen = self._choose(target, (among,))
            _signal(chosen, number)
            self._until(lambda: all(condition(n.process) != among for n in chosen), _PATIENCE)
        return [node.number for node in chosen]

    def _choose(self, target: str, among: Sequence[Condition]) -> list[NodeRecord]:
        nodes = load(self.directory).nodes
        if target in _ROLES and "running" in among:
            return [self._in_role(target)]
        if target in _ROLES or target == "all":
            return [node for node in nodes if condition(node.process) in among]
        named = [node for node in nodes if target in (str(node.number), node.host)]
        if not named:
            numbers = ", ".join(str(node.number) for node in nodes)
            raise InputError(f"no node {target!r}: primary, secondary, all, or one of {numbers}")
        if condition(named[0].process) not in among:
            raise InputError(f"node {target} is {condition(named[0].process)} now")
        return named

    def _in_role(self, role: str) -> NodeRecord:
        found: list[NodeRecord] = []
        if all(condition(node.process) != "running" for node in load(self.directory).nodes):
            raise InputError(
                f"no node runs now: penstock mongo dev start --dir {self.directory} starts them"
            )

        def look() -> bool:
            now = self.status()
            with_role = [node.number for node in now.nodes if node.role == role]
            if role == "primary":
                with_role = [] if now.primary is None else [now.primary]
            numbers = with_role[:1]
            found.extend(n for n in load(self.directory).nodes if n.number in numbers)
            return bool(found)

        if not self._until(look, _PATIENCE):
            raise StorageError(f"{self.directory}: no node became {role} in {_PATIENCE:g} s")
        return found[0]

    def _look(self, node: NodeRecord) -> NodeStatus:
        now = condition(node.process)
        role, elected = node_client.role(node) if now == "running" else (None, "")
        return NodeStatus(
            number=node.number,
            host=node.host,
            process=now,
            role=role,
            elected=elected,
            pid=None if now == "dead" else node.pid,
            data=str(server.data_folder(self.directory, node.number)),
            log=str(server.log_file(self.directory, node.number)),
        )

    def _is_whole(self) -> bool:
        now = self.status()
        roles = [node.role for node in now.nodes]
        one = sum(role in ("primary", "standalone") for role in roles) == 1
        return one and all(role in _SETTLED for role in roles)

    def _gone(self, nodes: Sequence[NodeRecord], seconds: float) -> bool:
        return self._until(lambda: all(condition(n.process) == "dead" for n in nodes), seconds)

    def _until(self, is_so: Callable[[], bool], seconds: float) -> bool:
        latest = self._clock.monotonic() + seconds
        while not is_so():
            if self._clock.monotonic() > latest:
                return False
            self._clock.sleep(_STEP)
        return True


def _signal(nodes: Sequence[NodeRecord], number: signal.Signals) -> None:
    for node in nodes:
        if node.process is not None:
            send(node.process, number)


def _remove(directory: Path, nodes: Sequence[NodeRecord]) -> None:
    """Delete what is ours; the folder only where nothing else is in it."""
    forget(directory)
    for node in nodes:
        shutil.rmtree(server.data_folder(directory, node.number), ignore_errors=True)
        server.log_file(directory, node.number).unlink(missing_ok=True)
        server.pid_file(directory, node.number).unlink(missing_ok=True)
    if [path.name for path in directory.iterdir()] == ["lock"]:
        shutil.rmtree(directory)


def _check_same(place: Path, there: SetRecord, wanted: SetRecord) -> None:
    kinds = [node.kind for node in there.nodes]
    if kinds != [node.kind for node in wanted.nodes]:
        raise InputError(
            f"{place}: there is a set of {', '.join(kinds)} here already: name another folder, "
            f"or remove it with penstock mongo dev stop --remove --dir {place}"
        )
