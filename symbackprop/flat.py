"""An emitted module's loss as a function of one vector, as SciPy's optimisers take it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from symbackprop.errors import UsageError, mapping

if TYPE_CHECKING:
    import numpy as np


class Flat:
    """A loss over one float64 vector: the parameters one after the other, in the order in which they are declared.

    ``x0`` is the vector of those given. ``fun``, ``jac`` and ``fun_and_jac`` are the loss and its gradient, ``hessp``
    and ``hess`` the Hessian times a vector and as a matrix, which the module computes where it was emitted with them.
    """

    def __init__(self, module: Any, data: Mapping[str, Any], params: Mapping[str, Any], dims: Mapping[str, int] | None
                 ) -> None:
        import numpy as np

        if getattr(module, "LOSS", None) is None:
            raise UsageError("flat takes an emitted module with a loss: a layer has no number to minimise")
        params = mapping("params", params)
        missing = [n for n in module.PARAMS if n not in params]
        if missing or len(params) > len(module.PARAMS):
            unknown = [n for n in params if n not in module.PARAMS]
            wrong = f"no {missing[0]!r}" if missing else f"an unknown name {unknown[0]!r}"
            raise UsageError(f"params has {wrong}; the module has {', '.join(module.PARAMS)}")
        self.module, self.data = module, mapping("data", data)
        self.options = {"dims": sizes} if (sizes := mapping("dims", dims)) else {}
        given = {n: np.asarray(params[n], np.float64) for n in module.PARAMS}
        self.shapes = {n: a.shape for n, a in given.items()}
        self.x0 = self.flatten(given)

    def flatten(self, arrays: Mapping[str, Any]) -> np.ndarray[Any, Any]:
        """Arrays by the names of the parameters as one vector."""
        import numpy as np

        parts = [np.reshape(np.asarray(arrays[n], np.float64), -1) for n in self.shapes]
        return np.concatenate(parts) if parts else np.zeros(0)

    def unflatten(self, x: Any) -> dict[str, np.ndarray[Any, Any]]:
        """A vector as the parameters by name, arrays of their own."""
        import numpy as np

        x, start = np.asarray(x, np.float64), 0
        if x.shape != self.x0.shape:
            raise ValueError(f"x has shape {x.shape}, expected {self.x0.shape}")
        found = {}
        for n, shape in self.shapes.items():
            size = int(np.prod(shape, dtype=int))
            found[n] = x[start : start + size].reshape(shape).copy()
            start += size
        return found

    def fun(self, x: Any) -> float:
        """The loss."""
        return float(self.module.forward(self.unflatten(x), self.data, **self.options)[0])

    def jac(self, x: Any) -> np.ndarray[Any, Any]:
        """The gradient."""
        return self.fun_and_jac(x)[1]

    def fun_and_jac(self, x: Any) -> tuple[float, np.ndarray[Any, Any]]:
        """The loss and its gradient, as ``minimize(…, jac=True)`` takes them."""
        loss, grads = self.module.loss_and_grads(self.unflatten(x), self.data, **self.options)
        missing = [n for n in self.shapes if n not in grads]
        if missing:
            raise UsageError(f"the module was emitted without the gradient of {missing[0]}")
        return float(loss), self.flatten(grads)

    def hessp(self, x: Any, v: Any) -> np.ndarray[Any, Any]:
        """The Hessian at x times v."""
        if not hasattr(self.module, "hvp"):
            raise UsageError("the module has no hvp: emit it with codegen --hvp, or codegen(m, hvp=True)")
        return self.flatten(self.module.hvp(self.unflatten(x), self.data, self.unflatten(v), **self.options))

    def hess(self, x: Any) -> np.ndarray[Any, Any]:
        """The Hessian at x as a matrix: the module's own, or column by column."""
        import numpy as np

        if hasattr(self.module, "hessian_dense") and not self._has_inputs():
            dense = self.module.hessian_dense(self.unflatten(x), self.data, **self.options)
            return np.asarray(dense, np.float64)
        columns = [self.hessp(x, unit) for unit in np.eye(len(self.x0))]
        found = np.stack(columns, axis=1) if columns else np.zeros((0, 0))
        return np.asarray((found + found.T) / 2)

    def _has_inputs(self) -> bool:
        """Whether the module's gradients are those of inputs too, so that its matrix has more rows."""
        return any(n not in self.shapes for n in self.module.loss_and_grads(self.unflatten(self.x0), self.data,
                                                                            **self.options)[1])


def flat(module: Any, data: Mapping[str, Any], params: Mapping[str, Any], *, dims: Mapping[str, int] | None = None
         ) -> Flat:
    """The loss of an emitted module with this data over one vector, beginning at these parameters; ``dims`` are sizes
    that no array shows. Raises `UsageError` for a layer and for parameters that are not the module's."""
    return Flat(module, data, params, dims)
