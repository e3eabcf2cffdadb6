"""Other words for functions and their arguments, as NumPy, SciPy, PyTorch, JAX and lectures have them."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

MODULES = ("np", "numpy", "jnp", "jax", "lax", "torch", "F", "nn", "functional", "linalg", "special", "math", "scipy",
           "integrate", "signal", "tf", "optax", "keras", "activations", "losses", "einops")
OPTIONS = {"dim": "axis", "keepdim": "keepdims"}  # PyTorch's words for NumPy's
ARGUMENTS = OPTIONS | {  # and more of both for those of single functions
    "axes": "axis", "keep_dims": "keepdims", "reduction_indices": "axis",
    "p": "order", "weight": "weights", "min": "low", "max": "high", "a_min": "low", "a_max": "high",
    "ceil_mode": "ceil", "count_include_pad": "count_padding", "negative_slope": "slope", "num_classes": "size",
    "diagonal": "k", "perm": "axes",
}
IDLE_OPTIONS = ("dtype", "device", "copy", "inplace", "requires_grad")  # what leaves the numbers as they are
IDLE_METHODS = ("astype", "to", "type", "type_as", "contiguous", "clone", "copy", "cpu", "cuda", "numpy", "float",
                "double", "requires_grad_", "block_until_ready")
IN_PLACE = ("sort",)  # methods of NumPy's that change the array; PyTorch's end in _
_WORDS = {
    "sigmoid": "sigma logistic sig inv_logit invlogit",
    "logit": "qlogis",
    "log": "ln",
    "log2": "log_2",
    "log10": "log_10",
    "tanh": "th",
    "abs": "absolute fabs",
    "sign": "sgn",
    "normal_cdf": "Phi ndtr",
    "normal_pdf": "phi",
    "maximum": "fmax",
    "minimum": "fmin",
    "clip": "clamp",
    "asin": "arcsin",
    "acos": "arccos",
    "atan": "arctan",
    "atan2": "arctan2",
    "asinh": "arcsinh",
    "acosh": "arccosh",
    "atanh": "arctanh",
    "remainder": "mod",
    "round": "rint",
    "lgamma": "gammaln loggamma",
    "digamma": "psi",
    "inv": "inverse",
    "trace": "tr",
    "logdet": "logabsdet",
    "matrix_exp": "expm",
    "svdvals": "singular_values",
    "nll": "nll_loss",
    "triplet": "triplet_margin_loss triplet_loss",
    "focal": "focal_loss",
    "margin_ranking": "margin_ranking_loss",
    "kl_divergence": "kl",
    "js_divergence": "js",
    "gaussian_nll": "gaussian_nll_loss",
    "poisson_nll": "poisson_nll_loss",
    "cosine_embedding": "cosine_embedding_loss",
    "ctc": "ctc_loss",
    "pow": "power",
    "add": "plus",
    "subtract": "sub minus",
    "multiply": "mul times hadamard",
    "det": "determinant",
    "norm": "frobenius frobenius_norm",
    "divide": "div true_divide",
    "negative": "neg",
    "dot": "matmul mm mv",
    "outer": "ger",
    "concat": "cat concatenate",
    "arange": "range",
    "expand_dims": "unsqueeze",
    "one_hot": "to_categorical onehot one_hot_encode",
    "reshape": "view",
    "flatten": "ravel",
    "broadcast": "expand broadcast_to",
    "max": "amax",
    "min": "amin",
    "mean": "average avg",
    "take_along_axis": "gather",
    "log_softmax": "logsoftmax",
    "logsumexp": "lse",
    "relu": "rectifier",
    "layer_norm": "layernorm ln_norm",
    "rms_norm": "rmsnorm",
    "batch_norm": "batchnorm",
    "cross_entropy": "CrossEntropyLoss xent ce",
    "binary_cross_entropy": "BCELoss bce",
    "binary_cross_entropy_with_logits": "BCEWithLogitsLoss bce_with_logits",
    "squared_error": "mse_loss MSELoss",
    "cosine_similarity": "cosine cos_sim",
    "absolute_error": "l1_loss L1Loss",
    "huber": "huber_loss",
    "smooth_l1": "smooth_l1_loss",
    "attention": "scaled_dot_product_attention sdpa",
    "greater": "gt",
    "less": "lt",
    "greater_equal": "ge",
    "less_equal": "le",
    "equal": "eq",
    "not_equal": "ne",
    "eye": "identity",
}
ALSO = {word: function for function, words in _WORDS.items() for word in words.split()}


@lru_cache(maxsize=10_000)
def meant(word: str, known: Iterable[str]) -> str | None:
    """The function that a word stands for: another word for it, or its name with other capitals and underscores."""
    if word in ALSO or word.lower() in ALSO:
        return ALSO.get(word) or ALSO[word.lower()]
    bare = word.replace("_", "").lower()
    alike = [name for name in known if name.replace("_", "").lower() == bare]
    return alike[0] if len(alike) == 1 else None
