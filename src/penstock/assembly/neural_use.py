"""The use ``neural``: a network learns from all that has landed, when the run ends."""

from __future__ import annotations

import tomllib
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, final

import msgspec

from penstock.assembly.room_sections import NeuralUse
from penstock.errors import InputError, MissingExtra
from penstock.events import Events, LeftOut, Notice
from penstock.http import dig
from penstock.pipeline import LandedRecord, Used
from penstock.store import StoreReader
from penstock.whole import check_target

if TYPE_CHECKING:
    from penstock.neural import NeuralClassifier, NeuralRegressor, Table, Task

# Keys of a [neural] table that are the command line's own.
_OF_COMMANDS = frozenset(
    ("data", "out", "plot", "history", "onnx", "onnx_precision", "resume", "keep", "members")
)


def neural_section(section: NeuralUse, folder: Path) -> NeuralUse:
    """Return the section with what its ``config`` says.

    Raises:
        InputError: The file cannot be read or has an unknown key, or there is no label.
    """
    if section.config:
        path = folder / Path(section.config).expanduser()
        try:
            table = tomllib.loads(path.read_text(encoding="utf-8"))["neural"]
            told = {name.replace("-", "_"): value for name, value in table.items()}
            own = {name: value for name, value in told.items() if name not in _OF_COMMANDS}
            if isinstance(hidden := own.get("hidden"), str):
                own["hidden"] = [int(part) for part in hidden.split(",")]
            for name in {"features", "drop"} & own.keys():
                if isinstance(own[name], str):
                    own[name] = [part.strip() for part in own[name].split(",")]
            given = {"kind": "neural", "path": section.path, "at": section.at}
            section = msgspec.convert({**own, **given}, NeuralUse)
        except OSError as error:
            raise InputError(f"use neural: {path}: {error.strerror}") from error
        except (KeyError, AttributeError, ValueError, msgspec.ValidationError) as error:
            raise InputError(f"use neural: {path}, table [neural]: {error}") from error
    if not section.label:
        raise InputError("use neural: label says which member of the records is learned")
    return section


@final
class NeuralTraining:
    """Trains a network on what has landed, and keeps it where a ``label`` stage finds it.

    Args:
        section: What is learned, and where from and to.
        folder: Where relative paths start.
        events: Told what is left out, and that nothing was learned.

    Raises:
        InputError: A choice that cannot be.
        MissingExtra: NumPy or safetensors is not installed.
    """

    def __init__(self, section: NeuralUse, folder: Path, events: Events) -> None:
        self._section = neural_section(section, folder)
        self._events = events
        self._path = folder / Path(section.path).expanduser()
        check_target(self._path)
        self._task = _task(self._section)
        self._task.estimator()  # refuse what cannot be here and now
        self._left_out = 0

    @property
    def describes(self) -> str:
        """What is done, in words."""
        return f"neural: {self._section.label} of all records, at the end, into {self._path.name}"

    def catch_up(self, store: StoreReader) -> None:
        """Wait: a network is trained whole, at the end."""

    def finish(self, store: StoreReader) -> Used:
        """Train, judge, and keep the network unless it learned nothing.

        Raises:
            InputError: The records are not a table that a network can be trained on.
            StorageError: The disk does not take it.
        """
        from penstock.neural import TrainingFailed, save_model, table_of_records

        self._left_out = 0
        table = table_of_records(self._records(store), self._task)
        self._task.check(table)
        words = self._task.words(table)
        net = self._task.estimator()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            net.fit(table.features, self._task.labels(table), self._task.row_weights(table))
        failed = [x.message for x in caught if isinstance(x.message, TrainingFailed)]
        text = f"{len(table.texts):,} records"
        if failed:
            self._events.emit(Notice(reason=f"use neural: {failed[0]}", doubtful=True))
            return Used("neural", f"{text}, nothing learned: {failed[0]}", 0, self._left_out)
        save_model(self._path, self._task.named(net.model_, table))
        said = [text, *_judged(net, self._section, self._task, table), *table.words, *words]
        return Used(
            "neural", f"{'; '.join(said)}; in {self._path}", len(table.texts), self._left_out
        )

    def _records(self, store: StoreReader) -> Iterator[dict[str, object]]:
        section = self._section
        for landed in store.records():
            record = dig(msgspec.json.decode(landed.body), section.at)
            if isinstance(record, dict) and _found(record, section.label) is not None:
                yield record
            else:
                self._leave_out(landed)

    def _leave_out(self, landed: LandedRecord) -> None:
        self._left_out += 1
        reason = f"no {self._section.label!r} to learn"
        self._events.emit(LeftOut(use="neural", key=landed.key, reason=reason))


def _found(record: dict[str, object], name: str) -> object:
    """Return a member by its name, dots included, or by its path."""
    return record[name] if name in record else dig(record, name)


def _task(section: NeuralUse) -> Task:
    try:
        from penstock.neural import CHOICES, Task
    except ImportError as error:
        raise MissingExtra("training a network", "numpy", "neural") from error
    return Task(
        label=section.label,
        regress=section.regress,
        features=section.features,
        drop=section.drop,
        weights=section.weights,
        decimal=section.decimal or ".",
        hidden=section.hidden,
        members=section.many,
        seed=section.seed,
        chosen={name: getattr(section, name) for name in CHOICES},
    )


def _judged(
    net: NeuralClassifier | NeuralRegressor, section: NeuralUse, task: Task, table: Table
) -> list[str]:
    """Return how good the network is on rows it has not seen, and over seeds or folds."""
    said = []
    rows = net.held_out_
    if rows is not None:
        outputs = net.model_.outputs(rows.features)
        if section.regress:
            missed = float(((outputs - rows.targets) ** 2).mean()) ** 0.5
            said.append(f"root mean squared error {missed:.4g} on {len(rows)} held-out rows")
        else:
            right = float((outputs.argmax(axis=1) == rows.targets.argmax(axis=1)).mean())
            said.append(f"{right:.1%} of {len(rows)} held-out rows right")
    if section.seeds or section.folds:
        found = task.study(table, seeds=section.seeds, folds=section.folds or None)
        said.append(" ".join(str(found).split()))
    return said
