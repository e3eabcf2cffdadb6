"""activations: the activation functions, each on an input of its own, derivatives in terms of cached values

Written by symbackprop 0.1.0 from the model text MODEL; `symbackprop verify FILE` checks it, edited or not.
The code is yours: use it, change it, pass it on as you like.
PARAMS and DATA say which arrays forward takes, by name, and their shapes.
"""

# mypy: disable-error-code="no-any-return, type-arg"
# ruff: noqa: E501, RUF100
import numpy as np

NAME = "activations"
MODEL = """\
# name: activations
# summary: the activation functions, each on an input of its own, derivatives in terms of cached values
# source: USC CSCI 544, lecture 8; Stanford CS224N, lecture 3
# tags: vector, layer, activations, lecture-b, lecture-c
# note: tanh(z) = 2σ(2z) − 1
# note: σ′(z) = σ(z)(1 − σ(z)) = σ(z)σ(−z)
dim N, D, M
input z_logistic: N, z_tanh: N, z_relu: N, z_leaky: N, z_prelu: N, z_elu: N, z_softplus: N
input z_gelu: N, z_gelu_s: N, z_gelu_t: N, z_silu: N, z_swish: N, z_mish: N
param alpha, beta
input x: D
param W: D x M, b: M, V: D x M, v: M, W_s: D x M, b_s: M, V_s: D x M, c: M, beta_s
output a_logistic = sigmoid(z_logistic)
output a_tanh = tanh(z_tanh)
output a_relu = relu(z_relu)
output a_leaky = leaky_relu(z_leaky, 0.01)
output a_prelu = leaky_relu(z_prelu, alpha)
output a_elu = elu(z_elu, 1)
output a_softplus = softplus(z_softplus)
output a_gelu = gelu(z_gelu)
output a_gelu_s = gelu_sigmoid(z_gelu_s)
output a_gelu_t = gelu_tanh(z_gelu_t)
output a_silu = silu(z_silu)
output a_swish = swish(z_swish, beta=beta)
output a_mish = mish(z_mish)
g = sigmoid(x @ W + b)
output GLU = (x @ V + v) * g
r = swish(x @ W_s + b_s, beta=beta_s)
output SwiGLU = (x @ V_s + c) * r
"""
PARAMS = {
    "alpha": (), "beta": (), "W": ("D", "M"), "b": ("M",), "V": ("D", "M"), "v": ("M",), "W_s": ("D", "M"),
    "b_s": ("M",), "V_s": ("D", "M"), "c": ("M",), "beta_s": (),
}
DATA = {
    "z_logistic": ("N",), "z_tanh": ("N",), "z_relu": ("N",), "z_leaky": ("N",), "z_prelu": ("N",),
    "z_elu": ("N",), "z_softplus": ("N",), "z_gelu": ("N",), "z_gelu_s": ("N",), "z_gelu_t": ("N",),
    "z_silu": ("N",), "z_swish": ("N",), "z_mish": ("N",), "x": ("D",),
}
DIMS = {"N": None, "D": None, "M": None}
LOSS = None
OUTPUTS = (
    "a_logistic", "a_tanh", "a_relu", "a_leaky", "a_prelu", "a_elu", "a_softplus", "a_gelu", "a_gelu_s",
    "a_gelu_t", "a_silu", "a_swish", "a_mish", "GLU", "SwiGLU",
)
INTEGERS: dict = {}
DTYPE = np.float64


def forward(params: dict, data: dict, dims: dict | None = None) -> tuple[dict, dict]:
    """Computes the outputs, and the cache that backward reads. ValueError for arrays that are not as PARAMS and DATA
    say."""
    arrays, sizes, dtype, dtypes = read(params, data, dims)
    alpha = arrays["alpha"]
    beta = arrays["beta"]
    W = arrays["W"]                                   # D×M
    b = arrays["b"]                                   # M
    V = arrays["V"]                                   # D×M
    v = arrays["v"]                                   # M
    W_s = arrays["W_s"]                               # D×M
    b_s = arrays["b_s"]                               # M
    V_s = arrays["V_s"]                               # D×M
    c = arrays["c"]                                   # M
    beta_s = arrays["beta_s"]
    z_logistic = arrays["z_logistic"]                 # N
    z_tanh = arrays["z_tanh"]                         # N
    z_relu = arrays["z_relu"]                         # N
    z_leaky = arrays["z_leaky"]                       # N
    z_prelu = arrays["z_prelu"]                       # N
    z_elu = arrays["z_elu"]                           # N
    z_softplus = arrays["z_softplus"]                 # N
    z_gelu = arrays["z_gelu"]                         # N
    z_gelu_s = arrays["z_gelu_s"]                     # N
    z_gelu_t = arrays["z_gelu_t"]                     # N
    z_silu = arrays["z_silu"]                         # N
    z_swish = arrays["z_swish"]                       # N
    z_mish = arrays["z_mish"]                         # N
    x = arrays["x"]                                   # D
    N, M = sizes["N"], sizes["M"]
    a_logistic = sigmoid(z_logistic)                  # a_logistic = sigmoid(z_logistic)   N
    a_tanh = np.tanh(z_tanh)                          # a_tanh = tanh(z_tanh)   N
    a_relu = np.maximum(z_relu, 0)                    # a_relu = relu(z_relu)   N
    a_leaky = leaky_relu(z_leaky, 0.01)               # a_leaky = leaky_relu(z_leaky, 0.01)   N
    a_prelu = leaky_relu(z_prelu, alpha)              # a_prelu = leaky_relu(z_prelu, alpha)   N
    a_elu = elu(z_elu, 1)                             # a_elu = elu(z_elu, 1)   N
    a_softplus = softplus(z_softplus)                 # a_softplus = softplus(z_softplus)   N
    p = normal_cdf(z_gelu)                            # p = normal_cdf(z_gelu)   N
    a_gelu = gated(z_gelu, p)                         # a_gelu = gelu(z_gelu)   N
    z = 1.702 * z_gelu_s                              # z = 1.702 · z_gelu_s   N
    s_2 = sigmoid(z)                                  # s_2 = sigmoid(z)   N
    a_gelu_s = gated(z_gelu_s, s_2)                   # a_gelu_s = z_gelu_s ⊙ s_2   N
    # u = sqrt(2/pi) · (z_gelu_t + 0.044715 · z_gelu_t³)   N
    u = (
        0.7978845608028654
        * (z_gelu_t + 0.044715 * (limited(z_gelu_t) * limited(z_gelu_t) * limited(z_gelu_t)))
    )
    t = np.tanh(u)                                    # t = tanh(u)   N
    a_gelu_t = gated(z_gelu_t / 2, 1 + t)             # a_gelu_t = z_gelu_t ⊙ (1 + t) / 2   N
    s_3 = sigmoid(z_silu)                             # s_3 = sigmoid(z_silu)   N
    a_silu = gated(z_silu, s_3)                       # a_silu = silu(z_silu)   N
    z_2 = beta * limited(z_swish)                     # z_2 = beta · z_swish   N
    s_4 = sigmoid(z_2)                                # s_4 = sigmoid(z_2)   N
    a_swish = gated(z_swish, s_4)                     # a_swish = z_swish ⊙ s_4   N
    z_3 = softplus(z_mish)                            # z_3 = softplus(z_mish)   N
    t_2 = np.tanh(z_3)                                # t_2 = tanh(z_3)   N
    a_mish = gated(z_mish, t_2)                       # a_mish = z_mish ⊙ t_2   N
    z_g = x @ W + b                                   # z_g = Wᵀ x + b   M
    g = sigmoid(z_g)                                  # g = sigmoid(z_g)   M
    GLU = (x @ V + v) * g                             # GLU = (Vᵀ x + v) ⊙ g   M
    t1 = x @ V_s                                      # t1 = V_sᵀ x   M
    z_r = x @ W_s + b_s                               # z_r = W_sᵀ x + b_s   M
    z_4 = beta_s * limited(z_r)                       # z_4 = beta_s · z_r   M
    s = sigmoid(z_4)                                  # s = sigmoid(z_4)   M
    r = gated(z_r, s)                                 # r = z_r ⊙ s   M
    SwiGLU = (t1 + c) * r                             # SwiGLU = (t1 + c) ⊙ r   M
    cache = {
        "a_logistic": a_logistic, "a_tanh": a_tanh, "z_relu": z_relu, "z_leaky": z_leaky, "alpha": alpha,
        "z_prelu": z_prelu, "z_elu": z_elu, "a_elu": a_elu, "z_softplus": z_softplus, "p": p,
        "z_gelu": z_gelu, "s_2": s_2, "a_gelu_s": a_gelu_s, "t": t, "z_gelu_t": z_gelu_t, "s_3": s_3,
        "a_silu": a_silu, "s_4": s_4, "z_swish": z_swish, "beta": beta, "t_2": t_2, "z_mish": z_mish,
        "t1": t1, "c": c, "s": s, "z_r": z_r, "beta_s": beta_s, "W_s": W_s, "r": r, "V_s": V_s, "g": g,
        "GLU": GLU, "W": W, "V": V, "x": x, "N": N, "M": M, "dtype": dtype, "dtypes": dtypes,
    }
    return {
        "a_logistic": a_logistic, "a_tanh": a_tanh, "a_relu": a_relu, "a_leaky": a_leaky, "a_prelu": a_prelu,
        "a_elu": a_elu, "a_softplus": a_softplus, "a_gelu": a_gelu, "a_gelu_s": a_gelu_s,
        "a_gelu_t": a_gelu_t, "a_silu": a_silu, "a_swish": a_swish, "a_mish": a_mish, "GLU": GLU,
        "SwiGLU": SwiGLU,
    }, cache


def backward(cache: dict, upstream: dict) -> dict[str, np.ndarray]:
    """The gradients with respect to every parameter and input, given upstream, the gradient of the outputs."""
    check_cache(cache, "dtypes")
    a_logistic = cache["a_logistic"]                  # N
    a_tanh = cache["a_tanh"]                          # N
    z_relu = cache["z_relu"]                          # N
    z_leaky = cache["z_leaky"]                        # N
    alpha = cache["alpha"]
    z_prelu = cache["z_prelu"]                        # N
    z_elu = cache["z_elu"]                            # N
    a_elu = cache["a_elu"]                            # N
    z_softplus = cache["z_softplus"]                  # N
    p = cache["p"]                                    # N
    z_gelu = cache["z_gelu"]                          # N
    s_2 = cache["s_2"]                                # N
    a_gelu_s = cache["a_gelu_s"]                      # N
    t = cache["t"]                                    # N
    z_gelu_t = cache["z_gelu_t"]                      # N
    s_3 = cache["s_3"]                                # N
    a_silu = cache["a_silu"]                          # N
    s_4 = cache["s_4"]                                # N
    z_swish = cache["z_swish"]                        # N
    beta = cache["beta"]
    t_2 = cache["t_2"]                                # N
    z_mish = cache["z_mish"]                          # N
    t1 = cache["t1"]                                  # M
    c = cache["c"]                                    # M
    s = cache["s"]                                    # M
    z_r = cache["z_r"]                                # M
    beta_s = cache["beta_s"]
    W_s = cache["W_s"]                                # D×M
    r = cache["r"]                                    # M
    V_s = cache["V_s"]                                # D×M
    g = cache["g"]                                    # M
    GLU = cache["GLU"]                                # M
    W = cache["W"]                                    # D×M
    V = cache["V"]                                    # D×M
    x = cache["x"]                                    # D
    N, M, dtype = cache["N"], cache["M"], cache["dtype"]
    shapes = {
        "a_logistic": (N,), "a_tanh": (N,), "a_relu": (N,), "a_leaky": (N,), "a_prelu": (N,), "a_elu": (N,),
        "a_softplus": (N,), "a_gelu": (N,), "a_gelu_s": (N,), "a_gelu_t": (N,), "a_silu": (N,),
        "a_swish": (N,), "a_mish": (N,), "GLU": (M,), "SwiGLU": (M,),
    }
    upstream = upstream_arrays(upstream, shapes, dtype)
    da_logistic = upstream["a_logistic"]
    da_tanh = upstream["a_tanh"]
    da_relu = upstream["a_relu"]
    da_leaky = upstream["a_leaky"]
    da_prelu = upstream["a_prelu"]
    da_elu = upstream["a_elu"]
    da_softplus = upstream["a_softplus"]
    da_gelu = upstream["a_gelu"]
    da_gelu_s = upstream["a_gelu_s"]
    da_gelu_t = upstream["a_gelu_t"]
    da_silu = upstream["a_silu"]
    da_swish = upstream["a_swish"]
    da_mish = upstream["a_mish"]
    dGLU = upstream["GLU"]
    dSwiGLU = upstream["SwiGLU"]
    dc = dSwiGLU * r                                  # dc = dSwiGLU ⊙ r   M
    dV_s = np.outer(x, dc)                            # dV_s = x dcᵀ   D×M
    dr = dSwiGLU * (t1 + c)                           # dr = dSwiGLU ⊙ (t1 + c)   M
    ds = dr * limited(z_r)                            # ds = dr ⊙ z_r   M
    dz_4 = ds * (s * (1 - s))                         # dz_4 = ds ⊙ s ⊙ (1 − s)   M
    dbeta_s = (dz_4 * limited(z_r)).sum()             # dbeta_s = sum(dz_4 ⊙ z_r)
    dz_r = dr * s + dz_4 * beta_s                     # dz_r = dr ⊙ s + dz_4 · beta_s   M
    dW_s = np.outer(x, dz_r)                          # dW_s = x dz_rᵀ   D×M
    dv = dGLU * g                                     # dv = dGLU ⊙ g   M
    dV = np.outer(x, dv)                              # dV = x dvᵀ   D×M
    dz_g = dGLU * (1 - g) * GLU                       # dz_g = dGLU ⊙ (1 − g) ⊙ GLU   M
    dx = W_s @ dz_r + V_s @ dc + W @ dz_g + V @ dv    # dx = W_s dz_r + V_s dc + W dz_g + V dv   D
    dW = np.outer(x, dz_g)                            # dW = x dz_gᵀ   D×M
    # dz_mish = da_mish ⊙ (t_2 + z_mish ⊙ (1 − t_2²) ⊙ sigmoid(z_mish))   N
    dz_mish = da_mish * (t_2 + limited(z_mish) * (1 - t_2 ** 2) * sigmoid(z_mish))
    dz_2 = da_swish * limited(z_swish) * s_4 * (1 - s_4)  # dz_2 = da_swish ⊙ z_swish ⊙ s_4 ⊙ (1 − s_4)   N
    dbeta = (dz_2 * limited(z_swish)).sum()           # dbeta = sum(dz_2 ⊙ z_swish)
    dz_swish = da_swish * s_4 + dz_2 * beta           # dz_swish = da_swish ⊙ s_4 + dz_2 · beta   N
    # dz_silu = da_silu ⊙ (s_3 + a_silu ⊙ (1 − s_3))   N
    dz_silu = da_silu * (s_3 + limited(a_silu) * (1 - s_3))
    # dz_gelu_t = da_gelu_t ⊙ ((1 + t) / 2 + sqrt(1/(2*pi)) · z_gelu_t ⊙ (1 − t²) ⊙ (1 + 0.134145 ·
    #   z_gelu_t²))   N
    dz_gelu_t = (
        da_gelu_t
        * (
            (1 + t) / 2
            + (
                0.7978845608028654
                * limited(z_gelu_t / 2)
                * (1 - t ** 2)
                * (1 + 0.134145 * limited(z_gelu_t) ** 2)
            )
        )
    )
    # dz_gelu_s = da_gelu_s ⊙ (s_2 + 1.702 · a_gelu_s ⊙ (1 − s_2))   N
    dz_gelu_s = da_gelu_s * (s_2 + 1.702 * limited(a_gelu_s) * (1 - s_2))
    # dz_gelu = da_gelu ⊙ (p + z_gelu ⊙ normal_pdf(z_gelu))   N
    dz_gelu = da_gelu * (p + limited(z_gelu) * normal_pdf(z_gelu))
    dz_softplus = da_softplus * sigmoid(z_softplus)   # dz_softplus = da_softplus ⊙ sigmoid(z_softplus)   N
    # dz_elu = da_elu ⊙ where(z_elu > 0, 1, a_elu + 1)   N
    dz_elu = da_elu * np.where(z_elu > 0, 1, a_elu + 1)
    t2 = z_prelu > 0                                  # t2 = z_prelu > 0   N
    # dz_prelu = da_prelu ⊙ (alpha · (1 − t2) + t2)   N
    dz_prelu = da_prelu * (alpha * (1 - t2.astype(dtype)) + t2.astype(dtype))
    # dalpha = sum(da_prelu ⊙ where(z_prelu > 0, 0, z_prelu))
    dalpha = np.vdot(da_prelu, np.where(z_prelu > 0, 0, z_prelu))
    # dz_leaky = da_leaky ⊙ (0.01 + 0.99 · (z_leaky > 0))   N
    dz_leaky = da_leaky * (0.01 + 0.99 * (z_leaky > 0).astype(dtype))
    dz_relu = da_relu * (z_relu > 0)                  # dz_relu = da_relu ⊙ (z_relu > 0)   N
    dz_tanh = da_tanh * (1 - a_tanh ** 2)             # dz_tanh = da_tanh ⊙ (1 − a_tanh²)   N
    # dz_logistic = da_logistic ⊙ a_logistic ⊙ (1 − a_logistic)   N
    dz_logistic = da_logistic * (a_logistic * (1 - a_logistic))
    db = dz_g                                         # db = dz_g   M
    db_s = dz_r                                       # db_s = dz_r   M
    grads = {
        "z_logistic": dz_logistic, "z_tanh": dz_tanh, "z_relu": dz_relu, "z_leaky": dz_leaky,
        "z_prelu": dz_prelu, "z_elu": dz_elu, "z_softplus": dz_softplus, "z_gelu": dz_gelu,
        "z_gelu_s": dz_gelu_s, "z_gelu_t": dz_gelu_t, "z_silu": dz_silu, "z_swish": dz_swish,
        "z_mish": dz_mish, "alpha": dalpha, "beta": dbeta, "x": dx, "W": dW, "b": db, "V": dV, "v": dv,
        "W_s": dW_s, "b_s": db_s, "V_s": dV_s, "c": dc, "beta_s": dbeta_s,
    }
    return returned(grads, cache["dtypes"])


def outputs(params: dict, data: dict, dims: dict | None = None) -> dict[str, np.ndarray]:
    """Every named intermediate, by its name."""
    arrays, _, _, _ = read(params, data, dims)
    alpha = arrays["alpha"]
    beta = arrays["beta"]
    W = arrays["W"]                                   # D×M
    b = arrays["b"]                                   # M
    V = arrays["V"]                                   # D×M
    v = arrays["v"]                                   # M
    W_s = arrays["W_s"]                               # D×M
    b_s = arrays["b_s"]                               # M
    V_s = arrays["V_s"]                               # D×M
    c = arrays["c"]                                   # M
    beta_s = arrays["beta_s"]
    z_logistic = arrays["z_logistic"]                 # N
    z_tanh = arrays["z_tanh"]                         # N
    z_relu = arrays["z_relu"]                         # N
    z_leaky = arrays["z_leaky"]                       # N
    z_prelu = arrays["z_prelu"]                       # N
    z_elu = arrays["z_elu"]                           # N
    z_softplus = arrays["z_softplus"]                 # N
    z_gelu = arrays["z_gelu"]                         # N
    z_gelu_s = arrays["z_gelu_s"]                     # N
    z_gelu_t = arrays["z_gelu_t"]                     # N
    z_silu = arrays["z_silu"]                         # N
    z_swish = arrays["z_swish"]                       # N
    z_mish = arrays["z_mish"]                         # N
    x = arrays["x"]                                   # D
    a_logistic = sigmoid(z_logistic)                  # a_logistic = sigmoid(z_logistic)   N
    a_tanh = np.tanh(z_tanh)                          # a_tanh = tanh(z_tanh)   N
    a_relu = np.maximum(z_relu, 0)                    # a_relu = relu(z_relu)   N
    a_leaky = leaky_relu(z_leaky, 0.01)               # a_leaky = leaky_relu(z_leaky, 0.01)   N
    a_prelu = leaky_relu(z_prelu, alpha)              # a_prelu = leaky_relu(z_prelu, alpha)   N
    a_elu = elu(z_elu, 1)                             # a_elu = elu(z_elu, 1)   N
    a_softplus = softplus(z_softplus)                 # a_softplus = softplus(z_softplus)   N
    a_gelu = gated(z_gelu, normal_cdf(z_gelu))        # a_gelu = gelu(z_gelu)   N
    z = 1.702 * z_gelu_s                              # z = 1.702 · z_gelu_s   N
    a_gelu_s = gated(z_gelu_s, sigmoid(z))            # a_gelu_s = z_gelu_s ⊙ sigmoid(z)   N
    # u = sqrt(2/pi) · (z_gelu_t + 0.044715 · z_gelu_t³)   N
    u = (
        0.7978845608028654
        * (z_gelu_t + 0.044715 * (limited(z_gelu_t) * limited(z_gelu_t) * limited(z_gelu_t)))
    )
    a_gelu_t = gated(z_gelu_t / 2, 1 + np.tanh(u))    # a_gelu_t = z_gelu_t ⊙ (1 + tanh(u)) / 2   N
    a_silu = gated(z_silu, sigmoid(z_silu))           # a_silu = silu(z_silu)   N
    z_2 = beta * limited(z_swish)                     # z_2 = beta · z_swish   N
    a_swish = gated(z_swish, sigmoid(z_2))            # a_swish = z_swish ⊙ sigmoid(z_2)   N
    z_3 = softplus(z_mish)                            # z_3 = softplus(z_mish)   N
    a_mish = gated(z_mish, np.tanh(z_3))              # a_mish = z_mish ⊙ tanh(z_3)   N
    z_g = x @ W + b                                   # z_g = Wᵀ x + b   M
    g = sigmoid(z_g)                                  # g = sigmoid(z_g)   M
    GLU = (x @ V + v) * g                             # GLU = (Vᵀ x + v) ⊙ g   M
    z_r = x @ W_s + b_s                               # z_r = W_sᵀ x + b_s   M
    z_4 = beta_s * limited(z_r)                       # z_4 = beta_s · z_r   M
    s = sigmoid(z_4)                                  # s = sigmoid(z_4)   M
    r = gated(z_r, s)                                 # r = z_r ⊙ s   M
    SwiGLU = (x @ V_s + c) * r                        # SwiGLU = (V_sᵀ x + c) ⊙ r   M
    return {
        "a_logistic": a_logistic, "a_tanh": a_tanh, "a_relu": a_relu, "a_leaky": a_leaky, "a_prelu": a_prelu,
        "a_elu": a_elu, "a_softplus": a_softplus, "a_gelu": a_gelu, "a_gelu_s": a_gelu_s,
        "a_gelu_t": a_gelu_t, "a_silu": a_silu, "a_swish": a_swish, "a_mish": a_mish, "g": g, "GLU": GLU,
        "r": r, "SwiGLU": SwiGLU,
    }


def init_params(rng: np.random.Generator | int, **dims: int) -> dict[str, np.ndarray]:
    """Initial parameters drawn from a numpy.random.Generator, or a seed; sizes as in init_params(rng, D=4)."""
    D, M = chosen(dims, DIMS, ("D", "M"))
    rng = generator(rng)
    params = {
        "alpha": rng.standard_normal(),
        "beta": rng.standard_normal(),
        "W": rng.standard_normal((D, M)) / D ** 0.5,
        "b": np.zeros(M),
        "V": rng.standard_normal((D, M)) / D ** 0.5,
        "v": np.zeros(M),
        "W_s": rng.standard_normal((D, M)) / D ** 0.5,
        "b_s": np.zeros(M),
        "V_s": rng.standard_normal((D, M)) / D ** 0.5,
        "c": np.zeros(M),
        "beta_s": rng.standard_normal(),
    }
    return {name: np.asarray(value, DTYPE)[()] for name, value in params.items()}


def read(params: dict, data: dict, dims: dict | None) -> tuple[dict, dict, np.dtype, dict]:
    """Everything given, checked: arrays by name in one dtype, sizes by dimension, that dtype, the dtypes to return.
    Sizes that no array shows come from dims, as in dims={"N": 4}, or are the defaults in DIMS."""
    global SEEN
    kinds, last = kinds_of(params, data) if dims is None else None, SEEN
    if kinds is None or kinds != last[0]:
        last = SEEN = kinds, *checked(params, data, dims)
    _, others, sizes, dtype, dtypes = last
    return typed({**params, **data}, others, sizes, dtype), sizes, dtype, dtypes


SEEN: tuple = (None,)  # what the last call was given: names, shapes and dtypes that are the same are not checked again


def checked(params: dict, data: dict, dims: dict | None) -> tuple[list, dict, np.dtype, dict]:
    """Everything but the integers checked: the arrays that are not computed with as they are, and what read returns."""
    check_names(params, PARAMS, "params")
    check_names(data, DATA, "data")
    given = {**params, **data}
    shapes = {**PARAMS, **DATA}
    arrays = {name: as_array(name, given[name]) for name in shapes}
    check_ranks(arrays, shapes)
    sizes = {"D": arrays["W"].shape[0], "M": arrays["W"].shape[1], "N": arrays["z_logistic"].shape[0]}
    if dims is not None:
        add_sizes(sizes, dims, DIMS, arrays, shapes)
    check_shapes(arrays, shapes, sizes)
    dtypes = float_dtypes(given)
    dtype = computing_dtype(dtypes, DTYPE)
    dtypes = {name: dtypes.get(name, dtype) for name in arrays if name not in INTEGERS}
    others = [name for name in arrays if name in INTEGERS or in_dtype(given[name], dtype) is not given[name]]
    return others, sizes, dtype, dtypes


def typed(arrays: dict, others: list, sizes: dict, dtype: np.dtype) -> dict:
    """The arrays in that dtype; integers inside of their range, as indices."""
    for name in others:
        array = arrays[name]
        if name in INTEGERS:
            check_range(name, np.asarray(array), INTEGERS[name], sizes)
            arrays[name] = as_integers(name, np.asarray(array))[()]
        else:
            arrays[name] = in_dtype(array, dtype)
    return arrays


def check_names(given: dict, declared: dict | tuple, what: str) -> None:
    """ValueError unless given is a mapping with exactly the declared names."""
    check_mapping(given, what)
    if {*given} != {*declared}:
        missing = [name for name in declared if name not in given]
        extra = [name for name in given if name not in declared]
        wrong = f"no {missing[0]!r}" if missing else f"an unknown name {extra[0]!r}"
        raise ValueError(f"{what} has {wrong}; it needs {', '.join(declared) or 'nothing'}")


def kinds_of(params: dict, data: dict) -> tuple | None:
    """The names in two dicts, and the types, shapes and dtypes of what they hold; None where that is neither float nor
    array."""
    if type(params) is not dict or type(data) is not dict:
        return None
    given = [*params.values(), *data.values()]
    try:
        return [*params], [*data], [float if type(a) is float else (type(a), a.shape, a.dtype) for a in given]
    except AttributeError:
        return None


def check_mapping(given: object, what: str) -> None:
    """ValueError for what is no mapping, as a dict is or what np.load returns."""
    if not hasattr(given, "keys"):
        raise ValueError(f"{what} has to be a dict of arrays by name, not {type(given).__name__}")


def as_array(name: str, value: object) -> np.ndarray:
    """The value as an array of real numbers; ValueError naming it for anything else."""
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise ValueError(f"{name} is not an array: {error}") from None
    if array.dtype.kind not in "fiub":
        raise ValueError(f"{name} is not an array of real numbers: its dtype is {array.dtype}")
    return array


def as_integers(name: str, array: np.ndarray) -> np.ndarray:
    """Integer data; an empty list is fine, floats are not."""
    if array.dtype.kind == "f" and array.size:
        raise ValueError(f"{name} has to hold integers, not {array.dtype}")
    return array.astype(np.intp, copy=False)


def in_dtype(array: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """An array in a dtype; one without axes as a number. What is that already stays the same."""
    ready = type(array) is dtype.type or (type(array) is np.ndarray and array.dtype == dtype and array.ndim > 0)
    return array if ready else np.asarray(array, dtype)[()]


def float_dtypes(given: dict) -> dict:
    """The precisions asked for, by name: of what has a dtype of floats; lists and plain numbers follow the others."""
    dtypes = {name: np.asarray(value).dtype for name, value in given.items() if hasattr(value, "dtype")}
    return {name: dtype for name, dtype in dtypes.items() if dtype.kind == "f"}


def computing_dtype(dtypes: dict, default: type) -> np.dtype:
    """The dtype to compute in: what the given ones have in common, at least float32, or the default."""
    kinds = set(dtypes.values())
    return np.result_type(np.float32, *kinds) if kinds else np.dtype(default)


def misfit(name: str, array: np.ndarray, shape: tuple, sizes: dict) -> ValueError:
    """The ValueError for an array of another shape than the declared one."""
    symbolic = "(" + ", ".join(map(str, shape)) + ("," if len(shape) == 1 else "") + ")"
    words = "".join(c if c.isalnum() or c == "_" else " " for c in symbolic).split()
    known = ", ".join(f"{d} = {sizes[d]}" for d in dict.fromkeys([*shape, *words]) if d in sizes)
    text = f"{name} has shape {array.shape}, expected {symbolic}" + (f" with {known}" if known else "")
    if array.ndim == len(shape):
        axis, wanted = next((k, sizes.get(d, d)) for k, d in enumerate(shape) if array.shape[k] != sizes.get(d, d))
        text += f": axis {axis} is {array.shape[axis]}, not {wanted}"
    return ValueError(text)


def check_ranks(arrays: dict, shapes: dict) -> None:
    """ValueError for the first array that has more or fewer axes than declared."""
    for name, shape in shapes.items():
        if arrays[name].ndim != len(shape):
            raise misfit(name, arrays[name], shape, {})


def check_shapes(arrays: dict, shapes: dict, sizes: dict) -> None:
    """ValueError for the first array whose shape is not the declared one under these sizes."""
    for name, shape in shapes.items():
        if arrays[name].shape != tuple([sizes.get(dim, dim) for dim in shape]):
            raise misfit(name, arrays[name], shape, sizes)


def check_range(name: str, array: np.ndarray, bound: str | int, sizes: dict) -> None:
    """ValueError unless 0 <= array < bound everywhere."""
    if array.size and not (array.min() >= 0 and array.max() < sizes.get(bound, bound)):
        wrong = array.min() if array.min() < 0 else array.max()
        limit = f"{bound} = {sizes[bound]}" if bound in sizes else bound
        raise ValueError(f"{name} holds {wrong}, outside 0 <= {name} < {limit}")


def generator(rng: np.random.Generator | int) -> np.random.Generator:
    """A numpy.random.Generator; a seed makes one, which may be a 0-d array."""
    if not isinstance(rng, int) and hasattr(rng, "standard_normal"):
        return rng
    try:
        return np.random.default_rng(np.asarray(rng)[()] if getattr(rng, "shape", None) == () else rng)
    except (TypeError, ValueError) as error:
        raise ValueError(f"rng has to be a numpy.random.Generator, or a whole number as a seed: {error}") from None


def named_sizes(given: dict, declared: dict) -> dict[str, int]:
    """Sizes given by name, checked; ValueError for an unknown name and for what is no size."""
    if not hasattr(given, "items"):
        raise ValueError(f"dims has to be a dict of sizes by name, as in {{'N': 4}}, not {given!r}")
    for name, size in given.items():
        if name not in declared:
            near = nearest(str(name), declared)
            known = ", ".join(declared) or "none"
            raise ValueError(f"there is no dimension {name!r}; the model has {known}" + near)
        if isinstance(size, bool) or not isinstance(size, (int, np.integer)) or size < 0:
            raise ValueError(f"the size of {name} has to be a whole number, 0 or more, not {size!r}")
    return {name: int(size) for name, size in given.items()}


def nearest(name: str, known: dict) -> str:
    """A question whether the name with the most letters in common was meant."""
    common = {k: sum(min(k.lower().count(c), name.lower().count(c)) for c in set(k.lower())) for k in known}
    best = max(known, key=lambda k: common[k] / (len(k) + len(name)), default="")
    return f". Did you mean {best!r}?" if common.get(best) else ""


def add_sizes(sizes: dict, dims: dict, defaults: dict, arrays: dict, shapes: dict) -> None:
    """Put the sizes in dims into the table; ValueError where an array shows another one."""
    told = named_sizes(dims, defaults)
    for name, shape in shapes.items():
        for axis, found in enumerate(arrays[name].shape):
            dim = shape[axis]
            if told.get(dim, found) != found:
                wrong = f"{name} has {found} entries along axis {axis} ({dim})"
                raise ValueError(f"{wrong}, but dims says {dim} = {told[dim]}")
    sizes.update(told)


def chosen(dims: dict, defaults: dict, needed: tuple, hidden: tuple = ()) -> list[int]:
    """The sizes needed, from those given or the defaults; ValueError for a name that is unknown or missing, and for
    another size than the default where no array would show it: forward would compute with the default."""
    dims = named_sizes(dims, defaults)
    for name in hidden:
        if defaults[name] is not None and dims.get(name, defaults[name]) != defaults[name]:
            size, default = dims[name], defaults[name]
            raise ValueError(
                f"no array shows that {name} = {size}, and forward computes with {name} = {default}: leave {name} out "
                f"here, and call forward(params, data, dims={{'{name}': {size}}}) with arrays that fit"
            )
    found = {name: dims.get(name, defaults[name]) for name in needed}
    missing = [name for name, size in found.items() if size is None]
    if missing:
        raise ValueError(f"init_params needs a size for {missing[0]}, as in init_params(rng, {missing[0]}=4)")
    return list(found.values())


ERFC_SCALED = (
    1.1775789345674017541, -0.0045900545806464773309, -0.084249133366517915584, 0.059209939998191890498,
    -0.026658668435305752277, 0.0090749976707052650939, -0.0024131635404176081909, 0.00049077583652580863229,
    -6.9169733025012063671e-05, 4.1390279860730101675e-06, 7.7403830661984906686e-07, -2.1886401049234395661e-07,
    1.0764999465670910377e-08, 4.5219598112182868979e-09, -7.7544002088313511065e-10, -6.3180883408866844944e-11,
    2.8687950109306698981e-11, 1.945586854577734723e-13, -9.6546967484334389059e-13, 3.2525481481487398415e-14,
    3.3478119482868053878e-14, -1.8645628804193131015e-15, -1.2507950530688647085e-15, 7.418235256624043463e-17,
)


def sigmoid(x: np.ndarray) -> np.ndarray:
    """1 / (1 + e^(-x)); an overflowing e^(-x) gives the right 0."""
    e = np.negative(x)
    out = e if e.ndim else None
    with np.errstate(over="ignore"):
        return np.divide(1, np.add(1, np.exp(e, out=out), out=out), out=out)


def softplus(x: np.ndarray) -> np.ndarray:
    """log(1 + e^x), without overflow."""
    e = np.abs(x)
    out = e if np.ndim(e) else None
    e = np.log1p(np.exp(np.negative(e, out=out), out=out), out=out)
    return np.add(e, np.maximum(x, 0), out=out)


def leaky_relu(x: np.ndarray | float, slope: float) -> np.ndarray:
    """x where x > 0, else slope * x."""
    return np.where(x > 0, x, slope * x)


def elu(x: np.ndarray | float, alpha: float) -> np.ndarray:
    """x where x > 0, else alpha * (e^x - 1)."""
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))


def gated(x: np.ndarray, gate: np.ndarray) -> np.ndarray:
    """x * gate, and 0 where the gate is 0, even at an infinite x."""
    product = x * gate
    return product if np.isfinite(np.vdot(product, product)) else np.where(gate == 0, 0, x) * gate


def limited(x: np.ndarray) -> np.ndarray:
    """x, no further from 0 than 1e100, 1e12 in float32: a factor beside gates such as sigmoid', which are 0 beyond."""
    square = np.vdot(x, x)
    bound = 1e100 if square.dtype == np.float64 else 1e12
    return x if square <= bound**2 else np.clip(x, -bound, bound)


def chebyshev(coefficients: tuple, t: np.ndarray) -> np.ndarray:
    """The Chebyshev series with these coefficients at t, by Clenshaw's recurrence."""
    last = before = 0 * t
    for c in coefficients[:0:-1]:
        last, before = 2 * t * last - before + c, last
    return t * last - before + coefficients[0]


def erfc_times_exp(x: np.ndarray) -> np.ndarray:
    """e^(x²) erfc(x) for x >= 0."""
    return chebyshev(ERFC_SCALED, (x - 3.75) / (x + 3.75)) / (1 + 2 * x)


def normal_cdf(x: np.ndarray) -> np.ndarray:
    """The standard normal distribution function, to rounding error in both tails."""
    size = np.minimum(np.abs(x), 40)
    half = np.trunc(16 * size) / 16
    gauss = np.exp(-0.5 * half * half) * np.exp(0.5 * (half - size) * (half + size))
    tail = 0.5 * gauss * erfc_times_exp(0.7071067811865476 * size)
    return np.where(x < 0, tail, 1 - tail)


def normal_pdf(x: np.ndarray) -> np.ndarray:
    """e^(-x²/2) / sqrt(2 pi)."""
    return 0.3989422804014327 * np.exp(-0.5 * x * x)


def check_cache(cache: dict, mark: str) -> None:
    """ValueError for what forward did not return."""
    if not isinstance(cache, dict) or mark not in cache:
        raise ValueError("backward takes the cache, which is the second of the two that forward returns")


def returned(arrays: dict, dtypes: dict) -> dict[str, np.ndarray]:
    """The arrays in the dtypes to return them in; those of intermediates stay as they are."""
    return {n: in_dtype(a, dtypes[n]) if n in dtypes else np.asarray(a)[()] for n, a in arrays.items()}


def upstream_array(name: str, value: object, shape: tuple, dtype: np.dtype) -> np.ndarray:
    """The upstream gradient of an output, checked against the output's shape."""
    array = as_array(f"the upstream gradient of {name}", value)
    if array.shape != shape:
        raise ValueError(f"the upstream gradient of {name} has shape {array.shape}, expected {shape}")
    return array.astype(dtype, copy=False)[()]


def upstream_arrays(values: dict, shapes: dict, dtype: np.dtype) -> dict[str, np.ndarray]:
    """The upstream gradients of several outputs, by name; one that is left out is zero."""
    if not hasattr(values, "keys") or not {*values} <= {*shapes}:
        raise ValueError(f"upstream has to be a dict with gradients of {', '.join(shapes)}")
    return {
        name: upstream_array(name, values[name], shape, dtype) if name in values else np.zeros(shape, dtype)
        for name, shape in shapes.items()
    }
