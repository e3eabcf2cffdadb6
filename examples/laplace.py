"""Error bars of a small network by the Laplace approximation (MacKay 1992): as wide as the Gauss–Newton matrix is flat.

Around the fitted parameters the posterior is taken to be normal with the precision G + prior, G being the Gauss–Newton
matrix of the loss, asked for column by column; a prediction then has the variance g·(G + prior)⁻¹g, where g is its
gradient. Where there are no data the bars open. Run: python examples/laplace.py [picture.png]
"""

from __future__ import annotations

import sys

import numpy as np
from emitting import emitted
from scipy.optimize import minimize

from symbackprop import flat

NET = """
dim N, H
data x: N
param a: H, b: H, c: H, d
f = tanh(outer(x, a) + b) @ c + d
"""
NOISE, PRIOR, HIDDEN = 0.1, 0.5, 12


def fit(x: np.ndarray, y: np.ndarray) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """The most probable parameters, and their covariance."""
    text = NET.replace("data x: N", "data x: N, y: N").rstrip() + f"""
loss L = sum((y - f)**2) / {2 * NOISE**2} + {PRIOR / 2} * (sum(a**2) + sum(b**2) + sum(c**2) + d**2)
"""
    module, rng = emitted(text, ggn=True), np.random.default_rng(0)
    start = {n: rng.normal(size=np.shape(v)) for n, v in module.init_params(rng, H=HIDDEN).items()}
    f = flat(module, {"x": x, "y": y}, start)
    found = minimize(f.fun_and_jac, f.x0, jac=True, method="BFGS", options={"gtol": 1e-4, "maxiter": 2000}).x
    params = f.unflatten(found)
    columns = [f.flatten(module.ggn(params, f.data, f.unflatten(unit))) for unit in np.eye(len(found))]
    return params, np.linalg.inv(np.stack(columns, axis=1))


def predicted(params: dict[str, np.ndarray], covariance: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What the network says at points, and one standard deviation of it."""
    layer = emitted(NET.replace("f = ", "output f = "))
    f, cache = layer.forward(params, {"x": x})
    slopes = [layer.backward(cache, unit) for unit in np.eye(len(x))]
    rows = np.stack([np.concatenate([np.ravel(s[n]) for n in layer.PARAMS]) for s in slopes])
    return f, np.sqrt(np.einsum("ni,ij,nj->n", rows, covariance, rows))


def main() -> tuple[float, float]:
    """Fits a sine of which the middle is missing; the mean error bar among the data and in the gap."""
    rng = np.random.default_rng(1)
    x = np.concatenate([rng.uniform(-3, -1, 40), rng.uniform(1, 3, 40)])
    y = np.sin(2 * x) + NOISE * rng.normal(size=len(x))
    params, covariance = fit(x, y)
    grid = np.linspace(-4, 4, 161)
    f, width = predicted(params, covariance, grid)
    inside, gap = (float(width[where].mean()) for where in ((np.abs(grid) > 1.2) & (np.abs(grid) < 2.8),
                                                            np.abs(grid) < 0.5))
    print(f"one standard deviation: {inside:.3f} among the data, {gap:.3f} where there are none")
    if len(sys.argv) > 1:
        draw(sys.argv[1], x, y, grid, f, width)
    return inside, gap


def draw(path: str, x: np.ndarray, y: np.ndarray, grid: np.ndarray, f: np.ndarray, width: np.ndarray) -> None:
    """The data, the prediction and two standard deviations around it."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4))
    axes = figure.subplots()
    axes.fill_between(grid, f - 2 * width, f + 2 * width, alpha=0.3, label="two standard deviations")
    axes.plot(grid, f, label="network")
    axes.plot(x, y, "k.", label="data")
    axes.legend()
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    main()
