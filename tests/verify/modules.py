"""Modules as a careful person would write them by the module contract: the right ones, for tests to break."""

MLP = '''
import numpy as np

NAME = "mlp"
MODEL = """
dim N, D, H, C
data X: N x D
data y: N int < C
param W1: D x H, b1: H
param W2: H x C, b2: C
Z1 = X @ W1 + b1
A1 = tanh(Z1)
Z2 = A1 @ W2 + b2
loss L = mean(cross_entropy(Z2, y)) + 0.05 * sum(W1**2)
"""


def outputs(params, data):
    Z1 = data["X"] @ params["W1"] + params["b1"]
    A1 = np.tanh(Z1)
    Z2 = A1 @ params["W2"] + params["b2"]
    S = Z2 - Z2.max(axis=1, keepdims=True)
    E = np.exp(S)
    P = E / E.sum(axis=1, keepdims=True)
    losses = np.log(E.sum(axis=1)) - S[np.arange(len(P)), data["y"]]
    L = losses.mean() + Z1.dtype.type(0.05) * (params["W1"] ** 2).sum()
    return {"Z1": Z1, "A1": A1, "Z2": Z2, "L": L, "P": P}


def forward(params, data):
    found = outputs(params, data)
    return found["L"], (params, data, found["A1"], found["P"])


def backward(cache, upstream=1.0):
    params, data, A1, P = cache
    N = len(P)
    dZ2 = P.copy()
    dZ2[np.arange(N), data["y"]] -= 1
    dZ2 = dZ2 / N
    dW2 = A1.T @ dZ2
    db2 = dZ2.sum(axis=0)
    dA1 = dZ2 @ params["W2"].T
    dZ1 = dA1 * (1 - A1**2)
    dW1 = data["X"].T @ dZ1 + 0.1 * params["W1"]
    db1 = dZ1.sum(axis=0)
    grads = {"W1": dW1, "b1": db1, "W2": dW2, "b2": db2}
    return {name: upstream * grad for name, grad in grads.items()}


def loss_and_grads(params, data):
    L, cache = forward(params, data)
    return L, backward(cache)
'''

EMBEDDING = '''
import numpy as np

NAME = "embedding"
MODEL = """
dim N, V, E
data words: N int < V
param C: V x E, u: E
z = C[words] @ u
loss L = sum(z**2) / 2
"""


def forward(params, data):
    rows = params["C"][data["words"]]
    z = rows @ params["u"]
    return (z**2).sum() / 2, (params, data, rows, z)


def backward(cache, upstream=1.0):
    params, data, rows, z = cache
    dz = upstream * z
    drows = np.outer(dz, params["u"])
    dC = np.zeros_like(params["C"])
    np.add.at(dC, data["words"], drows)
    return {"C": dC, "u": rows.T @ dz}
'''

RECURRENT = '''
import math

NAME = "recurrent"
MODEL = """
data c[1], c[2], c[3]
data h[0]
param w_e, w_h
for t in 1..3:
    h[t] = tanh(c[t] * w_e + h[t-1] * w_h)
loss L = h[3]**2 / 2
"""


def forward(params, data):
    h = [data["h0"]]
    for t in (1, 2, 3):
        h.append(math.tanh(data[f"c{t}"] * params["w_e"] + h[t - 1] * params["w_h"]))
    return h[3] ** 2 / 2, (params, data, h)


def backward(cache, upstream=1.0):
    params, data, h = cache
    dh, dw_e, dw_h = upstream * h[3], 0.0, 0.0
    for t in (3, 2, 1):
        dz = dh * (1 - h[t] ** 2)
        dw_e += dz * data[f"c{t}"]
        dw_h += dz * h[t - 1]
        dh = dz * params["w_h"]
    return {"w_e": dw_e, "w_h": dw_h}
'''

LAYER = '''
import numpy as np

NAME = "layer"
MODEL = """
dim N, D, M
input X: N x D
param W: D x M, b: M
output Y = X @ W + b
output S = sum(Y**2, axis=1)
"""
LOSS, OUTPUTS = None, ("Y", "S")


def forward(params, data):
    Y = data["X"] @ params["W"] + params["b"]
    return {"Y": Y, "S": (Y**2).sum(axis=1)}, (params, data, Y)


def backward(cache, upstream):
    params, data, Y = cache
    dY = upstream["Y"] + 2 * upstream["S"][:, None] * Y
    return {"X": dY @ params["W"].T, "W": data["X"].T @ dY, "b": dY.sum(axis=0)}
'''

SQUARE = '''
import numpy as np

NAME = "square"
MODEL = """
dim N, D = 4
data X: N x D
param A: D x D
q = X @ A
loss L = sum(q**2)
"""


def forward(params, data):
    q = data["X"] @ params["A"]
    return (q**2).sum(), (data, q)


def backward(cache, upstream=1.0):
    data, q = cache
    dq = 2 * upstream * q
    return {"A": data["X"].T @ dq}
'''

GATE = '''
NAME = "gate"
MODEL = """
data z
param w
loss L = maximum(z, w) * 2
"""


def forward(params, data):
    return max(data["z"], params["w"]) * 2, (params["w"], data["z"])


def backward(cache, upstream=1.0):
    w, z = cache
    return {"w": 2 * upstream if w > z else upstream * (w == z)}
'''

SHARED = '''
import numpy as np

NAME = "shared"
MODEL = """
dim N
data c: N
param a: N, b: N
loss L = sum(exp(a) * c + b**3 * c**2)
"""


def forward(params, data):
    a, b, c = params["a"], params["b"], data["c"]
    return (np.exp(a) * c + b**3 * c**2).sum(), (a, b, c)


def backward(cache, upstream=1.0):
    a, b, c = cache
    da = np.exp(a) * c
    db = 3 * b**2 * c**2
    return {"a": upstream * da, "b": upstream * db}
'''
