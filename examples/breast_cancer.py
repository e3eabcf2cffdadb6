"""Breast-cancer records with the module of logistic-regression: stochastic gradient descent, one record a step.

scikit-learn only loads the 569 records. Run: python examples/breast_cancer.py
"""

from __future__ import annotations

import numpy as np
from sklearn.datasets import load_breast_cancer
from training import generated, print_curve, progress, split

EPOCHS, RATE = 40, 0.01


def main() -> float:
    """Trains, prints the learning curve and returns the held-out accuracy."""
    model, rng = generated("logistic_regression"), np.random.default_rng(0)
    records = load_breast_cancer()
    train, held_out = split(rng, len(records.data))
    mean, spread = records.data[train].mean(axis=0), records.data[train].std(axis=0)
    features, labels = (records.data - mean) / spread, records.target.astype(float)
    params = model.init_params(rng, D=features.shape[1])
    losses = []
    for epoch in progress(EPOCHS):
        total, rate = 0.0, RATE / (1 + epoch / 10)
        for i in rng.permutation(train):
            loss, grads = model.loss_and_grads(params, {"x": features[i], "y": labels[i]})
            total += float(loss)
            for name, g in grads.items():
                params[name] = params[name] - rate * g
        losses.append(total / len(train))
    print_curve("training loss", losses)
    decided = features[held_out] @ params["w"] + params["b"] > 0
    accuracy = float(np.mean(decided == labels[held_out]))
    print(f"held out: {accuracy:.1%} of {len(held_out)} records right")
    return accuracy


if __name__ == "__main__":
    main()
