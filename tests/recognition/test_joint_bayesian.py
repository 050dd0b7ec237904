import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import multivariate_normal

from visage.recognition.joint_bayesian import (
    JointBayesian,
    JointBayesianError,
    fit_joint_bayesian,
)

BETWEEN = np.array([[3.0, 1.0, 0.0], [1.0, 2.0, 0.0], [0.0, 0.0, 0.1]])
WITHIN = np.array([[1.0, 0.0, 0.4], [0.0, 0.5, 0.0], [0.4, 0.0, 1.0]])
MEAN = np.array([5.0, -1.0, 0.0])


def sample(people=600, each=(1, 2, 3, 6), seed=0):
    """Features of people with one to six photographs, from known covariances."""
    random = np.random.default_rng(seed)
    counts = random.choice(each, people)
    owners = np.repeat(np.arange(people), counts)
    own = random.multivariate_normal(MEAN, BETWEEN, people)
    features = own[owners] + random.multivariate_normal(np.zeros(3), WITHIN, len(owners))
    return torch.from_numpy(features), torch.from_numpy(owners)


def exact():
    """The model that the sample is from, by simultaneous diagonalisation with numpy."""
    factor = np.linalg.inv(np.linalg.cholesky(WITHIN))
    ratio, vectors = np.linalg.eigh(factor @ BETWEEN @ factor.T)
    order = ratio.argsort()[::-1]
    projection = (factor.T @ vectors)[:, order]
    return JointBayesian(*map(torch.from_numpy, (MEAN, projection.copy(), ratio[order].copy())))


def brute_force(a, b):
    """Log likelihood ratio from the joint normal distributions of both vectors."""
    both, mean = np.concatenate([a, b]), np.concatenate([MEAN, MEAN])
    total, none = BETWEEN + WITHIN, np.zeros((3, 3))
    same = multivariate_normal(mean, np.block([[total, BETWEEN], [BETWEEN, total]]))
    different = multivariate_normal(mean, np.block([[total, none], [none, total]]))
    return same.logpdf(both) - different.logpdf(both)


@given(st.integers(0, 10_000))
def test_the_score_is_the_brute_force_likelihood_ratio(seed):
    a, b = np.random.default_rng(seed).normal(MEAN, 3.0, (2, 3))
    model = exact()
    score = model.score(*(model.project(torch.from_numpy(v)) for v in (a, b)))
    assert float(score) == pytest.approx(brute_force(a, b), rel=1e-9, abs=1e-9)


def test_all_scores_are_the_single_ones():
    model = exact()
    a, b = model.project(sample(people=4)[0]), model.project(sample(people=5, seed=1)[0])
    together = model.score_all(a, b)
    for i in range(len(a)):
        for j in range(len(b)):
            assert float(together[i, j]) == pytest.approx(float(model.score(a[i], b[j])))


def test_the_fit_finds_the_covariances():
    features, owners = sample(people=4000)
    model = fit_joint_bayesian(features, owners, iterations=50)
    back = torch.linalg.inv(model.projection)
    assert model.mean.numpy() == pytest.approx(MEAN, abs=0.1)
    assert (back.mT @ back).numpy() == pytest.approx(WITHIN, abs=0.06)
    assert (back.mT @ model.ratio.diag() @ back).numpy() == pytest.approx(BETWEEN, abs=0.25)
    assert (model.ratio[:-1] >= model.ratio[1:]).all()


def likelihood(features, owners, model):
    """Log likelihood of all features, each person's photographs jointly normal."""
    back = torch.linalg.inv(model.projection).numpy()
    within, between = back.T @ back, back.T @ np.diag(model.ratio.numpy()) @ back
    total = 0.0
    for owner in owners.unique():
        x = features[owners == owner].numpy()
        covariance = np.kron(np.eye(len(x)), within) + np.kron(np.ones((len(x),) * 2), between)
        mean = np.tile(model.mean.numpy(), len(x))
        total += multivariate_normal(mean, covariance).logpdf(x.ravel())
    return total


def test_no_iteration_makes_the_features_less_likely():
    features, owners = sample(people=60)
    found = [
        likelihood(features, owners, fit_joint_bayesian(features, owners, iterations=i))
        for i in (0, 1, 2, 4, 8)
    ]
    assert (np.diff(found) > -1e-8).all()
    assert found[-1] > found[0]


def test_people_are_names_only():
    features, owners = sample(people=80)
    order = torch.randperm(len(owners), generator=torch.Generator().manual_seed(0))
    plain = fit_joint_bayesian(features, owners)
    other = fit_joint_bayesian(features[order], 1000 - 7 * owners[order])
    assert torch.allclose(plain.ratio, other.ratio, atol=1e-9)


def test_the_best_coordinates_are_kept():
    features, owners = sample()
    whole, part = fit_joint_bayesian(features, owners), fit_joint_bayesian(features, owners, dim=2)
    assert torch.equal(part.ratio, whole.ratio[:2])
    assert part.project(features).shape == (len(features), 2)
    assert whole.project(features.float().double()).dtype == torch.float64


@pytest.mark.parametrize(
    ("features", "people", "said"),
    [
        (torch.zeros(3), torch.zeros(3), "expected"),
        (torch.zeros(3, 2), torch.zeros(2), "expected"),
        (torch.full((3, 2), torch.nan), torch.zeros(3), "not finite"),
        (torch.rand(3, 2), torch.arange(3), "two photographs"),
        (torch.zeros(4, 2), torch.tensor([0, 0, 1, 1]), "span"),
    ],
)
def test_what_cannot_be_fitted_is_refused(features, people, said):
    with pytest.raises(JointBayesianError, match=said):
        fit_joint_bayesian(features, people)
