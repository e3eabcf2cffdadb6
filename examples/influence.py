"""Which training images of handwritten digits change a prediction most? Influence functions (Koh and Liang 2017).

Without training image i the parameters move by H⁻¹∇ℓᵢ/N, to first order, so the loss on a test image by ∇ℓₜ·H⁻¹∇ℓᵢ/N.
H⁻¹∇ℓₜ is found once, by conjugate gradients that ask for Hessian-vector products. A few images are then left out in
fact, to see whether that holds. scikit-learn only loads the images. Run: python examples/influence.py
"""

from __future__ import annotations

import numpy as np
from emitting import emitted
from scipy.optimize import minimize
from scipy.sparse.linalg import LinearOperator, cg
from sklearn.datasets import load_digits

from symbackprop import flat

MODEL = """
dim N, D, C = 10
data X: N x D, y: N int < C, weight: N
param W: D x C, b: C
Z = X @ W + b
loss L = mean(weight * cross_entropy(Z, y)) + 0.005 * (sum(W**2) + sum(b**2))
"""
TRAIN, LEFT_OUT = 300, 6


def main() -> float:
    """Prints the most influential images; how well the predicted changes agree with those of fits without the image."""
    digits, module = load_digits(), emitted(MODEL, hvp=True)
    images, labels = digits.data / 16, digits.target
    X, y = images[:TRAIN], labels[:TRAIN]
    start = {"W": np.zeros((64, 10)), "b": np.zeros(10)}

    def fitted(weight: np.ndarray, x0: np.ndarray | None = None) -> tuple[object, np.ndarray]:
        f = flat(module, {"X": X, "y": y, "weight": weight}, start)
        fit = minimize(f.fun_and_jac, f.x0 if x0 is None else x0, jac=True, hessp=f.hessp, method="trust-ncg",
                       options={"gtol": 1e-9})
        return f, fit.x

    f, x = fitted(np.ones(TRAIN))
    wrong = TRAIN + int(np.argmin(_right(f.unflatten(x), images[TRAIN:], labels[TRAIN:])))  # type: ignore[attr-defined]

    def slope(image: np.ndarray, label: int) -> np.ndarray:
        """The gradient of the cross-entropy of one image."""
        alone = flat(module, {"X": image[None], "y": np.array([label]), "weight": np.ones(1)}, start)
        return alone.jac(x) - 0.01 * x

    size = len(x)
    hessian = LinearOperator((size, size), matvec=lambda v: f.hessp(x, v))  # type: ignore[attr-defined]
    test = slope(images[wrong], labels[wrong])
    solved, _ = cg(hessian, test, rtol=1e-8)
    influence = np.array([solved @ slope(a, b) for a, b in zip(X, y, strict=True)]) / TRAIN
    order = np.argsort(-np.abs(influence))[:LEFT_OUT]
    cost = _cross_entropy(f.unflatten(x), images[wrong], labels[wrong])  # type: ignore[attr-defined]
    print(f"test image {wrong}, a {labels[wrong]}, has the loss {cost:.3f}; without a training image it changes by")
    happened = []
    for i in order:
        weight = np.ones(TRAIN)
        weight[i] = 0
        g, there = fitted(weight, x)
        happened.append(_cross_entropy(g.unflatten(there), images[wrong], labels[wrong]) - cost)  # type: ignore[attr-defined]
        print(f"  image {i:3d}, a {y[i]}: predicted {influence[i]:+.4f}, fitted again {happened[-1]:+.4f}")
    agree = float(np.corrcoef(influence[order], happened)[0, 1])
    print(f"correlation {agree:.4f}")
    return agree


def _logits(params: dict[str, np.ndarray], images: np.ndarray) -> np.ndarray:
    return images @ params["W"] + params["b"]


def _right(params: dict[str, np.ndarray], images: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The log probability of the right class."""
    z = _logits(params, images)
    return z[np.arange(len(z)), labels] - np.log(np.exp(z).sum(1))


def _cross_entropy(params: dict[str, np.ndarray], image: np.ndarray, label: int) -> float:
    return -float(_right(params, image[None], np.array([label]))[0])


if __name__ == "__main__":
    main()
