"""What a linear probe reads from a bare embedding: ``visage reproduce inversion/leaks``."""

from __future__ import annotations

import time

import numpy as np

from visage.faces.hair.traits import SHAVEN
from visage.faces.population import People, people
from visage.faces.readout import fit_ridge, r_squared
from visage.faces.shape import MorphableModel
from visage.inversion.result import inversion_result
from visage.inversion.study import Study
from visage.ledger import Experiment, Profile, Result, Row
from visage.recognition.examples import synthetic_examples
from visage.recognition.verification import area_under_roc

_MIDDLE = 0.5
_YES_OR_NO = ("male", "glasses", "beard", "grey")
_AMOUNTS = ("age", "skin", "hair")


def attributes(persons: People) -> dict[str, np.ndarray]:
    """What is true of B people who do not exist: (B,) each, yes or no, or an amount."""
    hair = persons.hair
    return {
        "male": persons.labels["sex"].numpy() > _MIDDLE,
        "glasses": persons.glasses.worn.numpy(),
        "beard": np.array([one.beard != SHAVEN for one in hair]),
        "grey": np.array([one.greyness > 0.5 for one in hair]),
        "age": persons.labels["age"].numpy().astype(float),
        "skin": np.log(persons.skin.melanin.numpy()),
        "hair": np.log([one.eumelanin for one in hair]),
    }


def reproduce_leaks(profile: Profile, seed: int) -> Result:
    """Ridge probes, learned on training people and asked about test people."""
    start, (known, asked) = time.perf_counter(), ((1000, 300) if profile == "full" else (96, 32))
    study, model, rows = Study.standard(), MorphableModel.load(), []
    features, truth = {}, {}
    for split, count in (("train", known), ("test", asked)):
        examples = synthetic_examples(study.encoder, split, count)
        features[split] = examples.embeddings.numpy()
        truth[split] = attributes(people(model, 0, range(count), split=split))
    shuffled = np.random.default_rng(seed).permutation(known)
    for name in (*_YES_OR_NO, *_AMOUNTS):
        learned, wanted = truth["train"][name].astype(float), truth["test"][name]
        guess = fit_ridge(features["train"], learned).predict(features["test"])
        chance = fit_ridge(features["train"], learned[shuffled]).predict(features["test"])
        if name in _YES_OR_NO:
            right = ((guess > learned.mean()) == wanted).mean()
            rows += [
                Row(f"{name}_auc", None, area_under_roc(-guess, wanted), "", None, asked),
                Row(f"{name}_auc_shuffled", None, area_under_roc(-chance, wanted), "", None, asked),
                Row(f"{name}_accuracy", None, float(right), "fraction", None, asked),
                Row(f"{name}_share", None, float(wanted.mean()), "fraction", None, asked),
            ]
        else:
            rows += [
                Row(f"{name}_r2", None, r_squared(guess, wanted), "", None, asked),
                Row(f"{name}_r2_shuffled", None, r_squared(chance, wanted), "", None, asked),
            ]
    error = np.abs(
        fit_ridge(features["train"], truth["train"]["age"]).predict(features["test"])
        - truth["test"]["age"]
    ).mean()
    rows.append(Row("age_error", None, float(error), "years", None, asked))
    return inversion_result(
        "inversion/leaks",
        "An embedding made to tell people apart tells more: sex, age, skin, beard, glasses.",
        f"Ridge regressions on the embedding (128 numbers) of one picture each of {known} "
        f"synthetic training people, asked about {asked} test people; ridge by five folds of the "
        "training people. auc: chance that of two people the one with the attribute is ranked "
        "higher; accuracy: by the training people's mean; share: of people who have it. age in "
        "years, skin and hair by the logarithm of their melanin. shuffled: the same with labels "
        "exchanged between training people: what a probe reads from nothing.",
        profile=profile, seed=seed, start=start, rows=rows,
    )  # fmt: skip


EXPERIMENTS: dict[str, Experiment] = {"inversion/leaks": reproduce_leaks}
