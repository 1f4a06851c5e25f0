"""The stage ``label``: a trained network's answer goes into each record before it lands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec

from penstock.assembly.room_sections import LabelStage
from penstock.errors import InputError, PermanentError
from penstock.pipeline import Key, LandedRecord, Result, Stage, entry_of

if TYPE_CHECKING:
    from penstock.neural import Model

_EXCERPT = 200


def labelling(
    model: Model, *, field: str = "label", unfit: Literal["fail", "land"] = "fail"
) -> Stage[object, object]:
    """Return a stage that adds the model's answer to each record: see :meth:`Pipeline.through`.

    Records that came together go through the network together, and none waits for others. The
    record's own bytes stay as the server sent them; the answer is put behind its last member.

    Args:
        model: With ``features`` set. A feature whose name has dots is found in nested objects.
        field: Name of the answer; for classes ``{field}_probability`` stands beside it.
        unfit: What becomes of a record that the model cannot take: it fails, with the reason, or
            lands as it came.

    Raises:
        InputError: The model has no feature names.

    >>> import numpy as np
    >>> from penstock.neural import Linear, Model, Network
    >>> double = Model(network=Network(1, (Linear(1),)), weights=np.array([[2.0, 0.0]]),
    ...                features=("x",))
    >>> stage = labelling(double, field="twice")
    >>> stage([Result(7, {"x": 21}), Result(8, {"y": 1})])[0].value
    LandedRecord(key=7, body=b'{"x":21,"twice":42.0}')
    """
    from penstock.neural import label

    label((), model, field=field)  # refuse a model that cannot label here and now

    def stage(results: Sequence[Result[Key, object]]) -> Sequence[Result[Key, object]]:
        taken = [_Taken(result, model, field) for result in results]
        records = [one.record for one in taken if one.record is not None]
        answers = label(records, model, field=field, batch=max(1, len(records)))
        return [
            one.unlabelled(unfit) if one.record is None else one.labelled(next(answers), field)
            for one in taken
        ]

    return stage


def load_labelling(section: LabelStage, folder: Path) -> Stage[object, object]:
    """Return the stage that a pipeline file describes.

    Raises:
        InputError: The model cannot be read, or cannot label.
        MissingExtra: NumPy or safetensors is not installed.
    """
    from penstock.neural import load_model

    path = folder / Path(section.model).expanduser()
    return labelling(load_model(path), field=section.field, unfit=section.unfit)


class _Taken:
    """A result on its way through the network: with its record, or with why there is none."""

    def __init__(self, result: Result[Key, object], model: Model, field: str) -> None:
        self._result = result
        self._body = b""
        self._why: InputError | PermanentError | None = None
        self.record: Mapping[str, object] | None = None
        entry = entry_of(result)
        if isinstance(entry, LandedRecord):
            self._body = entry.body
            try:
                self.record = _fitting(entry.body, model, field)
            except (InputError, PermanentError) as error:
                self._why = error
                error.excerpt = entry.body[:_EXCERPT].decode("utf-8", "replace")

    def unlabelled(self, unfit: str) -> Result[Key, object]:
        """Return the result without an answer: as it came, or failed."""
        if self._why is None or unfit == "land":
            return self._result
        return Result(self._result.key, None, self._why, self._result.attempts)

    def labelled(self, whole: Mapping[str, object], field: str) -> Result[Key, object]:
        """Return the result with the answer in its record."""
        answer = {name: whole[name] for name in (field, f"{field}_probability") if name in whole}
        # Put behind the last member: nothing else of the record is decoded and written again.
        body = self._body.rstrip()[:-1] + b"," + msgspec.json.encode(answer)[1:]
        key = self._result.key
        return Result(key, LandedRecord(key, body), None, self._result.attempts)


def _fitting(body: bytes, model: Model, field: str) -> Mapping[str, object]:
    """Return the record, if the model can take it and the answer has a place in it."""
    from penstock.neural import features_of

    try:
        record = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError) as error:
        raise PermanentError(f"label: the record cannot be read: {error}") from error
    if not isinstance(record, dict):
        raise PermanentError("label: the record is not an object with the model's features")
    for name in (field, f"{field}_probability"):
        if name in record:
            raise PermanentError(f"label: the record has {name!r} already: set field in [[stage]]")
    try:
        features_of(record, model)
    except InputError as error:
        raise PermanentError(f"label: {error}") from error
    return record
