"""Functions over JAX arrays."""

import jax.numpy as jnp


def softplus_layer(X, W, Z, dY):
    dZ = dY / (1 + jnp.exp(-Z))
    dX = dZ @ W.T
    dW = X.T @ dZ
    return dX, dW
