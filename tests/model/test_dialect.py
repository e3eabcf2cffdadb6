"""What people write in NumPy, in PyTorch and on paper is read as what they mean, and told."""

from __future__ import annotations

import numpy as np
import pytest

from symbackprop.core.functions.words import ALSO
from symbackprop.derive import derive
from symbackprop.errors import ModelError
from symbackprop.model import Model, to_text
from symbackprop.model.text.calls import callee
from tests.core.helpers import value

HEAD = "dim N, D, C, T\ndata X: N x D, y: N int < C, x, z, S: T x N x D\nparam W: D x C, b: C, w, v: D, U: D x D\n"


def same(text: str, plain: str) -> Model:
    """The model of a text, which has to be that of the plain one."""
    model, other = Model.parse(HEAD + text), Model.parse(HEAD + plain)
    assert to_text(model) == to_text(other)
    return model


@pytest.mark.parametrize(
    ("text", "plain", "told"),
    [
        ("np.sum(np.exp(X))", "sum(exp(X))", []),
        ("ln(x)", "log(x)", ["ln is read as log"]),
        ("stats.expon.logpdf(x)", "-(x - 0) / 1 - log(1)",
         ["logpdf(…) is read as -(x - loc) / scale - log(scale), where that density is not 0"]),
        ("X.sum()", "sum(X)", []),
        ("sum(X.mean(dim=1, keepdim=True) ** 2)", "sum(mean(X, axis=1, keepdims=True) ** 2)", []),
        ("torch.matmul(X, W).sum()", "sum(X @ W)", ["matmul is read as dot"]),
        ("(X.mT @ X).clone().mul(2).sum()", "sum(2 * (swapaxes(X, -1, -2) @ X))", ["mul is read as multiply"]),
        ("F.cross_entropy(X @ W, y)", "mean(cross_entropy(X @ W, y))",
         ["cross_entropy takes the mean over all entries, as PyTorch's does"]),
        ('F.mse_loss(X, X @ U, reduction="sum")', "sum(squared_error(X, X @ U))",
         ["mse_loss takes the sum over all entries, as PyTorch's does", "mse_loss is read as squared_error"]),
        ("X.sum() / X.shape[0] / X.size(-1) / len(X)", "sum(X) / N / D / N", []),
        ("torch.cat([X, X], dim=1).sum()", "sum(concat(X, X, axis=1))", ["cat is read as concat"]),
        ("X.relu().view(N * D).sum()", "sum(reshape(relu(X), N * D))", ["view is read as reshape"]),
        ("S.permute(1, 0, 2).transpose(1, 2)[0, 0, 0]", "swapaxes(permute(S, 1, 0, 2), 1, 2)[0, 0, 0]", []),
        ("x * w.detach()", "x * stop_gradient(w)", []),
        ("np.pi * X[:, np.newaxis].sum()", "pi * sum(X[:, None])", []),
        ("Sigmoid(x) + LayerNorm(X).sum()", "sigmoid(x) + sum(layer_norm(X))",
         ["Sigmoid is read as sigmoid", "LayerNorm is read as layer_norm"]),
        ("x·w − ½·x²", "x * w - (1/2) * x**2", []),
        ("X.max(dim=1).values.sum()", "sum(max(X, axis=1))", []),
        ("torch.sort(U).values[0, 0] + np.std(U, axis=0)[0] + F.softmax(U, dim=0)[0, 0]",
         "sort(U)[0, 0] + std(U, axis=0)[0] + softmax(U, axis=0)[0, 0]", []),
        ("norm(X, order=inf)", "norm(X, order=inf)", []),
        ("relu6(x) + torch.clamp(w, min=0)", "clip(x, 0, 6) + clip(w, 0)",
         ["relu6(…) is read as clip(x, 0, 6)", "clamp is read as clip"]),
        ("F.kl_div(X, X, reduction='sum')", "sum(xlogy(X, X) - X * X)",
         ["kl_div(…) is read as xlogy(target, target) - target * input",
          "kl_div takes the sum over all entries, as PyTorch's does"]),
        ("√2·√w + √(2w) + x⁻² + w⁻¹", "sqrt(2) * sqrt(w) + sqrt(2 * w) + x**(-2) + w**(-1)", []),
        ("Σ(X ⊙ X) ÷ 2", "sum(X * X) / 2", []),
        ("(xᵀ·w)²", "(x * w)**2", []),
        ("Σ (X − 1)² / N", "sum((X - 1)**2) / N", []),
        ("sum(tf.nn.leaky_relu(U) + tf.nn.gelu(U))", "sum(leaky_relu(U, 0.2) + gelu(U))", []),
        ("sum(jax.nn.softmax(U.masked_fill(U == 0, float('-inf'))))", "sum(softmax(where(U == 0, -inf, U)))",
         ["masked_fill is read as where"]),
        ("‖X‖² + ||v||^2 + ‖v‖₁ + ‖U‖_F + sum(|v|) + |x - w| / 2 - |x|",
         "sum(X**2) + sum(v**2) + norm(v, order=1) + norm(U) + sum(abs(v)) + abs(x - w) / 2 - abs(x)", []),
        ("‖v‖²₂ + w²", "sum(v**2) + w**2", []),
        ("|v|₁ + pnorm(x) + plogis(w);", "norm(v, order=1) + normal_cdf(x) + sigmoid(w)",
         ["pnorm is read as normal_cdf", "plogis is read as sigmoid"]),
        ("2x*w + sum(X) / (2N) - 3x^2 + 0.5w", "2*x*w + sum(X) / (2*N) - 3 * x**2 + 0.5*w", []),
        ("nn.MSELoss()(X, X @ U) + nn.ReLU(inplace=True)(x) + torch.nn.GELU(approximate='tanh')(w)",
         "mean(squared_error(X, X @ U)) + relu(x) + gelu_tanh(w)",
         ["mse_loss takes the mean over all entries, as PyTorch's does", "mse_loss is read as squared_error",
          "gelu is read as gelu_tanh"]),
        ("nn.Hardtanh()(w) + nn.Hardtanh(-2, 1)(x) + sum(nn.TripletMarginLoss(margin=0.5)(X, X @ U, 2 * X))"
         " + sum(torch.special.i1(v) + torch.logaddexp2(v, w))",
         "F.hardtanh(w, -1, 1) + F.hardtanh(x, -2, 1) + sum(F.triplet_margin_loss(X, X @ U, 2 * X, margin=0.5))"
         " + sum(i1(v) + np.logaddexp2(v, w))",
         ["hardtanh is read as clip",
          "triplet_margin_loss(…) is read as maximum(norm(anchor - positive + eps, axis=-1, order=p) - "
          "norm(anchor - negative + eps, axis=-1, order=p) + margin, 0)",
          "triplet_margin_loss takes the mean over all entries, as PyTorch's does",
          "logaddexp2(…) is read as logaddexp(a * log(2), b * log(2)) / log(2)"]),
        ("norm(U, 'fro') + np.linalg.norm(U) + np.linalg.norm(v, 1) + np.linalg.norm(v, ord=np.inf)",
         "norm(U) + norm(U) + norm(v, order=1) + norm(v, order=inf)", []),
        ("sum(softmax(where(U == 0, -float('inf'), U)))", "sum(softmax(where(U == 0, -inf, U)))", []),
        ("sum([x, 2] * [w, w**2] + [[x, w], [1, 2]] @ [w, 1])",
         "sum(stack(x, 2) * stack(w, w**2) + stack(stack(x, w), stack(1, 2)) @ stack(w, 1))",
         []),
        ("sum(diag([x, 2]) @ exp([w, x])) + norm([w, x]) + np.dot([w, x], [1, 2]) + np.linalg.det([[w, 1], [1, x]])",
         "sum(diag(stack(x, 2)) @ exp(stack(w, x))) + norm(stack(w, x)) + np.dot(stack(w, x), stack(1, 2)) "
         "+ det(stack(stack(w, 1), stack(1, x)))",
         []),
        ("sum(torch.split(concat(U, U, axis=1), D, dim=1)[1]) + sum(torch.split(S, [1, N - 1], 1)[1] ** 2)",
         "sum(concat(U, U, axis=1)[:, D:]) + sum(S[:, 1:N] ** 2)", ["split is read as pieces"]),
        ("sum(concat([x, w], [x])) + einsum('i,i->', [x, w], [1, 2]) + max([x, w]) + logsumexp([x, w])",
         "sum(concat(stack(x, w), stack(x))) + einsum('i,i->', stack(x, w), stack(1, 2)) + max(stack(x, w)) "
         "+ logsumexp(stack(x, w))",
         []),
    ],
)
def test_read_as_meant(text: str, plain: str, told: list[str]) -> None:
    model = same(f"loss L = {text}", f"loss L = {plain}")
    assert model.remarks == [f"<text>:4: {said}" for said in told]


@pytest.mark.parametrize(
    ("text", "plain", "told"),
    [
        ("h = x + w\nh = tanh(h)\nh *= w\nloss L = h", "h = x + w\nh_2 = tanh(h)\nh_3 = h_2 * w\nloss L = h_3",
         ["<text>:5: h has a value already, from line 4: from here on it is h_2",
          "<text>:6: h has a value already, from line 4: from here on it is h_3"]),
        ("x = x * w\nloss L = x", "x_2 = x * w\nloss L = x_2",
         ["<text>:4: x has a value already, from line 2: from here on it is x_2"]),
        ("h_2 = w\nh = x\nh = h * w\nloss L = h + h_2", "h_2 = w\nh = x\nh_3 = h * w\nloss L = h_3 + h_2",
         ["<text>:6: h has a value already, from line 5: from here on it is h_3"]),
        ("s = w\nfor k in 1..2:\n    s += x\nloss L = s", "s = w\ns_2 = s + x\ns_3 = s_2 + x\nloss L = s_3",
         ["<text>:6: s has a value already, from line 4: from here on it is s_2",
          "<text>:6: s has a value already, from line 4: from here on it is s_3"]),
        ("m, s = mean(X), var(X)\nloss L = m + s * w", "m = mean(X)\ns = var(X)\nloss L = m + s * w", []),
        ("n, d = X.shape\nloss L = w * n + d", None, []),
        ("a, c = W[:2, 0]\nloss L = a * c", "a = W[:2, 0][0]\nc = W[:2, 0][1]\nloss L = a * c", []),
    ],
)
def test_names_that_get_another_value(text: str, plain: str | None, told: list[str]) -> None:
    model = same(text, plain) if plain else Model.parse(HEAD + text)
    assert model.remarks == told


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("W = X.T\nloss L = x", "the name 'W' is already taken on line 3"),
        ("W, y = x, w\nloss L = x", "the name 'W' is already taken on line 3"),
        ("p, q = x, w, w\nloss L = x", "3 formulas for 2 names"),
        ("q += x\nloss L = q", "'q' is defined in terms of itself"),
        ("for t in 1..T:\n    h += S[t]\nloss L = sum(h)", "'h' is assigned in this loop"),
    ],
)
def test_names_that_cannot(text: str, said: str) -> None:
    with pytest.raises(ModelError) as caught:
        Model.parse(HEAD + text)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("mean(cross_entropy(softmax(X @ W), y))", "cross_entropy takes logits"),
        ("mean(binary_cross_entropy_with_logits(sigmoid(X @ v), 1))", "binary_cross_entropy_with_logits takes logits"),
        ("mean(cross_entropy(exp(X @ W) / sum(exp(X @ W), axis=1, keepdims=True), y))",
         "exp(…) / sum(exp(…)) are probabilities"),
        ("mean(cross_entropy(exp(X @ W) / exp(X @ W).sum(1)[:, None], y))", "cross_entropy takes logits"),
        ("mean(nll(softmax(X @ W), y))", "nll takes logarithms of probabilities"),
        ("mean(binary_cross_entropy(X @ v, 1))", "X @ v may be any numbers: binary_cross_entropy_with_logits takes"),
        ("sum(v' * b)".replace("b", "v"), "v.T * v is a product of entries, v @ v their sum"),
        ("sum(U' * v)", "U.T * v is a product of entries, U.T @ v the matrix product"),
        ("sum(Uᵀ * U)", "U.T * U is a product of entries, U.T @ U the matrix product"),
        ("sum(y - mean(X, axis=1, keepdims=True))", "is N x N, every entry with every other"),
        ("sum(mean(X, axis=1, keepdims=True) * mean(X, axis=1))", "is N x N, every entry with every other"),
    ],
)
def test_where_people_fall(text: str, said: str) -> None:
    remarks = Model.parse(HEAD + f"loss L = {text}").remarks
    assert len(remarks) == 1 and said in remarks[0]


@pytest.mark.parametrize("text", ["mean(cross_entropy(X @ W, y))", "mean(nll(log(softmax(X @ W)), y))",
                                  "mean(binary_cross_entropy(sigmoid(X @ v), 1))",
                                  "mean(nll(X @ W - logsumexp(X @ W, axis=1, keepdims=True), y))",
                                  "sum(X - mean(X, axis=1, keepdims=True))",
                                  "sum(mean(X, axis=1) - y)", "sum(U.T * v)", "sum(U' @ v)",
                                  "sum(mean(X, axis=1, keepdims=True) - b)"])
def test_where_they_do_not(text: str) -> None:
    assert Model.parse(HEAD + f"loss L = {text}").remarks == []


def test_letters_and_subscripts() -> None:
    model = Model.parse(
        "dim N, D, T\ndata c: T × N × D\nparam λ, θ₁, Wₕ: D × D, h[0]: N × D\nŷ = θ₁·λ\n"
        "for t in 1..T:\n    h[t] = tanh(c[t] + hₜ₋₁ @ Wₕ)\nloss L = mean(h[T]²) + (ŷ − µ)²\n".replace("µ", "λ"))
    assert [*model.params] == ["lam", "theta1", "W_h", "h0"] and "y_hat" in model.equations
    assert "δ_ŷ" in derive(model).text() and "yhat" not in derive(model).text()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("loss L = v·v", "v · v is a matrix product, @, or one of entries, *: write which"),
        ("loss L = X.grad", "gradients are derived"),
        ("loss L = np.random(X)", "an array is declared"),
        ("loss L = X.shape[2]", "one of 2 is chosen by a whole number from -2 to 1"),
        *[(f"loss L = sum({called})", "may mean something else than") for called in (
            "U.max(dim=1)", "torch.max(U, 1)", "torch.cummax(U, 0)[1]", "torch.cumsum(U)", "np.pad(U, 1, 'edge', q=2)",
            "torch.svd(U)[2]", "F.smooth_l1_loss(X, X, 2)")],
        *[(f"loss L = {norm}", "such a norm of a matrix, U (D x D), is one of its columns") for norm in (
            "np.linalg.norm(U, 1)", "torch.linalg.norm(U, ord=2)", "‖U‖_1")],
        ("loss L = sum(|U|)", "|U| of a square matrix is its determinant, or the size of every entry"),
        ("loss L = norm(v, 1)", "the second argument of norm is an axis"),
        ("loss L = ||x| - w|", "expected '||' to close the bars"),
        ("loss L = nn.CrossEntropyLoss()(S, y)", "has the classes along axis 1"),
        ("loss L = sum(nn.Linear(N, D)(X))", "Linear has parameters of its own: declare them, and write F.linear"),
        ("loss L = sum(nn.Dropout(0.5)(X))", "dropout is random: which entries stay is data"),
        ("loss L = sum(self.fc1(X))", "self.fc1 belongs to a class: declare its arrays, as in `param W: H x D, b: H`"),
        ("loss L = sum(nn.Fold(2)(X))", "there is no layer 'Fold' here"),
        ("loss L = torch.kthvalue(v, 2)[0]", "there is no function 'kthvalue' here, for torch.kthvalue: `symbackprop"),
        ("loss L = 0xff", "0xff is not a decimal number"),
        ("loss L = x/2w", "2w behind / is (2*w) or 2*w: write which"),
        ("loss L = x**-2w", "2w behind **- is (2*w) or 2*w: write which"),
        ("loss L = (x / -\n    2w)", "2w behind /- is (2*w) or 2*w: write which"),
        ("loss L = √2w", "what stands under it takes brackets: √(2*x), or √(2)*x"),
        ("loss L = ‖v‖ 2", "unexpected '2' after the formula; is a * or an @ missing before it?"),
        ("for t in range(3):\n    z[t] = x", "a loop is written `for t in 1..T:`"),
        ("loss L = U.var()", "divides by n in NumPy and by n - 1 in PyTorch"),
        ("loss L = sum(U.max(1)[0])", "all of the values in PyTorch"),
        ("loss L = sum(int(2.7) * U)", "no function 'int'"),
        ("loss L = sum(focal(X, y))", "focal takes a 0 or 1 for every logit"),
        ("loss L = sum(U.astype(int))", "no function 'astype'"),
        ("loss L = sum(np.interp(U, U))", "is not read as it is called here, but interp(x, xp, fp)"),
        ("loss L = U.median()", "may mean something else"),
        ("loss L = sum(poisson.logpmf(v, w, loc=1))", "its arguments are those of poisson.logpmf(k, mu)"),
        ("loss L = sum(torch.split(X, N, dim=1)[0])", "how many of N entries there are in D is not known"),
        ("loss L = sum(torch.split(X, 0)[0])", "pieces: a size is at least 1, not 0"),
        ("loss L = sum(stats.beta.sf(v, 1, 2))", "of beta, only pdf, logpdf is known here"),
        ("loss L = sum(gompertz.logpdf(v, w))", "no distribution 'gompertz' is known here; write the formula"),
        ("loss L = sum(gumbel.logpdf(v, w))", "no distribution 'gumbel' is known here; write the formula"),
        ("loss L = sum(normal.logpdf(v, w))", "SciPy calls it norm"),
        ("loss L = sum(binomial.logpmf(v, 9, w))", "SciPy calls it binom"),
        ("loss L = sum(qr(U))", "a of sum is an array, not a tuple"),
        ("loss L = sum(dgamma(v, w, a=1))", "dgamma is not read as it is called here, but dgamma(x, shape, rate=1"),
        ("loss L = w * inf", "only where(…) and options take"),
        ("loss L = sum(tf.sort(U, axis=0))", "tf.sort may mean something else"),
        ("loss L = F.cross_entropy(S, y)", "has the classes along axis 1"),
        ("loss L = e^(w*x)", "e^x is exp(x)"),
        ("loss L = sum(U⁻¹ @ v)", "A⁻¹ is inv(A), the inverse matrix, or 1/A, of every entry"),
        ("np = w\nloss L = np.exp(w)", "exp: too many positional arguments"),  # here np is a number of the model's
        ("loss L = sum([x for x in X])", "is not a scalar"),
    ],
)
def test_refused_with_a_reason(text: str, said: str) -> None:
    with pytest.raises(ModelError) as caught:
        Model.parse(HEAD + text)
    assert said in str(caught.value)


def test_every_other_word_stands_for_a_function_and_for_one_alone() -> None:
    assert not [(word, f) for word, f in ALSO.items() if callee(f) is None or callee(word) is not None]


def test_lines_of_python_around_formulas_are_passed_over_and_told() -> None:
    head = "dim N, D\ndata x: N x D, y: N\nparam w: D\n"
    pasted = ("import numpy as np\n" + head + "def forward(x):  # as in the lecture\n    p = np.tanh(x @ w)\n"
              "    loss = ((p - y)**2).mean()\n    return loss\nprint(loss)\nassert loss > 0\nloss.backward()\n")
    model = Model.parse(pasted)
    assert to_text(model) == to_text(Model.parse(head + "p = tanh(x @ w)\nloss loss = mean((p - y)^2)"))
    assert [said.split(": ", 1)[1].split(" ", 3)[:3] for said in model.remarks] == [
        ["`loss", "=", "…`"], ["the", "line", "`import"], ["the", "lines", "of"], ["what", "is", "returned"],
        *[["the", "line", f"`{word}"] for word in ("print", "assert", "loss")]]
    assert "output result = p\n" in to_text(Model.parse(head + "p = x @ w\nreturn p"))
    with pytest.raises(ModelError, match="the text is empty"):
        Model.parse("import numpy as np")


def test_a_second_value_in_a_loop_is_another_name() -> None:
    head = "dim T, H\ndata c: T x H, h[0]: H\nparam W: H x H\nfor t in 1..T:\n    z = h[t-1] @ W\n"
    model = Model.parse(head + "    z = relu(z) + c[t]\n    z = 2*z\n    h[t] = z\nloss L = sum(z) + sum(h[T])")
    plain = head + "    z_2 = relu(z) + c[t]\n    z_3 = 2*z_2\n    h[t] = z_3\nloss L = sum(z_3) + sum(h[T])"
    assert to_text(model) == to_text(Model.parse(plain))
    assert model.remarks[0] == "<text>:6: z has a value already, from line 5: from here on it is z_2"
    with pytest.raises(ModelError, match="assigned twice"):
        Model.parse("data z[0]\n" + head + "    z = relu(z) + z[t-1]\n    h[t] = z\nloss L = sum(h[T])")


def test_latex_is_read_and_told() -> None:
    model = Model.parse("param w\nloss L = \\tanh(w)^2")
    assert model.remarks == ["<text>:2: is read as loss L = tanh(w)^2"]
    lines = [f"a{k} = {k} w \\tanh(w)\n" for k in range(1, 15)]
    assert len(Model.parse(f"param w\n{''.join(lines)}loss L = a1 + a14").remarks) >= 14
    with pytest.raises(ModelError, match="this LaTeX is not read"):  # of which it is not known what it means
        Model.parse("param w\nloss L = \\oint(w)^2")


IN_PLACE = ["dim N", "param w: N x N", "h = tanh(w)"]


@pytest.mark.parametrize("lines, instead", [
    (["z = h", "z *= 2", "loss L = sum(z * h)"], "2*h * (2*h)"),
    (["z = h", "h *= 2", "loss L = sum(z * h)"], "2*h * (2*h)"),
    (["z = h", "z[0] = 3", "z = 2*z", "loss L = sum(z * h)"], "2*h.at[0].set(3) * h.at[0].set(3)"),
    (["z = h", "if sum(w) > 0:", "    z *= 2", "loss L = sum(z * h)"], "where(sum(w) > 0, 2*h, h)**2"),
    (["z = F.relu(h, inplace=True)", "loss L = sum(z * h)"], "relu(h)**2"),
    (["act = nn.ReLU(inplace=True)", "z = act(h)", "loss L = sum(z * h)"], "relu(h)**2"),
    (["z = nn.ReLU(inplace=True)(h)", "loss L = sum(z * h)"], "relu(h)**2"),
    (["n = h[0, 0]", "z = n", "z *= 2", "loss L = z * n"], "2*h[0, 0]**2"),
    (["import torch", "n = torch.sum(h)", "z = n", "z *= 2", "loss L = z * n"], "(2*sum(h))**2"),
])
def test_what_python_changes_under_another_name_changes(lines, instead):
    found, meant = (Model.parse("\n".join([*IN_PLACE, *text])) for text in (lines, [f"loss L = sum({instead})"]))
    w = np.random.default_rng(0).normal(size=(3, 3))
    np.testing.assert_allclose(value(found.loss_row, w=w), value(meant.loss_row, w=w), rtol=1e-12)


@pytest.mark.parametrize("lines, line, name", [
    (["z = h.T", "z *= 2", "loss L = sum(z * h)"], 5, "h"),
    (["z = h[:1]", "z += 2", "loss L = sum(z * h)"], 5, "h"),
    (["z = h.reshape(N, N)", "v = z", "v -= 2", "z = v * 2", "loss L = sum(z * h)"], 6, "h"),
    (["def f(a):", "    b = a.T", "    b *= 2", "    return b", "def g(c):", "    return f(c)", "z = g(h)",
      "loss L = sum(z * h)"], 10, "h"),
    (["z = np.transpose(h)", "z *= 2", "loss L = sum(z * h)"], 5, "h"),
    (["def f(a):", "    a *= 2", "    return a", "z = f(h)", "loss L = sum(z * h)"], 7, "h"),
    (["def f(a):", "    a *= 2", "    return a", "def g(c):", "    return c + 1", "z = f(h) + g(w)",
      "loss L = sum(z * h)"], 9, "h"),
    (["s = zeros(N)", "hs = []", "for t in range(N):", "    s += h[t]", "    hs.append(s)", "loss L = sum(tanh(hs))"],
     7, "hs"),
])
def test_what_python_changes_in_another_array_is_refused(lines, line, name):
    with pytest.raises(ModelError, match=f"<text>:{line}: model error: {name} is changed here"):
        Model.parse("\n".join([*IN_PLACE, *lines]))


@pytest.mark.parametrize("lines", [
    ["z = h.copy()", "z *= 2", "loss L = sum(z * h)"],
    ["z = h + 0", "z *= 2", "loss L = sum(z * h)"],
    ["z = h", "z *= 2", "loss L = sum(z)"],  # nothing reads h any more
    ["z = h", "z *= 2", "h = z", "loss L = sum(z * h)"],
    ["z = h", "z = z * 2", "loss L = sum(z * h)"],
    ["a = h[:2]", "b = h[2:]", "a *= 2", "loss L = sum(a) + sum(b)"],
    ["a = h[0]", "b = h[1]", "a *= 2", "loss L = sum(a) + sum(b)"],
    ["z = h[i]", "z *= 2", "loss L = sum(z * h)"],
    ["z = h[[0, 1]]", "z *= 2", "loss L = sum(z) + sum(h)"],
    ["def f(a):", "    b = a + 1", "    b *= 2", "    return b", "z = f(h)", "loss L = sum(z * h)"],
    ["z = relu(h)", "loss L = sum(z * h)"],
    ["h = F.relu(h, inplace=True)", "loss L = sum(h)"],
    ["hs = []", "for t in range(N):", "    s = h[t] + 1", "    s *= 2", "    hs.append(s)", "loss L = sum(tanh(hs))"],
])
def test_what_python_changes_under_no_other_name_is_not_told(lines):
    said = Model.parse("\n".join(["dim N", "data i: N int < N", "param w: N x N", "h = tanh(w)", *lines])).remarks
    assert not [s for s in said if " is changed here" in s]
