"""Wrong answers: (model, lines, graded name, kind of mistake, words that the explanation has to contain).

The explanation counts as exact when the kind is the one named here and it points at the factor: the words.
"""

from __future__ import annotations

from typing import NamedTuple


class Wrong(NamedTuple):
    model: str
    lines: str
    name: str
    kind: str
    words: tuple[str, ...]


def case(model: str, lines: str, kind: str, *words: str, name: str = "") -> Wrong:
    return Wrong(model, lines, name or lines.strip().split("=")[0].strip(), kind, words)


TWO_WEIGHTS = [
    case("two-weight-tanh", "dw2 = (y-o)*(1-o^2)*h", "sign", "y - o", "dL/do"),
    case("two-weight-tanh", "dw2 = -2*(y-o)*(1-o^2)*h", "constant", "factor 2"),
    case("two-weight-tanh", "dw2 = -(y-o)*h", "missing-factor", "do/da = 1 - o**2"),
    case("two-weight-tanh", "dw2 = -(y-o)*(1-o^2)", "missing-factor", "da/dw2 = h"),
    case("two-weight-tanh", "dw2 = -(y-o)*(1-h^2)*h", "substitution", "do/da", "h stands where o belongs"),
    case("two-weight-tanh", "dw2 = -(y-o)*(1-a^2)*h", "pre-activation", "do/da", "a stands where o belongs"),
    case("two-weight-tanh", "dw2 = -(y-o)*(1-o^2)*b", "pre-activation", "da/dw2", "b stands where h belongs"),
    case("two-weight-tanh", "dw2 = -(y-o)*(1-o^2)*x", "substitution", "da/dw2", "x stands where h belongs"),
    case("two-weight-tanh", "dw2 = -(y-o)*(1-o^2)*h*w2", "extra-factor", "w2"),
    case("two-weight-tanh", "dw2 = -(y-o)*(1-o^2)^2*h", "extra-factor", "do/da", "twice"),
    case("two-weight-tanh", "dw2 = -(y-o)*o*(1-o)*h", "wrong-derivative", "do/da", "tanh", "sigmoid"),
    case("two-weight-tanh", "dw2 = -(y-o)*(1+o^2)*h", "sign", "do/da", "1 + o**2"),
    case("two-weight-tanh", "dw2 = -(y-o)*(1-o)*h", "exponent", "do/da", "o**2"),
    case("two-weight-tanh", "dw2 = -(y-o)*tanh(a)*h", "wrong-derivative", "do/da", "tanh itself"),
    case("two-weight-tanh", "dw2 = -(y+o)*(1-o^2)*h", "sign", "dL/do"),
    case("two-weight-tanh", "dw2 = o*(1-o^2)*h", "term", "dL/do", "y"),
    case("two-weight-tanh", "dw2 = -(y-o)/(1-o^2)*h", "wrong-derivative", "do/da", "divides"),
    case("two-weight-tanh", "dw1 = -(y-o)*(1-o^2)*w2*x", "missing-factor", "dh/db = 1 - h**2"),
    case("two-weight-tanh", "dw1 = -(y-o)*(1-o^2)*(1-h^2)*x", "missing-factor", "da/dh = w2"),
    case("two-weight-tanh", "dw1 = -(y-o)*(1-o^2)*w1*(1-h^2)*x", "substitution", "da/dh", "w1 stands where w2 belongs"),
    case("two-weight-tanh", "dw1 = -(y-o)*(1-a^2)*w2*(1-b^2)*x", "pre-activation", "do/da", "dh/db"),
    case("two-weight-tanh", "da = (y-o)*(1-o^2)\ndw2 = da*h", "sign", "dL/do", name="da"),
    case("two-weight-tanh", "da = (y-o)*(1-o^2)\ndw2 = da*h", "follow-through", "da", name="dw2"),
    case(
        "two-weight-tanh", "d2 = -(y-o)*(1-h^2)\ndw2 = d2*h\ndw1 = d2*w2*(1-h^2)*x", "follow-through", "d2", name="dw1"
    ),
    case("two-weight-tanh", "do/da = 1 - h^2\ndw2 = dL/do * do/da * da/dw2", "substitution", "do/da", name="do/da"),
]

RECURRENT = [
    case("two-step-rnn", "dw_o = (y-o)*h[2]", "sign", "dL/do"),
    case("two-step-rnn", "dw_o = -(y-o)*h[1]", "stale-index", "h1 stands where h2 belongs"),
    case("two-step-rnn", "dc1 = -(y-o)*w_o*(1-h2^2)*(1-h1^2)*w_e", "missing-factor", "da/dh1 = w_h"),
    case(
        "two-step-rnn",
        "dc1 = -(y-o)*w_o*(1-h2^2)*w_h*(1-h2^2)*w_e",
        "stale-index",
        "dh1/db",
        "h2 stands where h1 belongs",
    ),
    case("two-step-rnn", "dc2 = -(y-o)*w_o*(1-h2^2)*w_h", "substitution", "da/dc2", "w_h stands where w_e belongs"),
    case("two-step-rnn", "dw_e = -(y-o)*w_o*(1-h2^2)*c2", "missing-path", "through b"),
    case("two-step-rnn", "dw_h = -(y-o)*w_o*(1-h2^2)*w_h*(1-h1^2)*h0", "missing-path", "through a"),
    case(
        "two-step-rnn", "dw_h = -(y-o)*w_o*(1-h2^2)*(h1 + w_h*(1-h1^2)*h1)", "stale-index", "h1 stands where h0 belongs"
    ),
    case("two-step-rnn", "dw_e = -(y-o)*w_o*(1-h2^2)*(c2 + (1-h1^2)*c1)", "missing-factor", "da/dh1 = w_h"),
    case("two-step-rnn", "dw_e = -(y-o)*w_o*(1-h2^2)*(c2 - w_h*(1-h1^2)*c1)", "sign", "through b"),
    case("two-step-rnn", "dw_e = -(y-o)*w_o*(c2 + w_h*c1)", "missing-factor", "dh2/da", "dh1/db"),
]

GRAPHS = [
    case("two-paths", "dc = -(y - c*x)*x", "missing-path", "through R"),
    case("two-paths", "dc = -(y - c*x)*x + 2*c", "missing-factor", "dO/dR", "lam"),
    case("two-paths", "dc = -(y - c*x) + lam*2*c", "missing-factor", "x"),
    case("two-paths", "dc = -(y - c*x)*x + lam*c", "constant", "2"),
    case("sum-times-max", "dx = b\ndy = b\ndz = a*(z > y)", "missing-path", "through b", name="dy"),
    case(
        "sum-times-max",
        "dx = a\ndy = b + a*(y > z)\ndz = a*(z > y)",
        "substitution",
        "a stands where b belongs",
        name="dx",
    ),
    case("sigmoid-circuit", "dw0 = f*x0", "wrong-factor", "your factor f", "df/dd"),
    case("sigmoid-circuit", "dw0 = -f*(1-f)*x0", "sign"),
    case("sigmoid-circuit", "dx1 = f*(1-f)*x1", "substitution", "x1 stands where w1 belongs"),
    case("square-of-three", "dz/dx = 2*x", "missing-factor", "dz/dy = 3", name="dx"),
]

VECTORS = [
    case("squared-norm", "dW = outer(q, x)", "constant", "half"),
    case("squared-norm", "dW = 2*outer(x, q)", "transpose", "N x M", "M x N"),
    case("squared-norm", "dx = 2*W@q", "transpose", "W"),
    case("squared-norm", "dx = W.T @ q", "constant", "half"),
    case("logistic-regression", "dw = (y - y_hat)*x", "sign"),
    case("logistic-regression", "db = y_hat*(1-y_hat)*(y_hat - y)", "extra-factor", "y_hat"),
    case("softmax-regression", "db = y_hat", "missing-path", "one_hot(y, C)"),
    case("softmax-regression", "dW = outer(x, y_hat - one_hot(y, C))", "transpose", "D x C"),
    case("mlp-relu-sigmoid", "dz2 = a2 - y\ndb1 = dz2 * W2", "missing-factor", "da1/dz1 = z1 > 0", name="db1"),
    case("mlp-relu-sigmoid", "dz2 = y - a2\ndW2 = dz2 * a1", "follow-through", "dz2", name="dW2"),
    case("mlp-relu-sigmoid", "dW2 = (a2 - y) * z1", "pre-activation", "z1 stands where a1 belongs"),
    case("mlp-relu-sigmoid", "db1 = (a2 - y) * W2 * a1", "wrong-derivative", "da1/dz1", "relu"),
    case("ner-window", "db = u * (1 - z^2)", "pre-activation", "dh/dz", "z stands where h belongs"),
    case("ner-window", "du = z", "pre-activation", "z stands where h belongs"),
    case("ner-window", "dW = outer(u, x)", "missing-factor", "dh/dz = 1 - h**2"),
    case("ner-window", "dx = W @ (u * (1-h^2))", "transpose", "W"),
]

BATCHES = [
    case("linear-layer", "dX = W @ dY", "order", "dY @ W.T"),
    case("linear-layer", "dW = X @ dY", "transpose", "X.T @ dY"),
    case("linear-layer", "dX = dY @ W", "transpose", "dY @ W.T"),
    case("linear-layer", "dW = dY.T @ X", "transpose", "M x D", "D x M"),
    case("ffnn-softmax-batch", "ds = y_hat - one_hot(y, C)\ndU = h.T @ ds", "mean", "N", name="ds"),
    case("ffnn-softmax-batch", "dU = h.T @ (y_hat - one_hot(y, C))", "mean", "N"),
    case("ffnn-softmax-batch", "dU = z.T @ (y_hat - one_hot(y, C)) / N", "pre-activation", "z stands where h belongs"),
    case("ffnn-softmax-batch", "dU = h @ (y_hat - one_hot(y, C)) / N", "transpose", "h.T"),
    case(
        "ffnn-softmax-batch",
        "ds = (y_hat - one_hot(y, C))/N\ndb = (ds @ U.T) * (1-h^2)",
        "missing-sum",
        "sum",
        "0",
        name="db",
    ),
    case(
        "ffnn-softmax-batch",
        "ds = (y_hat - one_hot(y, C))/N\ndW = X.T @ (ds @ U.T)",
        "missing-factor",
        "dh/dz",
        name="dW",
    ),
    case(
        "ffnn-softmax-batch",
        "ds = (y_hat - one_hot(y, C))/N\ndW = X.T @ (ds @ U.T * h*(1-h))",
        "wrong-derivative",
        "dh/dz",
        name="dW",
    ),
    case(
        "ffnn-softmax-batch",
        "ds = (y_hat - one_hot(y, C))/N\ndb = mean(ds @ U.T * (1-h^2), axis=0)",
        "mean",
        "N",
        name="db",
    ),
    case("ffnn-softmax-batch", "ds = (y_hat + one_hot(y, C))/N\ndU = h.T @ ds", "sign", "one_hot", name="ds"),
    case(
        "ffnn-softmax-batch", "ds = (s - one_hot(y, C))/N\ndU = h.T @ ds", "pre-activation", "s stands where", name="ds"
    ),
    case("window-lm", "dlogits = (o - one_hot(y, V))/N\ndW2 = h.T @ dlogits\ndb2 = sum(dlogits)", "summed", name="db2"),
    case(
        "window-lm",
        "dlogits = (o - one_hot(y, V))/N\ndb1 = sum(dlogits @ W2.T, axis=0)",
        "missing-factor",
        "dh/dz",
        name="db1",
    ),
    case("svm-hinge", "dW = 2*lam*W", "missing-path", name="dW"),
    case("two-layer-net", "dW2 = outer(df, z)", "pre-activation", "z stands where h belongs"),
    case("two-layer-net", "dx = W1.T @ (W2.T @ df)", "missing-factor", "dh/dz"),
    case("three-layer-net-sigmoid", "db2 = W3.T @ df", "missing-factor", "dh2/dz2"),
    case("three-layer-net-sigmoid", "db2 = (W3.T @ df) * (1-h2^2)", "wrong-derivative", "dh2/dz2", "sigmoid"),
    case(
        "three-layer-net-sigmoid", "dW3 = outer(df, h1)", "stale-index", "h1 stands where h2", "C x H1, expected C x H2"
    ),
    case("three-layer-net-sigmoid", "db1 = (W2.T @ (W3.T @ df)) * h1 * (1-h1)", "missing-factor", "dh2/dz2"),
]

MORE = [
    case("two-weight-tanh", "dw2 = (o-y)*(1-tanh(o)^2)*h", "wrong-derivative", "do/da", "output"),
    case("two-weight-tanh", "dw1 = (o-y)*(1-o^2)*w2*(1-h^2)*b", "substitution", "db/dw1", "b stands where x belongs"),
    case("two-weight-tanh", "dw2 = (o-y)*(o^2-1)*h", "sign", "o**2 - 1", "do/da"),
    case("two-weight-tanh", "dw2 = -(y-o)*(1-o^2)*h + w2", "term", "w2 does not belong there"),
    case("two-weight-tanh", "dw2 = -(y-o)*(1-o^2) + h", "wrong-factor", "a sum stands where a product belongs"),
    case("two-weight-tanh", "dw2 = -2*(y-o)*o*(1-o)*h", "wrong-derivative", "two things", "sigmoid", "twice"),
    case("two-weight-tanh", "dw2 = 0", "wrong-factor", "zero"),
    case("two-weight-tanh", "dw2 = -(y-o)*(1-o^2)*h*0.9999", "rounded", "three digits"),
    case("two-weight-tanh", "dw1 = 0*x", "wrong-factor", "zero"),
    case("sigmoid-circuit", "dw0 = 0", "wrong-factor", "zero"),
    case("two-weight-tanh", "dw1 = -(y-o)*(1-o^2)*w2*(1-h^2)*x*1.0002", "rounded", "three digits"),
    case("sigmoid-circuit", "dx0 = 0.9998*f*(1-f)*w0", "rounded", "three digits"),
    case("two-weight-tanh", "dw2 = -(y-o)*(1-o^2)*log(-1-h^2)", "undefined", "no finite value"),
    case("two-weight-tanh", "dw1 = sqrt(-1-x^2)", "undefined", "no finite value"),
    case("sigmoid-circuit", "dx1 = f*(1-f)*w1*log(-f)", "undefined", "no finite value"),
    case("two-step-rnn", "dw_h = -(y-o)*(1-h2^2)*(h1 + w_h*(1-h1^2)*h0)", "missing-factor", "do/dh2 = w_o"),
    case("sigmoid-circuit-gate", "dw2 = s*(1-s)", "pre-activation", "df/ds", "s stands where f belongs"),
    case("sigmoid-circuit-gate", "dw2 = 1-f^2", "wrong-derivative", "df/ds", "sigmoid", "tanh"),
    case("sigmoid-circuit-gate", "dw0 = f*(1-f)*w0", "substitution", "ds/dw0", "w0 stands where x0 belongs"),
    case("linear-chain-graph", "db = c", "missing-factor", "dd/db = 2"),
    case("linear-chain-graph", "dc = c", "substitution", "dL/dc", "c stands where e belongs"),
    case("squared-norm", "dW = 2*q*x", "elementwise", "2 * q @ x.T"),
    case("logistic-regression", "dw = (z-y)*x", "pre-activation", "z stands where y_hat belongs"),
    case("logistic-regression", "dw = (y_hat - y)*w", "substitution", "dz/dw", "w stands where x belongs"),
    case("logistic-regression-batch", "db = (y_hat - y)/N", "missing-sum", "axis 0"),
    case("logistic-regression-batch", "dw = X @ (y_hat-y)/N", "transpose", "X.T @"),
    case("logistic-regression-batch", "db = sum(y_hat - y)", "mean", "N times too large"),
    case("mlp-relu-sigmoid", "dz2 = -(y/a2 + (y-1)/(1-a2))", "missing-factor", "da2/dz2 = a2 * (1 - a2)"),
    case(
        "mlp-relu-sigmoid",
        "dz2 = a2-y\ndW1 = outer(W2*dz2*z1, x)",
        "wrong-derivative",
        "da1/dz1",
        "argument",
        name="dW1",
    ),
    case(
        "ffnn-softmax-batch",
        "ds = (y_hat - one_hot(y,C))/N\ndW = X.T @ (ds @ U.T @ (1-h^2))",
        "elementwise",
        "ds @ U.T * (1 - h**2)",
        name="dW",
    ),
    case("ffnn-softmax-batch", "dU = X.T @ (y_hat - one_hot(y,C))/N", "substitution", "X stands where h belongs"),
    case("three-layer-net-sigmoid", "dW2 = outer(W3.T @ df * h2*(1-h2), z1)", "pre-activation", "z1 stands where h1"),
    case("ner-window", "dx = W.T @ (u + (1-h^2))", "wrong-factor", "a sum stands where a product belongs"),
    case("two-paths", "dc = -2*(y-c*x)*x + 2*lam*c", "constant", "through L", "twice"),
    case("cube", "dx = 3*x", "exponent", "df/dx = 3 * x**2"),
    case("cube", "dx = x^2", "constant", "3 is missing"),
]

LOOP = """
dz = (o - one_hot(target, V)) / (T*N)
carry[T] = 0 * h[0]
for t in T..1:
    dh[t] = dz[t] @ W_o.T + carry[t]
    da[t] = dh[t] * (1 - h[t]^2)
    carry[t-1] = da[t] @ W_h.T
    dW_h += h[t-1].T @ da[t]
    dW_e += c[t].T @ da[t]
    db += sum(da[t], axis=0)
"""
LOOPS = [
    case(
        "rnn-lm", LOOP.replace("h[t-1].T", "h[t].T"), "stale-index", "h[3] stands where h[2]", "the same", name="dW_h"
    ),
    case("rnn-lm", LOOP.replace("da[t] @ W_h.T", "0*h[0]"), "missing-path", "h[2]", name="dh[2]"),
    case("rnn-lm", LOOP.replace("da[t] @ W_h.T", "0*h[0]"), "follow-through", "dh[2]", name="dW_h"),
    case("rnn-lm", LOOP.replace("da[t] @ W_h.T", "da[t] @ W_h"), "transpose", "W_h", name="dh[2]"),
    case("rnn-lm", LOOP.replace("c[t].T @ da[t]", "da[t].T @ c[t]"), "transpose", "H x E", name="dW_e"),
    case("rnn-lm", LOOP.replace("dW_h +=", "dW_h ="), "missing-path", "3 branches meet at W_h", name="dW_h"),
    case("rnn-lm", LOOP.replace("(T*N)", "N"), "mean", "3 times", name="dz"),
]

CONVENTIONS = [  # without 1/N in the gradients of one sample; a mask of the gradient
    case("ffnn-softmax-batch", "ds = y_hat - one_hot(y)\ndU = h.T @ ds / N\ndz = ds @ U.T * (1 - h**2)\ndb = dz.sum(0)",
         "mean", "N times too large", name="db"),
    case("ffnn-softmax-batch-relu", "ds = (y_hat - one_hot(y)) / N\ng = ds @ U.T\ng = g * (g > 0)\ndW = X.T @ g",
         "substitution", "made of the upstream gradient", name="dW"),
    case("ffnn-softmax-batch", "ds = (y_hat - one_hot(y)) / N\nds = -ds\ndz = ds @ U.T * (1 - h**2)\ndW = X.T @ dz",
         "sign", "the sign is wrong", name="dz"),
]

THRESHOLDS = [
    case("param w\ndata x\nloss L = relu(w*x)", "dw = x*(w*x > 0.001)", "substitution", "0.001 stands", "> 0 belongs"),
    case("dim N\nparam w\ndata x: N, y: N\nloss L = mean(relu(1 - y*w*x))", "dw = -mean(y*x*(y*w*x < 0.9))",
         "substitution", "< 0.9 stands", "< 1 belongs"),
    case("dim N\nparam w\ndata x: N, m: N\nloss L = sum(where(m > 0, w*x, 0))", "dw = sum(x*(m >= 0))",
         "substitution", "m >= 0 stands where m > 0 belongs"),
]

WRONG = [*CONVENTIONS, *TWO_WEIGHTS, *RECURRENT, *GRAPHS, *VECTORS, *BATCHES, *MORE, *LOOPS, *THRESHOLDS]
