"""The estimators in scikit-learn's hands."""

import numpy as np
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.model_selection import GridSearchCV, cross_val_score, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import (
    check_estimator,
    check_sample_weight_equivalence_on_dense_data,
)

from penstock.neural import BadData, NeuralClassifier, NeuralRegressor


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # scikit-learn's checks provoke warnings on purpose
@pytest.mark.parametrize("kind", [NeuralClassifier, NeuralRegressor])
def test_scikit_learns_own_checks_all_pass(
    kind: type[NeuralClassifier] | type[NeuralRegressor],
) -> None:
    # As scikit-learn marks its SGDClassifier: other rows make other batches and another split, so a
    # row of weight 2 is that row twice only where each step takes all rows: see the test below.
    marked = {"check_sample_weight_equivalence_on_dense_data": "steps take ten rows each"}
    results = check_estimator(
        kind(epochs=60, random_state=0), on_skip=None, expected_failed_checks=marked
    )
    assert [x["check_name"] for x in results if x["status"] == "xfail"] == list(marked)
    assert sum(x["status"] == "passed" for x in results) >= 50


@pytest.mark.parametrize("kind", [NeuralClassifier, NeuralRegressor])
@pytest.mark.parametrize("solver", ["sgd", "adam"])
def test_a_weight_is_so_many_rows_where_each_step_takes_all(
    kind: type[NeuralClassifier] | type[NeuralRegressor], solver: str
) -> None:
    net = kind(epochs=20, batch_size=1000, validation=0, solver=solver)
    check_sample_weight_equivalence_on_dense_data(kind.__name__, net)


@pytest.mark.slow
def test_it_works_in_a_pipeline_a_grid_and_a_calibration() -> None:
    X, y = load_iris(return_X_y=True)
    net = NeuralClassifier((6,), epochs=25, random_state=0)
    line = make_pipeline(StandardScaler(), net)
    assert cross_val_score(line, X, y, cv=3).mean() > 0.9
    grid = GridSearchCV(net, {"momentum": [0.5, 0.9]}, cv=2).fit(X, y)
    assert grid.best_params_["momentum"] in {0.5, 0.9}
    calibrated = CalibratedClassifierCV(net, cv=2).fit(X, y)
    assert calibrated.predict_proba(X).sum(axis=1) == pytest.approx(np.ones(len(X)))


def test_an_own_validation_set_decides_the_best_epoch() -> None:
    X, y = load_breast_cancer(return_X_y=True)
    fit_X, held_X, fit_y, held_y = train_test_split(X, y, random_state=0)
    net = NeuralClassifier(epochs=30, random_state=0).fit(fit_X, fit_y, validation=(held_X, held_y))
    history = net.history_["valid_nll"]
    assert net.training_ is not None
    assert net.training_.best_epoch == int(np.argmin(history)) + 1
    right = np.log(net.predict_proba(held_X)[np.arange(len(held_y)), held_y])
    assert -right.mean() == pytest.approx(min(history), rel=1e-6)
    assert net.score(held_X, held_y) > 0.9


def test_a_regressor_learns_numbers() -> None:
    X, y = load_diabetes(return_X_y=True)
    net = NeuralRegressor((8,), learning_rate=0.005, epochs=40, random_state=0).fit(X, y)
    assert net.score(X, y) > 0.4
    assert net.predict(X).shape == y.shape


def test_the_same_seed_gives_the_same_network() -> None:
    X, y = load_iris(return_X_y=True)
    one, two = (NeuralClassifier(epochs=5, random_state=3).fit(X, y) for _ in range(2))
    assert (one.predict_proba(X) == two.predict_proba(X)).all()


@pytest.mark.parametrize(
    ("features", "labels", "says"),
    [
        ([[1.0], [np.nan]], [0, 1], "row 1, column 0 contains NaN"),
        ([[1.0], [np.inf]], [0, 1], "infinity"),
        ([[1.0], [2.0]], [1, 1], "only one class"),
        ([[1.0], [2.0]], ["a", None], "None"),
        ([[1.0], [2.0]], [0.0, np.nan], "NaN"),
        ([[1.0], [2.0]], [0], "inconsistent numbers of rows"),
        ([[1e308], [-1e308]], [0, 1], "too large to be scaled"),
        ([["x"], ["y"]], [0, 1], "must be numbers"),
    ],
)
def test_bad_input_is_one_clear_line(features: object, labels: object, says: str) -> None:
    with pytest.raises(BadData, match=says) as caught:
        NeuralClassifier(validation=0).fit(np.array(features), np.array(labels))
    assert "\n" not in str(caught.value)


def test_a_parameter_that_does_not_exist_names_the_nearest() -> None:
    with pytest.raises(BadData, match="did you mean 'learning_rate'"):
        NeuralClassifier().set_params(learningrate=1)
