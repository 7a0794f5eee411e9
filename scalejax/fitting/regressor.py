"""Laws as estimators of scikit-learn: `fit(X, y)`, `predict(X)`, for its pipelines, searches and cross-validation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..core.errors import FitError, suggest
from ..core.laws.law import Law
from ..core.runs import Runs
from ..core.saved import from_json, to_json
from ..zoo import laws
from .fit import fit as fit_law
from .objective.losses import Loss
from .storage import fit_document, fit_from_document

try:
    from sklearn.base import BaseEstimator, RegressorMixin
    from sklearn.utils.validation import check_is_fitted, validate_data
except ImportError:  # an extra; the class says so when it is called
    BaseEstimator, RegressorMixin, validate_data = object, object, None


class ScalingLawRegressor(RegressorMixin, BaseEstimator):
    """A scaling law with the interface of scikit-learn.

    The columns of X are the inputs of the law: by name where X is a data frame that has them all, else in the order of `law.inputs`, or of
    `inputs`. A law with one vector input takes all columns as its entries.

    Args:
        law: a law or its name.
        inputs: names of the law's inputs in the order of the columns of X; default by the names of a data frame, or the law's order.
        loss, on, fix, solver, starts, seed: as in `sj.fit`.

    Attributes:
        fit_: the `Fit`, with parameters, intervals and diagnosis. coef_: parameter name to value.

    Raises:
        FitError: if scikit-learn is missing, or X has other columns than the law has inputs.

    Example:
        >>> import numpy as np, scalejax as sj
        >>> law = sj.laws.chinchilla
        >>> N, D = (v.ravel() for v in np.meshgrid(np.geomspace(1e7, 1e9, 5), np.geomspace(1e9, 1e11, 5)))
        >>> loss = law(N, D, **law.published["besiroglu2024"])
        >>> model = sj.ScalingLawRegressor("chinchilla", starts=64).fit(np.column_stack([N, D]), loss)
        >>> round(model.coef_["alpha"], 3), model.predict([[7e9, 1e12]]).round(3).tolist()
        (0.348, [2.084])

    References: Pedregosa et al. 2011, Journal of Machine Learning Research 12 (scikit-learn).
    """

    def __init__(
        self,
        law: Law | str = "chinchilla",
        *,
        inputs: tuple[str, ...] | None = None,
        loss: Loss | None = None,
        on: Any = "log",
        fix: Mapping[str, Any] | None = None,
        solver: Any = None,
        starts: int | None = None,
        seed: int = 0,
    ) -> None:
        self.law = law
        self.inputs = inputs
        self.loss = loss
        self.on = on
        self.fix = fix
        self.solver = solver
        self.starts = starts
        self.seed = seed

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> ScalingLawRegressor:
        """Fit the law.

        Args:
            X: (runs, inputs). y: (runs,) what the law predicts, such as the loss. sample_weight: (runs,) weights of the runs.
        """
        _needed()
        values, target = validate_data(self, X, y, dtype=np.float64, y_numeric=True, ensure_min_samples=2)
        law = laws[self.law] if isinstance(self.law, str) else self.law
        columns = {**self._columns(law, values), law.output: target}
        if sample_weight is not None:
            columns["weight"] = np.broadcast_to(np.asarray(sample_weight, float), target.shape)
        runs = Runs(columns, weighted_by="weight" if sample_weight is not None else "")
        self.fit_ = fit_law(
            law, runs, loss=self.loss, on=self.on, fix=self.fix, solver=self.solver, starts=self.starts, seed=self.seed, unidentified="warn"
        )
        self.coef_ = dict(self.fit_.params)
        return self

    def predict(self, X: Any) -> np.ndarray:
        """(runs,) the law at the fitted parameters."""
        _needed()
        check_is_fitted(self)
        values = validate_data(self, X, dtype=np.float64, reset=False)
        return np.asarray(self.fit_.predict(**self._columns(self.fit_.law, values)))

    def __getstate__(self) -> dict[str, Any]:
        state = dict(super().__getstate__())
        return state | ({"fit_": to_json(fit_document(self.fit_))} if "fit_" in state else {})

    def __setstate__(self, state: dict[str, Any]) -> None:
        law = state["law"] if isinstance(state["law"], Law) else None
        fitted = {"fit_": fit_from_document(from_json(state["fit_"]), law)} if "fit_" in state else {}
        super().__setstate__(state | fitted)

    def _columns(self, law: Law, values: np.ndarray) -> dict[str, np.ndarray]:
        """Input to its column of X."""
        if len(law.inputs) == 1 and law.domains[law.inputs[0]].axis:
            return {law.inputs[0]: values}
        named = getattr(self, "feature_names_in_", None)
        known = named is not None and set(law.inputs) == set(named)
        order = self.inputs or (tuple(named) if named is not None and known else law.inputs)
        wrong = next((name for name in order if name not in law.inputs), None)
        if wrong is not None:
            raise FitError(f"Law {law.name!r} has no input {wrong!r}; {suggest(wrong, law.inputs)}")
        if len(order) != values.shape[1] or set(order) != set(law.inputs):
            raise FitError(
                f"X has {values.shape[1]} columns, and the law {law.name!r} the inputs {', '.join(law.inputs)}; give one for each."
            )
        return {name: values[:, i] for i, name in enumerate(order)}


def _needed() -> None:
    if validate_data is None:
        raise FitError("ScalingLawRegressor needs scikit-learn, which is not installed: pip install scikit-learn, or use sj.fit.")
