"""What scikit-learn asks of an estimator besides learning, without importing scikit-learn.

Its tools look at shapes, not at base classes: parameters by name, tags, a text form. Its own
package, slow to import, is asked only where it is the one that calls.
"""

from __future__ import annotations

import inspect
import sys
from typing import TYPE_CHECKING, Self

from penstock.neural.errors import BadData, nearest

if TYPE_CHECKING:
    from sklearn.utils import Tags

__all__ = ["Parameters", "not_fitted"]


class Parameters:
    """Parameters are the constructor's arguments, kept unchanged under their own names."""

    @classmethod
    def _names(cls) -> list[str]:
        return [name for name in inspect.signature(cls).parameters if name != "self"]

    def get_params(self, deep: bool = True) -> dict[str, object]:  # noqa: FBT001, FBT002 - scikit-learn's signature
        """Return every parameter by name."""
        return {name: getattr(self, name) for name in self._names()}

    def set_params(self, **params: object) -> Self:
        """Set parameters by name.

        Raises:
            BadData: There is none of that name; the nearest is named.
        """
        for name, value in params.items():
            if name not in self._names():
                kind = type(self).__name__
                raise BadData(f"{kind} has no parameter {name!r}{nearest(name, self._names())}")
            setattr(self, name, value)
        return self

    def __repr__(self) -> str:
        defaults = inspect.signature(type(self)).parameters
        changed = {
            name: value
            for name, value in self.get_params().items()
            if repr(value) != repr(defaults[name].default)
        }
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in changed.items())})"


def not_fitted(estimator: object) -> Exception:
    """Return the error for using an estimator before ``fit``: scikit-learn's where it is loaded."""
    text = f"{type(estimator).__name__} is not fitted yet: call fit(X, y) first"
    loaded = sys.modules.get("sklearn.exceptions")
    if loaded is not None:
        error = loaded.NotFittedError(text)
        assert isinstance(error, Exception)  # narrows what mypy cannot know
        return error
    return BadData(text)


def tags(kind: str) -> Tags:
    """Return scikit-learn's tags of a classifier or regressor on dense numbers."""
    from sklearn.utils import (
        ClassifierTags,
        InputTags,
        RegressorTags,
        Tags,
        TargetTags,
    )

    return Tags(
        estimator_type=kind,
        target_tags=TargetTags(required=True, multi_output=kind == "regressor"),
        classifier_tags=ClassifierTags() if kind == "classifier" else None,
        regressor_tags=RegressorTags() if kind == "regressor" else None,
        input_tags=InputTags(),
    )
