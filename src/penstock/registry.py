"""Open tables of kinds: our own rows, those of installed packages, and objects by import path."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar, cast, final

from penstock.errors import InputError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

__all__ = ["Registry", "beside", "did_you_mean", "load_object"]

T = TypeVar("T")


def did_you_mean(
    name: str,
    known: Iterable[str],
    shown: Callable[[str], str] = repr,
    otherwise: str = "known: ",
    most: int | None = None,
) -> str:
    """Return the hint at what may have been meant: the nearest known name, or ``most`` of them.

    >>> did_you_mean("twiter", ["twitter", "x"]), did_you_mean("zzz", ["twitter", "x"])
    ("did you mean 'twitter'?", 'known: twitter, x')
    """
    import difflib

    names = list(known)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    if near:
        return f"did you mean {shown(near[0])}?"
    listed = ", ".join(names[:most] if shown is repr else map(shown, names[:most]))
    return otherwise + (listed or "none") + (", …" if most and len(names) > most else "")


def load_object(path: str, what: str = "object") -> object:
    """Import ``module:name``.

    Args:
        path: The module and a name in it, dotted where it is nested.
        what: What errors call it.

    >>> load_object("penstock.errors:InputError").__name__
    'InputError'

    Raises:
        InputError: There is no such module or name, or importing it fails.
    """
    module, _, names = path.partition(":")
    if not module or not names:
        raise InputError(f"{what} {path!r}: write module:name, such as my_module:MyKind")
    try:
        found: object = importlib.import_module(module)
        _refuse_another(module.partition(".")[0])
        for name in names.split("."):
            found = getattr(found, name)
    except InputError:
        raise
    except Exception as error:  # whatever another's module does when it is imported
        raise InputError(f"{what} {path} cannot be imported: {error}") from error
    return found


_FOLDERS: list[Path] = []  # those that imports look into now, the last one first


@contextmanager
def beside(folder: Path) -> Iterator[None]:
    """Let imports find the modules of ``folder``, for the length of the block.

    They come after all others: a file beside a pipeline never takes the place of a library's.
    """
    _FOLDERS.append(folder.resolve())
    sys.path.append(str(_FOLDERS[-1]))
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.path.remove(str(_FOLDERS.pop()))


def _refuse_another(name: str) -> None:
    """Refuse a module of the same name as one beside the file that is meant."""
    for folder in _FOLDERS[-1:]:
        meant = [p for p in (folder / f"{name}.py", folder / name / "__init__.py") if p.exists()]
        origin = getattr(sys.modules[name], "__file__", None)
        if meant and (origin is None or Path(origin).resolve() != meant[0]):
            raise InputError(f"{meant[0]}: there is another module {name} already: rename this one")


@final
class Registry(Generic[T]):
    """The kinds of one slot by name. A package adds its own by an entry point.

    Args:
        slot: What a kind is, for errors: ``stage``.
        group: The entry points' group: ``penstock.stages``.
        rows: Our own kinds; a text ``module:name`` is imported when it is first needed.

    >>> Registry("framing", "penstock.framings", {"int": "builtins:int"}).find("int")
    <class 'int'>
    """

    def __init__(self, slot: str, group: str, rows: Mapping[str, T | str]) -> None:
        self.slot = slot
        self.group = group
        self._rows = rows

    def own(self) -> list[str]:
        """Return the names of our own kinds, without looking at what is installed."""
        return list(self._rows)

    def names(self) -> list[str]:
        """Return the names of all kinds, our own first."""
        return list(dict.fromkeys([*self._rows, *(e.name for e in self._entries())]))

    def find(self, name: str) -> T:
        """Return the kind of that name; ``module:name`` is the object itself.

        Raises:
            InputError: There is none, two packages offer it, or it cannot be imported.
        """
        if name in self._rows:
            row = self._rows[name]
            return cast("T", load_object(row, self.slot)) if isinstance(row, str) else row
        if ":" in name:
            return cast("T", load_object(name, self.slot))
        found = [entry for entry in self._entries() if entry.name == name]
        if not found:
            hint = did_you_mean(name, self.names(), otherwise="there are ")
            raise InputError(f"{self.slot} {name!r} is not known: {hint}")
        if len({entry.value for entry in found}) > 1:
            whose = " and ".join(sorted(str(e.dist and e.dist.name) for e in found))
            raise InputError(f"{self.slot} {name!r} is offered by {whose}: uninstall one of them")
        return cast("T", load_object(found[0].value, f"{self.slot} {name!r}:"))

    def __contains__(self, name: object) -> bool:
        return name in self._rows or name in self.names()

    def __iter__(self) -> Iterator[str]:
        return iter(self.names())

    def __len__(self) -> int:
        return len(self.names())

    def _entries(self) -> list[EntryPoint]:
        from importlib.metadata import entry_points

        return list(entry_points(group=self.group))
