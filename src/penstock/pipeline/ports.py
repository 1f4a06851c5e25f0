"""What a pipeline needs of the world, as protocols: any class of that shape fits."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol, TypeVar

from penstock.pipeline.result import Entry, Key, Result

R_contra = TypeVar("R_contra", contravariant=True)
V_co = TypeVar("V_co", covariant=True)


class CallsPort(Protocol[R_contra, V_co]):
    """Many calls under way at once, owned by one thread."""

    @property
    def pending(self) -> int:
        """Calls submitted whose results were not collected yet."""
        ...

    def submit(self, key: Key, request: R_contra) -> None:
        """Take a call on; it is begun by the next :meth:`send` or :meth:`collect`."""
        ...

    def send(self) -> float:
        """Begin what may be begun now; return the seconds until more may be."""
        ...

    def collect(self) -> Sequence[Result[Key, V_co]]:
        """Return finished calls, waiting for one; none after :meth:`wake` or when none is left."""
        ...

    def idle(self, seconds: float) -> None:
        """Wait until :meth:`wake` is called, with nothing under way, at most ``seconds``."""
        ...

    def wake(self) -> None:
        """Make :meth:`collect` or :meth:`idle` return, from any thread."""
        ...

    def close(self) -> None:
        """Drop what is under way."""
        ...


class ApiPort(Protocol[R_contra, V_co]):
    """What performs requests."""

    def calls(self, concurrency: int = 1) -> CallsPort[R_contra, V_co]:
        """Return a session of calls."""
        ...


class Sizer(Protocol):
    """What knows how many calls may be made now, such as a budget."""

    def available(self) -> int:
        """Return how many, 0 or more."""
        ...

    def renewed_in(self) -> float:
        """Return the seconds until it is worth asking again."""
        ...


class Store(Protocol):
    """Where data lands. A key is landed, failed, or still to do; never two of them."""

    def claim(self, keys: Iterable[Key]) -> Iterator[Key]:
        """Yield the keys still to do, lazily and in order, each once.

        A key that landed or failed before is passed over, and so is one that this store
        object has yielded already and that is not settled yet.
        """
        ...

    def settle(
        self, entries: Sequence[Entry], durable: Callable[[int], object], *, group: int = 100
    ) -> None:
        """Take ``entries`` over and return at once; call ``durable(n)`` when n more are safe.

        ``durable`` is called from the store's own thread, in the order of the entries, marks
        included. Entries become safe in groups: as soon as ``group`` of them wait, or after
        a few milliseconds at the latest; those of one call together, all of them or none. A
        landing whose key has landed before is dropped, and one whose key was deleted, too.

        Raises:
            StorageError: An earlier entry could not be made safe; nothing after it was.
        """
        ...

    def flush(self) -> None:
        """Return when everything settled so far is safe.

        Raises:
            StorageError: It could not be made safe.
        """
        ...

    def mark(self, name: str) -> str | None:
        """Return the value last settled as ``Checkpoint(name, value)``, or None."""
        ...


Api = ApiPort  # its name in earlier versions
Calls = CallsPort  # its name in earlier versions
