"""The largest and smallest eigenvalues of a recurrent network's Hessian, by Lanczos: products alone, no matrix.

The model is the built-in rnn-lm. Run: python examples/spectrum.py
"""

from __future__ import annotations

import numpy as np
from emitting import emitted
from scipy.sparse.linalg import LinearOperator, eigsh

from symbackprop import flat, load

SIZES = {"T": 12, "N": 4, "V": 20, "E": 8, "H": 16}


def extremes(count: int = 4, seed: int = 0) -> tuple[np.ndarray, object]:
    """The ``count`` eigenvalues at each end of the spectrum, and the loss over one vector."""
    rng, module = np.random.default_rng(seed), emitted(load("rnn-lm"), hvp=True)
    params = module.init_params(rng, **{n: s for n, s in SIZES.items() if n in module.DIMS})
    data = {}
    for name, shape in module.DATA.items():
        size = [SIZES[d] for d in shape]
        data[name] = rng.integers(0, SIZES["V"], size) if name in module.INTEGERS else rng.normal(size=size)
    f = flat(module, data, params)
    matrix = LinearOperator((len(f.x0), len(f.x0)), matvec=lambda v: f.hessp(f.x0, v), dtype=np.float64)
    start = rng.normal(size=len(f.x0))
    return np.sort(eigsh(matrix, 2 * count, which="BE", v0=start, return_eigenvectors=False)), f


def main() -> np.ndarray:
    """Prints both ends of the spectrum."""
    found, f = extremes()
    print(f"{len(f.x0)} parameters")  # type: ignore[attr-defined]
    print("smallest", np.array2string(found[:4], precision=5), " largest", np.array2string(found[4:], precision=5))
    return found


if __name__ == "__main__":
    main()
