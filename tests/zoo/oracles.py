"""Every built-in model, written a second time in PyTorch, out of its own modules and functions where it has them.

A function takes tensors by name and returns the loss, or for a layer a dict of its outputs. Nothing here is derived:
the gradients are PyTorch's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, exp, relu, sigmoid, tanh
from torch.func import functional_call
from torch.nn import GRU, LSTM, RNN
from torch.nn import functional as F

Given = dict[str, Tensor]
Oracle = Callable[[Given], Any]

ORACLES: dict[str, Oracle] = {}


def oracle(*names: str) -> Callable[[Oracle], Oracle]:
    def register(function: Oracle) -> Oracle:
        for name in names:
            ORACLES[name] = function
        return function

    return register


# -- scalar graphs
@oracle("two-weight-tanh")
def two_weight_tanh(p: Given) -> Any:
    return (p["y"] - tanh(p["w2"] * tanh(p["w1"] * p["x"]))) ** 2 / 2


@oracle("two-step-rnn")
def two_step_rnn(p: Given) -> Any:
    first = tanh(p["w_e"] * p["c1"] + p["w_h"] * p["h0"])
    second = tanh(p["w_e"] * p["c2"] + p["w_h"] * first)
    return F.mse_loss(p["w_o"] * second, p["y"]) / 2


@oracle("linear-chain-graph")
def linear_chain_graph(p: Given) -> Any:
    return p["c"] * (p["a"] + 2 * p["b"])


@oracle("two-paths")
def two_paths(p: Given) -> Any:
    return F.mse_loss(p["c"] * p["x"], p["y"]) / 2 + 0.1 * p["c"] ** 2


@oracle("sum-times-z")
def sum_times_z(p: Given) -> Any:
    return (p["x"] + p["y"]) * p["z"]


@oracle("sigmoid-circuit", "sigmoid-circuit-gate")
def sigmoid_circuit(p: Given) -> Any:
    return sigmoid(p["w0"] * p["x0"] + p["w1"] * p["x1"] + p["w2"])


@oracle("max-gate")
def max_gate(p: Given) -> Any:
    return {"m": torch.maximum(p["z"], p["w"])}


@oracle("sum-times-max")
def sum_times_max(p: Given) -> Any:
    return (p["x"] + p["y"]) * torch.maximum(p["y"], p["z"])


@oracle("square-of-three")
def square_of_three(p: Given) -> Any:
    return 3 * p["x"].square()


@oracle("cube")
def cube(p: Given) -> Any:
    return p["x"].pow(3)


# -- vectors, matrices, batches
@oracle("linear-layer")
def linear_layer(p: Given) -> Any:
    return {"Y": F.linear(p["X"], p["W"].T)}


@oracle("squared-norm")
def squared_norm(p: Given) -> Any:
    return torch.linalg.vector_norm(p["W"] @ p["x"]) ** 2


@oracle("elementwise-relu")
def elementwise_relu(p: Given) -> Any:
    return {"f": relu(p["x"])}


@oracle("logistic-regression")
def logistic_regression(p: Given) -> Any:
    return F.binary_cross_entropy(sigmoid(F.linear(p["x"], p["w"][None], p["b"][None])), p["y"][None])


@oracle("logistic-regression-batch")
def logistic_regression_batch(p: Given) -> Any:
    return F.binary_cross_entropy_with_logits(p["X"] @ p["w"] + p["b"], p["y"])


@oracle("softmax-regression")
def softmax_regression(p: Given) -> Any:
    return F.cross_entropy(F.linear(p["x"], p["W"], p["b"]), p["y"])


@oracle("mlp-relu-sigmoid")
def mlp_relu_sigmoid(p: Given) -> Any:
    hidden = relu(F.linear(p["x"], p["W1"], p["b1"]))
    return F.binary_cross_entropy_with_logits(p["W2"] @ hidden + p["b2"], p["y"])


@oracle("ffnn-softmax")
def ffnn_softmax(p: Given) -> Any:
    return F.cross_entropy(F.linear(tanh(F.linear(p["x"], p["W"], p["b"])), p["U"]), p["y"])


@oracle("ffnn-softmax-relu")
def ffnn_softmax_relu(p: Given) -> Any:
    return F.cross_entropy(F.linear(relu(F.linear(p["x"], p["W"], p["b"])), p["U"]), p["y"])


@oracle("ffnn-softmax-folded")
def ffnn_softmax_folded(p: Given) -> Any:
    bias, weight = p["W"][:, 0], p["W"][:, 1:]
    return F.cross_entropy(F.linear(tanh(F.linear(p["x"], weight, bias)), p["U"]), p["y"])


@oracle("ffnn-softmax-batch")
def ffnn_softmax_batch(p: Given) -> Any:
    return F.cross_entropy(tanh(p["X"] @ p["W"] + p["b"]) @ p["U"], p["y"])


@oracle("ffnn-softmax-batch-relu")
def ffnn_softmax_batch_relu(p: Given) -> Any:
    return F.cross_entropy(relu(p["X"] @ p["W"] + p["b"]) @ p["U"], p["y"])


@oracle("window-lm")
def window_lm(p: Given) -> Any:
    window = F.embedding(p["words"], p["C"]).flatten(1)
    return F.cross_entropy(tanh(window @ p["W1"] + p["b1"]) @ p["W2"] + p["b2"], p["y"])


@oracle("ner-window", "jacobians")
def ner_window(p: Given) -> Any:
    return torch.dot(p["u"], tanh(F.linear(p["x"], p["W"], p["b"])))


@oracle("activations")
def activations(p: Given) -> Any:
    z = {name.removeprefix("z_"): value for name, value in p.items() if name.startswith("z_")}
    gated = p["x"] @ p["W_s"] + p["b_s"]
    return {
        "a_logistic": sigmoid(z["logistic"]),
        "a_tanh": 2 * sigmoid(2 * z["tanh"]) - 1,
        "a_relu": F.relu(z["relu"]),
        "a_leaky": F.leaky_relu(z["leaky"], 0.01),
        "a_prelu": F.prelu(z["prelu"], p["alpha"]),
        "a_elu": F.elu(z["elu"]),
        "a_softplus": F.softplus(z["softplus"]),
        "a_gelu": F.gelu(z["gelu"]),
        "a_gelu_s": z["gelu_s"] * sigmoid(1.702 * z["gelu_s"]),
        "a_gelu_t": F.gelu(z["gelu_t"], approximate="tanh"),
        "a_silu": F.silu(z["silu"]),
        "a_swish": F.silu(p["beta"] * z["swish"]) / p["beta"],
        "a_mish": F.mish(z["mish"]),
        "GLU": F.glu(torch.cat([p["x"] @ p["V"] + p["v"], p["x"] @ p["W"] + p["b"]])),
        "SwiGLU": (p["x"] @ p["V_s"] + p["c"]) * F.silu(p["beta_s"] * gated) / p["beta_s"],
    }


@oracle("svm-hinge")
def svm_hinge(p: Given) -> Any:
    scores = F.linear(p["X"], p["W"])
    return F.multi_margin_loss(scores, p["y"]) * scores.shape[1] + 0.001 * torch.linalg.matrix_norm(p["W"]) ** 2


@oracle("two-layer-net")
def two_layer_net(p: Given) -> Any:
    return {"f": F.linear(relu(F.linear(p["x"], p["W1"])), p["W2"])}


@oracle("three-layer-net")
def three_layer_net(p: Given) -> Any:
    return {"f": F.linear(relu(F.linear(relu(F.linear(p["x"], p["W1"])), p["W2"])), p["W3"])}


@oracle("three-layer-net-sigmoid")
def three_layer_net_sigmoid(p: Given) -> Any:
    first = sigmoid(F.linear(p["x"], p["W1"], p["b1"]))
    return {"f": F.linear(sigmoid(F.linear(first, p["W2"], p["b2"])), p["W3"], p["b3"])}


# -- recurrent networks, by PyTorch's own layers
def recurrent(layer: Any, p: Given, gates: list[tuple[str, str, str]], *initial: str) -> Tensor:
    """All states of a recurrent layer on the embedded words; ``gates`` names W, U and b in PyTorch's order."""
    weights = {
        "weight_ih_l0": torch.cat([p[w].T for w, _, _ in gates]),
        "weight_hh_l0": torch.cat([p[u].T for _, u, _ in gates]),
        "bias_ih_l0": torch.cat([p[b] for _, _, b in gates]),
    }
    weights["bias_hh_l0"] = torch.zeros_like(weights["bias_ih_l0"])
    start = tuple(p[name][None] for name in initial)
    cell = layer(*p[gates[0][0]].shape, dtype=torch.float64)
    states, _ = functional_call(cell, weights, (F.embedding(p["words"], p["C"]), start if start[1:] else start[0]))
    return states


def next_word(logits: Tensor, target: Tensor) -> Tensor:
    return F.cross_entropy(logits.flatten(0, -2), target.flatten())


@oracle("rnn-lm")
def rnn_lm(p: Given) -> Any:
    states = recurrent(RNN, p, [("W_e", "W_h", "b")], "h0")
    return next_word(states @ p["W_o"] + p["b_o"], p["target"])


@oracle("lstm")
def lstm(p: Given) -> Any:
    states = recurrent(LSTM, p, [(f"W_{g}", f"U_{g}", f"b_{g}") for g in "ifgo"], "h0", "s0")
    return next_word(states @ p["V_o"] + p["b_v"], p["target"])


@oracle("gru")
def gru(p: Given) -> Any:
    states = recurrent(GRU, p, [(f"W_{g}", f"U_{g}", f"b_{g}") for g in "run"], "h0")
    return next_word(states @ p["V_o"] + p["b_v"], p["target"])


# -- convolution
def conv(x: Tensor, w: Tensor) -> Tensor:
    """On images N×H×W×C with kernels kh×kw×C×K, the edges padded."""
    return F.conv2d(x.permute(0, 3, 1, 2), w.permute(3, 2, 0, 1), padding="same").permute(0, 2, 3, 1)


def pool(x: Tensor) -> Tensor:
    return F.max_pool2d(x.permute(0, 3, 1, 2), 2).permute(0, 2, 3, 1)


@oracle("conv-net")
def conv_net(p: Given) -> Any:
    first = pool(relu(conv(p["X"], p["W1"]) + p["b1"]))
    second = pool(relu(conv(first, p["W2"]) + p["b2"]))
    hidden = relu(second.flatten(1) @ p["W3"] + p["b3"])
    return F.cross_entropy(hidden @ p["W4"] + p["b4"], p["y"])


@oracle("residual-block")
def residual_block(p: Given) -> Any:
    def normed(x: Tensor, gain: Tensor, shift: Tensor) -> Tensor:
        channels_first = x.permute(0, 3, 1, 2)
        return F.batch_norm(channels_first, None, None, gain, shift, training=True).permute(0, 2, 3, 1)

    first = relu(normed(conv(p["X"], p["W1"]), p["g1"], p["c1"]))
    return {"Y": relu(p["X"] + normed(conv(first, p["W2"]), p["g2"], p["c2"]))}


# -- attention
def heads(x: Tensor, count: int) -> Tensor:
    return x.unflatten(-1, (count, -1)).transpose(1, 2)


def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
    return mixed.transpose(1, 2).flatten(2)


def normed(x: Tensor, gain: Tensor, shift: Tensor) -> Tensor:
    return F.layer_norm(x, x.shape[-1:], gain, shift)


@oracle("transformer-block")
def transformer_block(p: Given) -> Any:
    a = normed(p["X"], p["g1"], p["c1"])
    q, k, v = (heads(a @ p[f"W_{s}"], 2) for s in "qkv")
    x = p["X"] + attend(q, k, v) @ p["W_o"]
    inner = F.gelu(normed(x, p["g2"], p["c2"]) @ p["W1"] + p["b1"])
    return {"Y": x + inner @ p["W2"] + p["b2"]}


@oracle("gpt")
def gpt(p: Given) -> Any:
    x = F.embedding(p["words"], p["E"]) + p["P"]
    for layer in "12":
        b = {name[:-1]: value for name, value in p.items() if name.endswith(layer)}
        a = normed(x, b["ga"], b["ca"])
        x = x + attend(*(heads(a @ b[f"W_{s}"], 2) for s in "qkv")) @ b["W_o"]
        x = x + F.gelu(normed(x, b["gb"], b["cb"]) @ b["W_u"] + b["b_u"]) @ b["W_d"] + b["b_d"]
    return next_word(F.linear(normed(x, p["g"], p["c"]), p["E"]), p["target"])


def rotated(x: Tensor) -> Tensor:
    """Rotary positions as products of complex numbers: entry i with entry i + d/2 makes one."""
    half = x.shape[-1] // 2
    pairs = torch.complex(x[..., :half], x[..., half:])
    speed = 10000.0 ** (-torch.arange(half, dtype=torch.float64) / half)
    angle = torch.outer(torch.arange(x.shape[-2], dtype=torch.float64), speed)
    turned = pairs * torch.polar(torch.ones_like(angle), angle)
    return torch.cat([turned.real, turned.imag], -1)


@oracle("llama-block")
def llama_block(p: Given) -> Any:
    def rms(x: Tensor, gain: Tensor) -> Tensor:
        return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + 1e-5) * gain

    a = rms(p["X"], p["r1"])
    q = rotated(heads(a @ p["W_q"], 4))
    k, v = (s.repeat_interleave(2, 1) for s in (rotated(heads(a @ p["W_k"], 2)), heads(a @ p["W_v"], 2)))
    x = p["X"] + attend(q, k, v) @ p["W_o"]
    m = rms(x, p["r2"])
    return {"Y": x + (F.silu(m @ p["W"]) * (m @ p["V"])) @ p["W2"]}


# -- autoencoders
@oracle("autoencoder")
def autoencoder(p: Given) -> Any:
    found = sigmoid(p["X"] @ p["W1"] + p["b1"]) @ p["W2"] + p["b2"]
    return F.mse_loss(found, p["X"], reduction="sum") / (2 * len(found))


@oracle("vae")
def vae(p: Given) -> Any:
    hidden = tanh(p["X"] @ p["W1"] + p["b1"])
    mu, log_var = hidden @ p["W_m"] + p["b_m"], hidden @ p["W_s"] + p["b_s"]
    code = torch.distributions.Normal(mu, exp(log_var).sqrt())
    prior = torch.distributions.Normal(torch.zeros_like(mu), torch.ones_like(mu))
    logits = tanh((mu + p["eps"] * code.stddev) @ p["W2"] + p["b2"]) @ p["W3"] + p["b3"]
    fit = F.binary_cross_entropy_with_logits(logits, p["X"], reduction="sum")
    return (fit + torch.distributions.kl_divergence(code, prior).sum()) / len(mu)


# -- neural Turing machine
EPS = 1e-8


def address(p: Given, head: str, h: Tensor, memory: Tensor, before: Tensor) -> Tensor:
    """Where a head looks next: by content, gated with the place before, shifted, sharpened."""

    def out(weight: str, bias: str) -> Tensor:
        return h @ p[f"{weight}_{head}"] + p[f"{bias}_{head}"]

    def length(x: Tensor) -> Tensor:
        return (x.square().sum(-1) + EPS).sqrt()

    key = tanh(out("K", "k"))
    cosine = torch.bmm(memory, key[:, :, None])[:, :, 0] / (length(key)[:, None] * length(memory))
    content = F.softmax(F.softplus(out("B", "d")) * cosine, dim=-1)
    mixed = torch.lerp(before, content, sigmoid(out("G", "g")))
    shift = F.softmax(out("S", "s"), dim=-1)
    around = F.pad(mixed[:, None], (1, 1), mode="circular")[:, 0].unfold(1, 3, 1)
    moved = torch.einsum("nrk,nk->nr", around, shift)
    sharp = (moved + EPS) ** (1 + F.softplus(out("Y", "y")))
    return F.normalize(sharp, p=1, dim=-1)


@oracle("neural-turing-machine")
def neural_turing_machine(p: Given) -> Any:
    h, memory, read = p["h0"], p["M0"], p["r0"]
    places = {"p": p["p0"], "q": p["q0"], "w": p["w0"]}
    logits = []
    for x in p["x"]:
        h = tanh(x @ p["W_x"] + read @ p["W_r"] + h @ p["W_h"] + p["b_h"])
        places["w"] = address(p, "w", h, memory, places["w"])
        erase, add = sigmoid(h @ p["E_w"] + p["e_w"]), tanh(h @ p["A_w"] + p["a_w"])
        where = places["w"][:, :, None]
        memory = memory * (1 - where * erase[:, None]) + where * add[:, None]
        for head in "pq":
            places[head] = address(p, head, h, memory, places[head])
        read = torch.cat([torch.bmm(places[head][:, None], memory)[:, 0] for head in "pq"], dim=-1)
        logits.append(h @ p["W_o"] + read @ p["W_v"] + p["b_o"])
    return F.binary_cross_entropy_with_logits(torch.stack(logits), p["y"])
