"""Variance and resolution: random features in the limit have the exponents that the kernel's spectrum predicts."""

import numpy as np
import pytest

import scalejax as sj
from scalejax import papers

K = np.arange(1.0, 1e5 + 1)
X = np.geomspace(30, 300, 6)


def loss(P, D, alpha: float = 0.5) -> np.ndarray:
    return papers.feature_ridge_loss(P, D, K ** -(1 + alpha), np.ones(len(K)))


@pytest.mark.parametrize("alpha", [0.4, 0.7])
def test_resolution_gives_the_exponent_of_the_spectrum_in_data_and_features(alpha):
    for losses in (loss(X, 1e9, alpha), loss(1e9, X, alpha)):
        found = papers.limited_by(X, losses, 0.0)
        assert found.regime == "resolution-limited" and abs(found.exponent / alpha - 1) < 0.05


def test_variance_gives_one_whatever_the_spectrum():
    for alpha in (0.4, 0.7):
        for losses, limit in ((loss(30.0, 1e3 * X, alpha), loss(30.0, 1e12, alpha)), (loss(1e3 * X, 30.0, alpha), loss(1e12, 30.0, alpha))):
            found = papers.limited_by(1e3 * X, losses, limit)
            assert found.regime == "variance-limited" and abs(found.exponent - 1) < 0.02


def test_the_exponent_of_a_kernel_matrix():
    """exp(-|x - y|) on a circle: eigenvalues k^-2, so that alpha_K = 1."""
    x = 2 * np.pi * np.arange(1000) / 1000
    apart = np.abs(x[:, None] - x)
    values = np.linalg.eigvalsh(np.exp(-np.minimum(apart, 2 * np.pi - apart)))
    assert abs(papers.spectrum_exponent(values) - 1) < 0.05
    np.testing.assert_allclose(papers.spectrum_exponent(values), papers.spectrum_exponent(7 * values[::-1]), rtol=1e-12)


def test_bad_input_gets_a_sentence():
    with pytest.raises(sj.DataError, match="pass ranks="):
        papers.spectrum_exponent(np.ones(12))
    with pytest.raises(sj.DataError, match="losses above the limit"):
        papers.limited_by([1.0, 2.0, 3.0], [3.0, 2.0, 1.0], 1.0)
