"""What is learned from a table, and how: from options, a ``[neural]`` table or a pipeline."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import final

from penstock.errors import InputError
from penstock.neural.datasets import classify, regress
from penstock.neural.errors import BadData
from penstock.neural.estimator import NeuralClassifier, NeuralRegressor
from penstock.neural.layers import Layer, Linear, Softmax
from penstock.neural.model import Model
from penstock.neural.studies import NumberStudy, Study, cross_validate, study
from penstock.neural.tables import Table, table_of_sheet
from penstock.tables import Numbers, Sheet, decimal_mark, one_unit

__all__ = ["CHOICES", "Task", "table_of_records"]

CHOICES = (
    *("activation", "learning_rate", "momentum", "batch_size", "decay", "solver", "dropout"),
    *("validation", "split", "class_weight", "epochs", "patience", "engine"),
)
"""What the estimators take by the same names as options and keys of files."""

_MANY_NUMBERS = 20  # so many different numbers are rather numbers than names of classes


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A column to learn, and the network and training that learn it.

    Attributes:
        label: The column.
        regress: Whether it holds numbers to predict, not classes.
        features: The columns to learn from; () takes all the others.
        drop: Columns to leave away.
        weights: The column that says how much each row counts; "" where all count alike.
        decimal: The decimal mark, where the table could have either.
        hidden: Units of the hidden layers.
        members: Networks to train at once.
        seed: Of weights and shuffles.
        chosen: The estimator's other parameters by name.

    >>> Task(label="kind", hidden=(4,), chosen={"epochs": 3}).estimator().epochs
    3
    """

    label: str
    regress: bool = False
    features: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    weights: str = ""
    decimal: str = ""
    hidden: tuple[int, ...] = (100,)
    members: int = 1
    seed: int = 0
    chosen: Mapping[str, object] = field(default_factory=dict)

    @property
    def left_away(self) -> tuple[str, ...]:
        """The columns that are not learned from though no feature was named."""
        return (*self.drop, self.weights) if self.weights else self.drop

    def check(self, table: Table) -> None:
        """Raise InputError where what should be classes are numbers to predict."""
        different = set(table.labels)
        numbers = not self.regress and all(Numbers().read(x) is not None for x in different)
        if numbers and len(different) > _MANY_NUMBERS and 4 * len(different) > len(table.labels):
            raise InputError(
                f"{self.label} has {len(different)} different numbers in {len(table.labels)} rows:"
                " to predict numbers say --regress"
            )

    def words(self, table: Table) -> list[str]:
        """Return what is odd about the labels, in sentences.

        Raises:
            InputError: Two labels are one number in two spellings.
        """
        counts = Counter(() if self.regress else table.labels)
        spellings: dict[float | str, str] = {}
        said = [
            f"{self.label}: {name!r} is the label of a single row"
            for name, count in counts.items()
            if count == 1 and len(table.labels) > _MANY_NUMBERS
        ]
        for name in counts:
            number = Numbers().read(name)
            plain = name.casefold() if number is None or math.isnan(number) else number
            other = spellings.setdefault(plain, name)
            if other != name and isinstance(plain, float):
                raise InputError(f"{self.label}: {other!r} and {name!r} are one number: write one")
            if other != name:
                said.append(f"{self.label}: {other!r} and {name!r} are two classes")
        return said

    def estimator(self) -> NeuralClassifier | NeuralRegressor:
        """Return the estimator, not trained."""
        kind = NeuralRegressor if self.regress else NeuralClassifier
        made = kind(self.hidden, members=self.members, random_state=self.seed)
        return made.set_params(**self.chosen)

    def labels(self, table: Table) -> list[float] | list[str]:
        """Return a table's labels: texts, or numbers to predict.

        Raises:
            InputError: One is not a number, and numbers are to be predicted.
        """
        if not self.regress:
            return list(table.labels)
        return self._numbers("--regress needs numbers as labels", table.labels)

    def row_weights(self, table: Table) -> list[float] | None:
        """Return how much each row counts, or None where all count alike."""
        if not self.weights:
            return None
        place = table.header.index(self.weights)
        texts = [row[place] for row in table.texts]
        return self._numbers(f"column {self.weights} of --weights holds numbers", texts)

    def named(self, model: Model, table: Table) -> Model:
        """Return a model that knows the table's columns, and its classes by name."""
        named = replace(model, features=table.names, label=self.label, columns=table.encoding)
        return named if self.regress else replace(named, classes=tuple(sorted(set(table.labels))))

    def study(
        self, table: Table, *, seeds: int = 200, folds: int | None = None, members: int = 1
    ) -> Study | NumberStudy:
        """Return how well the task is learned, on rows that it has not seen."""
        last: Layer = Linear(1)
        if self.regress:
            examples = regress(table.features, self.labels(table))
        else:
            examples, classes = classify(table.features, table.labels)
            last = Softmax(len(classes))
        net = replace(self, members=1).estimator()
        network = net.network(table.features.shape[1], last)
        plan = replace(net.plan(validated=True), precision="single")
        if folds:
            return cross_validate(
                network, examples, plan, count=folds, members=members, seed=self.seed
            )
        return study(network, examples, plan, seeds=seeds)

    def _numbers(self, what: str, texts: Sequence[str]) -> list[float]:
        reader = Numbers(decimal_mark(texts, ";", self.decimal))
        found = [reader.read(text) for text in texts]
        if None not in found:
            one_unit(texts, "the column")
        for text, number in zip(texts, found, strict=True):
            if number is None or math.isnan(number):
                raise InputError(f"{what}: {text!r} is not one")
        return [number for number in found if number is not None]


def table_of_records(records: Iterable[Mapping[str, object]], task: Task) -> Table:
    """Return records as the table that a task learns from.

    Nested objects are columns by names with dots; what a record lacks, and null, is missing; lists
    are left away.

    Raises:
        BadData: No records, no such column, or a value that cannot be used.

    >>> rows = [{"a": {"b": 1}, "kind": "x"}, {"a": {"b": 2}, "kind": "y"}]
    >>> table_of_records(rows, Task(label="kind")).names
    ('a.b',)
    """
    rows = [dict(_leaves(record)) for record in records]
    names = tuple(dict.fromkeys(name for row in rows for name in row))
    if not rows or not names:
        raise BadData("records: none to learn from")
    lists = tuple(x for x in names if any(isinstance(row.get(x), list) for row in rows))
    numbered = [
        (number, [_text(row.get(name)) for name in names]) for number, row in enumerate(rows, 1)
    ]
    sheet = Sheet("records", names, numbered, ",", (names,))
    sheet.words = tuple(f"{name} holds lists and is left away" for name in lists)
    away = (*task.left_away, *lists)
    return table_of_sheet(
        sheet, "records", task.label, task.features, drop=away, decimal=task.decimal
    )


def _leaves(record: Mapping[str, object], above: str = "") -> Iterator[tuple[str, object]]:
    for name, value in record.items():
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", value


def _text(value: object) -> str:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))  # 1.0 of one record is 1 of another
    return "" if value is None or value == {} else str(value)
