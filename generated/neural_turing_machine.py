"""neural-turing-machine: neural Turing machine over T steps: two read heads and a write head with content and
location addressing

Written by symbackprop 0.1.0 from the model text MODEL; `symbackprop verify FILE` checks it, edited or not.
The code is yours: use it, change it, pass it on as you like.
PARAMS and DATA say which arrays forward takes, by name, and their shapes.
"""

# mypy: disable-error-code="no-any-return, type-arg"
# ruff: noqa: E501, E741, RUF100
import numpy as np

NAME = "neural-turing-machine"
MODEL = """\
# name: neural-turing-machine
# summary: neural Turing machine over T steps: two read heads and a write head with content and location addressing
# source: named in UMass CS685; Graves, Wayne and Danihelka 2014
# tags: architecture, recurrent, memory
dim T, N, I, O, H, R, W
data x: T x N x I, y: T x N x O, h[0]: N x H, M[0]: N x R x W, r[0]: N x 2*W, p[0]: N x R
data q[0]: N x R, w[0]: N x R
param W_x: I x H, W_r: 2*W x H, W_h: H x H, b_h: H, K_p: H x W, k_p: W, B_p: H x 1, d_p: 1
param G_p: H x 1, g_p: 1, S_p: H x 3, s_p: 3, Y_p: H x 1, y_p: 1, K_q: H x W, k_q: W, B_q: H x 1
param d_q: 1, G_q: H x 1, g_q: 1, S_q: H x 3, s_q: 3, Y_q: H x 1, y_q: 1, K_w: H x W, k_w: W
param B_w: H x 1, d_w: 1, G_w: H x 1, g_w: 1, S_w: H x 3, s_w: 3, Y_w: H x 1, y_w: 1, E_w: H x W
param e_w: W, A_w: H x W, a_w: W, W_o: H x O, W_v: 2*W x O, b_o: O
const eps = 1e-8
for t in 1..T:
    h[t] = tanh(x[t] @ W_x + r[t-1] @ W_r + h[t-1] @ W_h + b_h)
    m[t] = sqrt(sum(M[t-1]**2, axis=-1) + eps)
    kw[t] = tanh(h[t] @ K_w + k_w)
    cw[t] = softmax(softplus(h[t] @ B_w + d_w) * einsum("ab,acb->ac", kw[t], M[t-1]) / (sqrt(sum(kw[t]**2, axis=-1, keepdims=True) + eps) * m[t]))
    gw[t] = sigmoid(h[t] @ G_w + g_w)
    iw[t] = gw[t] * cw[t] + (1 - gw[t]) * w[t-1]
    sw[t] = softmax(h[t] @ S_w + s_w)
    jw[t] = sw[t][:, 0:1] * roll(iw[t], 1, axis=1) + sw[t][:, 1:2] * iw[t] + sw[t][:, 2:] * roll(iw[t], -1, axis=1)
    vw[t] = (jw[t] + eps)**(1 + softplus(h[t] @ Y_w + y_w))
    w[t] = vw[t] / sum(vw[t], axis=-1, keepdims=True)
    e[t] = sigmoid(h[t] @ E_w + e_w)
    a[t] = tanh(h[t] @ A_w + a_w)
    M[t] = M[t-1] * (1 - einsum("ab,ac->abc", w[t], e[t])) + einsum("ab,ac->abc", w[t], a[t])
    u[t] = sqrt(sum(M[t]**2, axis=-1) + eps)
    kp[t] = tanh(h[t] @ K_p + k_p)
    cp[t] = softmax(softplus(h[t] @ B_p + d_p) * einsum("ab,acb->ac", kp[t], M[t]) / (sqrt(sum(kp[t]**2, axis=-1, keepdims=True) + eps) * u[t]))
    gp[t] = sigmoid(h[t] @ G_p + g_p)
    ip[t] = gp[t] * cp[t] + (1 - gp[t]) * p[t-1]
    sp[t] = softmax(h[t] @ S_p + s_p)
    jp[t] = sp[t][:, 0:1] * roll(ip[t], 1, axis=1) + sp[t][:, 1:2] * ip[t] + sp[t][:, 2:] * roll(ip[t], -1, axis=1)
    vp[t] = (jp[t] + eps)**(1 + softplus(h[t] @ Y_p + y_p))
    p[t] = vp[t] / sum(vp[t], axis=-1, keepdims=True)
    kq[t] = tanh(h[t] @ K_q + k_q)
    cq[t] = softmax(softplus(h[t] @ B_q + d_q) * einsum("ab,acb->ac", kq[t], M[t]) / (sqrt(sum(kq[t]**2, axis=-1, keepdims=True) + eps) * u[t]))
    gq[t] = sigmoid(h[t] @ G_q + g_q)
    iq[t] = gq[t] * cq[t] + (1 - gq[t]) * q[t-1]
    sq[t] = softmax(h[t] @ S_q + s_q)
    jq[t] = sq[t][:, 0:1] * roll(iq[t], 1, axis=1) + sq[t][:, 1:2] * iq[t] + sq[t][:, 2:] * roll(iq[t], -1, axis=1)
    vq[t] = (jq[t] + eps)**(1 + softplus(h[t] @ Y_q + y_q))
    q[t] = vq[t] / sum(vq[t], axis=-1, keepdims=True)
    r[t] = concat(einsum("ab,abc->ac", p[t], M[t]), einsum("ab,abc->ac", q[t], M[t]), axis=-1)
z = h @ W_o + r @ W_v + b_o
loss L = mean(binary_cross_entropy_with_logits(z, y))
"""
PARAMS = {
    "W_x": ("I", "H"), "W_r": ("2*W", "H"), "W_h": ("H", "H"), "b_h": ("H",), "K_p": ("H", "W"),
    "k_p": ("W",), "B_p": ("H", 1), "d_p": (1,), "G_p": ("H", 1), "g_p": (1,), "S_p": ("H", 3), "s_p": (3,),
    "Y_p": ("H", 1), "y_p": (1,), "K_q": ("H", "W"), "k_q": ("W",), "B_q": ("H", 1), "d_q": (1,),
    "G_q": ("H", 1), "g_q": (1,), "S_q": ("H", 3), "s_q": (3,), "Y_q": ("H", 1), "y_q": (1,),
    "K_w": ("H", "W"), "k_w": ("W",), "B_w": ("H", 1), "d_w": (1,), "G_w": ("H", 1), "g_w": (1,),
    "S_w": ("H", 3), "s_w": (3,), "Y_w": ("H", 1), "y_w": (1,), "E_w": ("H", "W"), "e_w": ("W",),
    "A_w": ("H", "W"), "a_w": ("W",), "W_o": ("H", "O"), "W_v": ("2*W", "O"), "b_o": ("O",),
}
DATA = {
    "x": ("T", "N", "I"), "y": ("T", "N", "O"), "h0": ("N", "H"), "M0": ("N", "R", "W"), "r0": ("N", "2*W"),
    "p0": ("N", "R"), "q0": ("N", "R"), "w0": ("N", "R"),
}
DIMS = {"T": None, "N": None, "I": None, "O": None, "H": None, "R": None, "W": None}
LOSS = "L"
INTEGERS: dict = {}
DTYPE = np.float64
eps = 1e-08


def forward(params: dict, data: dict, dims: dict | None = None) -> tuple[float, dict]:
    """Computes L, and the cache that backward reads. ValueError for arrays that are not as PARAMS and DATA say."""
    arrays, sizes, dtype, dtypes = read(params, data, dims)
    W_x = arrays["W_x"]                               # I×H
    W_r = arrays["W_r"]                               # 2W×H
    W_h = arrays["W_h"]                               # H×H
    b_h = arrays["b_h"]                               # H
    K_p = arrays["K_p"]                               # H×W
    k_p = arrays["k_p"]                               # W
    B_p = arrays["B_p"]                               # H×1
    d_p = arrays["d_p"]                               # 1
    G_p = arrays["G_p"]                               # H×1
    g_p = arrays["g_p"]                               # 1
    S_p = arrays["S_p"]                               # H×3
    s_p = arrays["s_p"]                               # 3
    Y_p = arrays["Y_p"]                               # H×1
    y_p = arrays["y_p"]                               # 1
    K_q = arrays["K_q"]                               # H×W
    k_q = arrays["k_q"]                               # W
    B_q = arrays["B_q"]                               # H×1
    d_q = arrays["d_q"]                               # 1
    G_q = arrays["G_q"]                               # H×1
    g_q = arrays["g_q"]                               # 1
    S_q = arrays["S_q"]                               # H×3
    s_q = arrays["s_q"]                               # 3
    Y_q = arrays["Y_q"]                               # H×1
    y_q = arrays["y_q"]                               # 1
    K_w = arrays["K_w"]                               # H×W
    k_w = arrays["k_w"]                               # W
    B_w = arrays["B_w"]                               # H×1
    d_w = arrays["d_w"]                               # 1
    G_w = arrays["G_w"]                               # H×1
    g_w = arrays["g_w"]                               # 1
    S_w = arrays["S_w"]                               # H×3
    s_w = arrays["s_w"]                               # 3
    Y_w = arrays["Y_w"]                               # H×1
    y_w = arrays["y_w"]                               # 1
    E_w = arrays["E_w"]                               # H×W
    e_w = arrays["e_w"]                               # W
    A_w = arrays["A_w"]                               # H×W
    a_w = arrays["a_w"]                               # W
    W_o = arrays["W_o"]                               # H×O
    W_v = arrays["W_v"]                               # 2W×O
    b_o = arrays["b_o"]                               # O
    x = arrays["x"]                                   # T×N×I
    y = arrays["y"]                                   # T×N×O
    h0 = arrays["h0"]                                 # N×H
    M0 = arrays["M0"]                                 # N×R×W
    r0 = arrays["r0"]                                 # N×2W
    p0 = arrays["p0"]                                 # N×R
    q0 = arrays["q0"]                                 # N×R
    w0 = arrays["w0"]                                 # N×R
    T, N, I, O, H, R, W = sizes["T"], sizes["N"], sizes["I"], sizes["O"], sizes["H"], sizes["R"], sizes["W"]
    t1 = (x.reshape(N * T, I) @ W_x).reshape(T, N, H)  # t1 = x W_x   T×N×H
    r_prev = r0                                       # r_prev = r0   N×2W
    h_prev = h0                                       # h_prev = h0   N×H
    M_prev = M0                                       # M_prev = M0   N×R×W
    w_prev = w0                                       # w_prev = w0   N×R
    p_prev = p0                                       # p_prev = p0   N×R
    q_prev = q0                                       # q_prev = q0   N×R
    h_states = np.empty((T + 1, N, H), dtype)         # (T + 1)×N×H
    h_states[0] = h_prev
    h_before, h = h_states[:-1], h_states[1:]         # before and after every step   T×N×H
    r_states = np.empty((T + 1, N, 2 * W), dtype)     # (T + 1)×N×2W
    r_states[0] = r_prev
    r_before, r = r_states[:-1], r_states[1:]         # before and after every step   T×N×2W
    M_states = np.empty((T + 1, N, R, W), dtype)      # (T + 1)×N×R×W
    M_states[0] = M_prev
    M_before, M = M_states[:-1], M_states[1:]         # before and after every step   T×N×R×W
    v33 = np.empty((T, N, 1), dtype)                  # T×N×1
    q_states = np.empty((T + 1, N, R), dtype)         # (T + 1)×N×R
    q_states[0] = q_prev
    q_before, q = q_states[:-1], q_states[1:]         # before and after every step   T×N×R
    jq = np.empty((T, N, R), dtype)                   # T×N×R
    v32 = np.empty((T, N, 1), dtype)                  # T×N×1
    z_7 = np.empty((T, N, 1), dtype)                  # T×N×1
    cq = np.empty((T, N, R), dtype)                   # T×N×R
    v29 = np.empty((T, N, 1), dtype)                  # T×N×1
    v30 = np.empty((T, N, 1), dtype)                  # T×N×1
    v27 = np.empty((T, N, 1), dtype)                  # T×N×1
    gq = np.empty((T, N, 1), dtype)                   # T×N×1
    v22 = np.empty((T, N, 1), dtype)                  # T×N×1
    v23 = np.empty((T, N, R), dtype)                  # T×N×R
    v25 = np.empty((T, N, 1), dtype)                  # T×N×1
    u = np.empty((T, N, R), dtype)                    # T×N×R
    kq = np.empty((T, N, W), dtype)                   # T×N×W
    z_6 = np.empty((T, N, 1), dtype)                  # T×N×1
    sq = np.empty((T, N, 3), dtype)                   # T×N×3
    v28 = np.empty((T, N, R), dtype)                  # T×N×R
    iq = np.empty((T, N, R), dtype)                   # T×N×R
    v31 = np.empty((T, N, R), dtype)                  # T×N×R
    v21 = np.empty((T, N, 1), dtype)                  # T×N×1
    p_states = np.empty((T + 1, N, R), dtype)         # (T + 1)×N×R
    p_states[0] = p_prev
    p_before, p = p_states[:-1], p_states[1:]         # before and after every step   T×N×R
    jp = np.empty((T, N, R), dtype)                   # T×N×R
    v20 = np.empty((T, N, 1), dtype)                  # T×N×1
    z_5 = np.empty((T, N, 1), dtype)                  # T×N×1
    cp = np.empty((T, N, R), dtype)                   # T×N×R
    v17 = np.empty((T, N, 1), dtype)                  # T×N×1
    v18 = np.empty((T, N, 1), dtype)                  # T×N×1
    v15 = np.empty((T, N, 1), dtype)                  # T×N×1
    gp = np.empty((T, N, 1), dtype)                   # T×N×1
    v10 = np.empty((T, N, 1), dtype)                  # T×N×1
    v11 = np.empty((T, N, R), dtype)                  # T×N×R
    v13 = np.empty((T, N, 1), dtype)                  # T×N×1
    kp = np.empty((T, N, W), dtype)                   # T×N×W
    w_states = np.empty((T + 1, N, R), dtype)         # (T + 1)×N×R
    w_states[0] = w_prev
    w_before, w = w_states[:-1], w_states[1:]         # before and after every step   T×N×R
    a = np.empty((T, N, W), dtype)                    # T×N×W
    e = np.empty((T, N, W), dtype)                    # T×N×W
    v7 = np.empty((T, N, 1), dtype)                   # T×N×1
    jw = np.empty((T, N, R), dtype)                   # T×N×R
    v6 = np.empty((T, N, 1), dtype)                   # T×N×1
    z_3 = np.empty((T, N, 1), dtype)                  # T×N×1
    cw = np.empty((T, N, R), dtype)                   # T×N×R
    v3 = np.empty((T, N, 1), dtype)                   # T×N×1
    v4 = np.empty((T, N, 1), dtype)                   # T×N×1
    v1 = np.empty((T, N, 1), dtype)                   # T×N×1
    gw = np.empty((T, N, 1), dtype)                   # T×N×1
    c = np.empty((T, N, 1), dtype)                    # T×N×1
    g = np.empty((T, N, R), dtype)                    # T×N×R
    s = np.empty((T, N, 1), dtype)                    # T×N×1
    m = np.empty((T, N, R), dtype)                    # T×N×R
    kw = np.empty((T, N, W), dtype)                   # T×N×W
    z_2 = np.empty((T, N, 1), dtype)                  # T×N×1
    sw = np.empty((T, N, 3), dtype)                   # T×N×3
    v2 = np.empty((T, N, R), dtype)                   # T×N×R
    iw = np.empty((T, N, R), dtype)                   # T×N×R
    v5 = np.empty((T, N, R), dtype)                   # T×N×R
    z_4 = np.empty((T, N, 1), dtype)                  # T×N×1
    sp = np.empty((T, N, 3), dtype)                   # T×N×3
    v16 = np.empty((T, N, R), dtype)                  # T×N×R
    ip = np.empty((T, N, R), dtype)                   # T×N×R
    v19 = np.empty((T, N, R), dtype)                  # T×N×R
    v8 = np.empty((T, N, R, W), dtype)                # T×N×R×W
    v = np.empty((T, N, 1), dtype)                    # T×N×1
    v14 = np.empty((T, N, 1), dtype)                  # T×N×1
    v26 = np.empty((T, N, 1), dtype)                  # T×N×1
    for t in range(T):
        # z_h[t] = t1[t] + r[t-1] W_r + h[t-1] W_h + b_h   N×H
        z_h_t = t1[t] + r_prev @ W_r + h_prev @ W_h + b_h
        h_t = h[t] = np.tanh(z_h_t)                   # h[t] = tanh(z_h[t])   N×H
        z_sp_t = h_t @ S_p + s_p                      # z_sp[t] = h[t] S_p + s_p   N×3
        sp_t = sp[t] = softmax(z_sp_t, axis=1)        # sp[t] = softmax(z_sp[t])   N×3
        v15_t = v15[t] = sp_t[:, 0:1]                 # v15[t] = sp[t][:, 0:1]   N×1
        z_gp_t = h_t @ G_p + g_p                      # z_gp[t] = h[t] G_p + g_p   N×1
        gp_t = gp[t] = sigmoid(z_gp_t)                # gp[t] = sigmoid(z_gp[t])   N×1
        z_4_t = z_4[t] = h_t @ B_p + d_p              # z_4[t] = h[t] B_p + d_p   N×1
        v10_t = v10[t] = softplus(z_4_t)              # v10[t] = softplus(z_4[t])   N×1
        z_kp_t = h_t @ K_p + k_p                      # z_kp[t] = h[t] K_p + k_p   N×W
        kp_t = kp[t] = np.tanh(z_kp_t)                # kp[t] = tanh(z_kp[t])   N×W
        z_sw_t = h_t @ S_w + s_w                      # z_sw[t] = h[t] S_w + s_w   N×3
        sw_t = sw[t] = softmax(z_sw_t, axis=1)        # sw[t] = softmax(z_sw[t])   N×3
        v1_t = v1[t] = sw_t[:, 0:1]                   # v1[t] = sw[t][:, 0:1]   N×1
        z_gw_t = h_t @ G_w + g_w                      # z_gw[t] = h[t] G_w + g_w   N×1
        gw_t = gw[t] = sigmoid(z_gw_t)                # gw[t] = sigmoid(z_gw[t])   N×1
        z_2_t = z_2[t] = h_t @ B_w + d_w              # z_2[t] = h[t] B_w + d_w   N×1
        c_t = c[t] = softplus(z_2_t)                  # c[t] = softplus(z_2[t])   N×1
        z_kw_t = h_t @ K_w + k_w                      # z_kw[t] = h[t] K_w + k_w   N×W
        kw_t = kw[t] = np.tanh(z_kw_t)                # kw[t] = tanh(z_kw[t])   N×W
        g_t = g[t] = (M_prev @ kw_t[:, :, None])[:, :, 0]  # g[t] = einsum(ab,acb→ac, kw[t], M[t-1])   N×R
        # k[t] = sum(kw[t]², axis=-1, keepdims=True) + eps   N×1
        k_t = np.einsum("ab,ab->a", kw_t, kw_t)[:, None] + eps
        s_t = s[t] = np.sqrt(k_t)                     # s[t] = sqrt(k[t])   N×1
        b_t = np.einsum("abc,abc->ab", M_prev, M_prev) + eps  # b[t] = sum(M[t-1]², axis=-1) + eps   N×R
        m_t = m[t] = np.sqrt(b_t)                     # m[t] = sqrt(b[t])   N×R
        z_cw_t = c_t * g_t / (s_t * m_t)              # z_cw[t] = c[t] ⊙ g[t] / (s[t] ⊙ m[t])   N×R
        cw_t = cw[t] = softmax(z_cw_t, axis=1)        # cw[t] = softmax(z_cw[t])   N×R
        v_t = v[t] = 1 - gw_t                         # v[t] = 1 − gw[t]   N×1
        iw_t = iw[t] = gw_t * cw_t + v_t * w_prev     # iw[t] = gw[t] ⊙ cw[t] + v[t] ⊙ w[t-1]   N×R
        # v2[t] = roll(iw[t], 1, axis=1)   N×R
        v2_t = v2[t] = np.concatenate([iw_t[:, R - 1:], iw_t[:, :R - 1]], axis=1)
        v3_t = v3[t] = sw_t[:, 1:2]                   # v3[t] = sw[t][:, 1:2]   N×1
        v4_t = v4[t] = sw_t[:, 2:]                    # v4[t] = sw[t][:, 2:]   N×1
        # v5[t] = roll(iw[t], -1, axis=1)   N×R
        v5_t = v5[t] = np.concatenate([iw_t[:, 1:], iw_t[:, 0:1]], axis=1)
        # jw[t] = v1[t] ⊙ v2[t] + v3[t] ⊙ iw[t] + v4[t] ⊙ v5[t]   N×R
        jw_t = jw[t] = v1_t * v2_t + v3_t * iw_t + v4_t * v5_t
        z_3_t = z_3[t] = h_t @ Y_w + y_w              # z_3[t] = h[t] Y_w + y_w   N×1
        v6_t = v6[t] = 1 + softplus(z_3_t)            # v6[t] = 1 + softplus(z_3[t])   N×1
        vw_t = (jw_t + eps) ** v6_t                   # vw[t] = (jw[t] + eps)^v6[t]   N×R
        v7_t = v7[t] = vw_t.sum(axis=1, keepdims=True)  # v7[t] = sum(vw[t], axis=-1, keepdims=True)   N×1
        w_t = w[t] = vw_t / v7_t                      # w[t] = vw[t] / v7[t]   N×R
        z_e_t = h_t @ E_w + e_w                       # z_e[t] = h[t] E_w + e_w   N×W
        e_t = e[t] = sigmoid(z_e_t)                   # e[t] = sigmoid(z_e[t])   N×W
        v8_t = v8[t] = w_t[:, :, None] * e_t[:, None, :]  # v8[t] = einsum(ab,ac→abc, w[t], e[t])   N×R×W
        z_a_t = h_t @ A_w + a_w                       # z_a[t] = h[t] A_w + a_w   N×W
        a_t = a[t] = np.tanh(z_a_t)                   # a[t] = tanh(z_a[t])   N×W
        # M[t] = M[t-1] ⊙ (1 − v8[t]) + einsum(ab,ac→abc, w[t], a[t])   N×R×W
        M_t = M[t] = M_prev * (1 - v8_t) + w_t[:, :, None] * a_t[:, None, :]
        v11_t = v11[t] = (M_t @ kp_t[:, :, None])[:, :, 0]  # v11[t] = einsum(ab,acb→ac, kp[t], M[t])   N×R
        # v12[t] = sum(kp[t]², axis=-1, keepdims=True) + eps   N×1
        v12_t = np.einsum("ab,ab->a", kp_t, kp_t)[:, None] + eps
        v13_t = v13[t] = np.sqrt(v12_t)               # v13[t] = sqrt(v12[t])   N×1
        v9_t = np.einsum("abc,abc->ab", M_t, M_t) + eps  # v9[t] = sum(M[t]², axis=-1) + eps   N×R
        u_t = u[t] = np.sqrt(v9_t)                    # u[t] = sqrt(v9[t])   N×R
        z_cp_t = v10_t * v11_t / (v13_t * u_t)        # z_cp[t] = v10[t] ⊙ v11[t] / (v13[t] ⊙ u[t])   N×R
        cp_t = cp[t] = softmax(z_cp_t, axis=1)        # cp[t] = softmax(z_cp[t])   N×R
        v14_t = v14[t] = 1 - gp_t                     # v14[t] = 1 − gp[t]   N×1
        ip_t = ip[t] = gp_t * cp_t + v14_t * p_prev   # ip[t] = gp[t] ⊙ cp[t] + v14[t] ⊙ p[t-1]   N×R
        # v16[t] = roll(ip[t], 1, axis=1)   N×R
        v16_t = v16[t] = np.concatenate([ip_t[:, R - 1:], ip_t[:, :R - 1]], axis=1)
        v17_t = v17[t] = sp_t[:, 1:2]                 # v17[t] = sp[t][:, 1:2]   N×1
        v18_t = v18[t] = sp_t[:, 2:]                  # v18[t] = sp[t][:, 2:]   N×1
        # v19[t] = roll(ip[t], -1, axis=1)   N×R
        v19_t = v19[t] = np.concatenate([ip_t[:, 1:], ip_t[:, 0:1]], axis=1)
        # jp[t] = v15[t] ⊙ v16[t] + v17[t] ⊙ ip[t] + v18[t] ⊙ v19[t]   N×R
        jp_t = jp[t] = v15_t * v16_t + v17_t * ip_t + v18_t * v19_t
        z_5_t = z_5[t] = h_t @ Y_p + y_p              # z_5[t] = h[t] Y_p + y_p   N×1
        v20_t = v20[t] = 1 + softplus(z_5_t)          # v20[t] = 1 + softplus(z_5[t])   N×1
        vp_t = (jp_t + eps) ** v20_t                  # vp[t] = (jp[t] + eps)^v20[t]   N×R
        v21_t = v21[t] = vp_t.sum(axis=1, keepdims=True)  # v21[t] = sum(vp[t], axis=-1, keepdims=True)   N×1
        p_t = p[t] = vp_t / v21_t                     # p[t] = vp[t] / v21[t]   N×R
        t2 = (p_t[:, None] @ M_t)[:, 0]               # t2 = einsum(ab,abc→ac, p[t], M[t])   N×W
        z_sq_t = h_t @ S_q + s_q                      # z_sq[t] = h[t] S_q + s_q   N×3
        sq_t = sq[t] = softmax(z_sq_t, axis=1)        # sq[t] = softmax(z_sq[t])   N×3
        v27_t = v27[t] = sq_t[:, 0:1]                 # v27[t] = sq[t][:, 0:1]   N×1
        z_gq_t = h_t @ G_q + g_q                      # z_gq[t] = h[t] G_q + g_q   N×1
        gq_t = gq[t] = sigmoid(z_gq_t)                # gq[t] = sigmoid(z_gq[t])   N×1
        z_6_t = z_6[t] = h_t @ B_q + d_q              # z_6[t] = h[t] B_q + d_q   N×1
        v22_t = v22[t] = softplus(z_6_t)              # v22[t] = softplus(z_6[t])   N×1
        z_kq_t = h_t @ K_q + k_q                      # z_kq[t] = h[t] K_q + k_q   N×W
        kq_t = kq[t] = np.tanh(z_kq_t)                # kq[t] = tanh(z_kq[t])   N×W
        v23_t = v23[t] = (M_t @ kq_t[:, :, None])[:, :, 0]  # v23[t] = einsum(ab,acb→ac, kq[t], M[t])   N×R
        # v24[t] = sum(kq[t]², axis=-1, keepdims=True) + eps   N×1
        v24_t = np.einsum("ab,ab->a", kq_t, kq_t)[:, None] + eps
        v25_t = v25[t] = np.sqrt(v24_t)               # v25[t] = sqrt(v24[t])   N×1
        z_cq_t = v22_t * v23_t / (v25_t * u_t)        # z_cq[t] = v22[t] ⊙ v23[t] / (v25[t] ⊙ u[t])   N×R
        cq_t = cq[t] = softmax(z_cq_t, axis=1)        # cq[t] = softmax(z_cq[t])   N×R
        v26_t = v26[t] = 1 - gq_t                     # v26[t] = 1 − gq[t]   N×1
        iq_t = iq[t] = gq_t * cq_t + v26_t * q_prev   # iq[t] = gq[t] ⊙ cq[t] + v26[t] ⊙ q[t-1]   N×R
        # v28[t] = roll(iq[t], 1, axis=1)   N×R
        v28_t = v28[t] = np.concatenate([iq_t[:, R - 1:], iq_t[:, :R - 1]], axis=1)
        v29_t = v29[t] = sq_t[:, 1:2]                 # v29[t] = sq[t][:, 1:2]   N×1
        v30_t = v30[t] = sq_t[:, 2:]                  # v30[t] = sq[t][:, 2:]   N×1
        # v31[t] = roll(iq[t], -1, axis=1)   N×R
        v31_t = v31[t] = np.concatenate([iq_t[:, 1:], iq_t[:, 0:1]], axis=1)
        # jq[t] = v27[t] ⊙ v28[t] + v29[t] ⊙ iq[t] + v30[t] ⊙ v31[t]   N×R
        jq_t = jq[t] = v27_t * v28_t + v29_t * iq_t + v30_t * v31_t
        z_7_t = z_7[t] = h_t @ Y_q + y_q              # z_7[t] = h[t] Y_q + y_q   N×1
        v32_t = v32[t] = 1 + softplus(z_7_t)          # v32[t] = 1 + softplus(z_7[t])   N×1
        vq_t = (jq_t + eps) ** v32_t                  # vq[t] = (jq[t] + eps)^v32[t]   N×R
        v33_t = v33[t] = vq_t.sum(axis=1, keepdims=True)  # v33[t] = sum(vq[t], axis=-1, keepdims=True)   N×1
        q_t = q[t] = vq_t / v33_t                     # q[t] = vq[t] / v33[t]   N×R
        t3 = (q_t[:, None] @ M_t)[:, 0]               # t3 = einsum(ab,abc→ac, q[t], M[t])   N×W
        r_t = r[t] = np.concatenate([t2, t3], axis=1)  # r[t] = concat(t2, t3, axis=-1)   N×2W
        r_prev, h_prev, M_prev, w_prev, p_prev, q_prev = r_t, h_t, M_t, w_t, p_t, q_t
    # z = h W_o + r W_v + b_o   T×N×O
    z = (h.reshape(N * T, H) @ W_o).reshape(T, N, O) + (r.reshape(N * T, 2 * W) @ W_v).reshape(T, N, O) + b_o
    L = logit_loss(z, y).sum() / (N * O * T)          # L = mean(binary_cross_entropy_with_logits(z, y))
    cache = {
        "z": z, "y": y, "W_o": W_o, "W_v": W_v, "M": M, "v33": v33, "q": q, "jq": jq, "v32": v32, "z_7": z_7,
        "cq": cq, "v29": v29, "v30": v30, "v27": v27, "gq": gq, "v22": v22, "v23": v23, "v25": v25, "u": u,
        "kq": kq, "z_6": z_6, "q_before": q_before, "sq": sq, "v28": v28, "iq": iq, "v31": v31, "v21": v21,
        "p": p, "jp": jp, "v20": v20, "z_5": z_5, "cp": cp, "v17": v17, "v18": v18, "v15": v15, "gp": gp,
        "v10": v10, "v11": v11, "v13": v13, "kp": kp, "w": w, "a": a, "M_before": M_before, "e": e, "v7": v7,
        "jw": jw, "v6": v6, "z_3": z_3, "cw": cw, "v3": v3, "v4": v4, "v1": v1, "gw": gw, "c": c, "g": g,
        "s": s, "m": m, "kw": kw, "z_2": z_2, "w_before": w_before, "sw": sw, "v2": v2, "iw": iw, "v5": v5,
        "z_4": z_4, "p_before": p_before, "sp": sp, "v16": v16, "ip": ip, "v19": v19, "h": h, "v8": v8,
        "v": v, "v14": v14, "v26": v26, "W_r": W_r, "W_h": W_h, "S_p": S_p, "G_p": G_p, "B_p": B_p,
        "K_p": K_p, "S_w": S_w, "G_w": G_w, "B_w": B_w, "K_w": K_w, "Y_w": Y_w, "E_w": E_w, "A_w": A_w,
        "Y_p": Y_p, "S_q": S_q, "G_q": G_q, "B_q": B_q, "K_q": K_q, "Y_q": Y_q, "x": x, "r_before": r_before,
        "h_before": h_before, "r": r, "T": T, "N": N, "I": I, "O": O, "H": H, "R": R, "W": W, "dtype": dtype,
        "dtypes": dtypes,
    }
    return dtype.type(L), cache


def backward(cache: dict, upstream: float = 1.0) -> dict[str, np.ndarray]:
    """The gradient of L, times upstream, with respect to every parameter and input."""
    check_cache(cache, "dtypes")
    z = cache["z"]                                    # T×N×O
    y = cache["y"]                                    # T×N×O
    W_o = cache["W_o"]                                # H×O
    W_v = cache["W_v"]                                # 2W×O
    M = cache["M"]                                    # T×N×R×W
    v33 = cache["v33"]                                # T×N×1
    q = cache["q"]                                    # T×N×R
    jq = cache["jq"]                                  # T×N×R
    v32 = cache["v32"]                                # T×N×1
    z_7 = cache["z_7"]                                # T×N×1
    cq = cache["cq"]                                  # T×N×R
    v29 = cache["v29"]                                # T×N×1
    v30 = cache["v30"]                                # T×N×1
    v27 = cache["v27"]                                # T×N×1
    gq = cache["gq"]                                  # T×N×1
    v22 = cache["v22"]                                # T×N×1
    v23 = cache["v23"]                                # T×N×R
    v25 = cache["v25"]                                # T×N×1
    u = cache["u"]                                    # T×N×R
    kq = cache["kq"]                                  # T×N×W
    z_6 = cache["z_6"]                                # T×N×1
    q_before = cache["q_before"]                      # T×N×R
    sq = cache["sq"]                                  # T×N×3
    v28 = cache["v28"]                                # T×N×R
    iq = cache["iq"]                                  # T×N×R
    v31 = cache["v31"]                                # T×N×R
    v21 = cache["v21"]                                # T×N×1
    p = cache["p"]                                    # T×N×R
    jp = cache["jp"]                                  # T×N×R
    v20 = cache["v20"]                                # T×N×1
    z_5 = cache["z_5"]                                # T×N×1
    cp = cache["cp"]                                  # T×N×R
    v17 = cache["v17"]                                # T×N×1
    v18 = cache["v18"]                                # T×N×1
    v15 = cache["v15"]                                # T×N×1
    gp = cache["gp"]                                  # T×N×1
    v10 = cache["v10"]                                # T×N×1
    v11 = cache["v11"]                                # T×N×R
    v13 = cache["v13"]                                # T×N×1
    kp = cache["kp"]                                  # T×N×W
    w = cache["w"]                                    # T×N×R
    a = cache["a"]                                    # T×N×W
    M_before = cache["M_before"]                      # T×N×R×W
    e = cache["e"]                                    # T×N×W
    v7 = cache["v7"]                                  # T×N×1
    jw = cache["jw"]                                  # T×N×R
    v6 = cache["v6"]                                  # T×N×1
    z_3 = cache["z_3"]                                # T×N×1
    cw = cache["cw"]                                  # T×N×R
    v3 = cache["v3"]                                  # T×N×1
    v4 = cache["v4"]                                  # T×N×1
    v1 = cache["v1"]                                  # T×N×1
    gw = cache["gw"]                                  # T×N×1
    c = cache["c"]                                    # T×N×1
    g = cache["g"]                                    # T×N×R
    s = cache["s"]                                    # T×N×1
    m = cache["m"]                                    # T×N×R
    kw = cache["kw"]                                  # T×N×W
    z_2 = cache["z_2"]                                # T×N×1
    w_before = cache["w_before"]                      # T×N×R
    sw = cache["sw"]                                  # T×N×3
    v2 = cache["v2"]                                  # T×N×R
    iw = cache["iw"]                                  # T×N×R
    v5 = cache["v5"]                                  # T×N×R
    z_4 = cache["z_4"]                                # T×N×1
    p_before = cache["p_before"]                      # T×N×R
    sp = cache["sp"]                                  # T×N×3
    v16 = cache["v16"]                                # T×N×R
    ip = cache["ip"]                                  # T×N×R
    v19 = cache["v19"]                                # T×N×R
    h = cache["h"]                                    # T×N×H
    v8 = cache["v8"]                                  # T×N×R×W
    v = cache["v"]                                    # T×N×1
    v14 = cache["v14"]                                # T×N×1
    v26 = cache["v26"]                                # T×N×1
    W_r = cache["W_r"]                                # 2W×H
    W_h = cache["W_h"]                                # H×H
    S_p = cache["S_p"]                                # H×3
    G_p = cache["G_p"]                                # H×1
    B_p = cache["B_p"]                                # H×1
    K_p = cache["K_p"]                                # H×W
    S_w = cache["S_w"]                                # H×3
    G_w = cache["G_w"]                                # H×1
    B_w = cache["B_w"]                                # H×1
    K_w = cache["K_w"]                                # H×W
    Y_w = cache["Y_w"]                                # H×1
    E_w = cache["E_w"]                                # H×W
    A_w = cache["A_w"]                                # H×W
    Y_p = cache["Y_p"]                                # H×1
    S_q = cache["S_q"]                                # H×3
    G_q = cache["G_q"]                                # H×1
    B_q = cache["B_q"]                                # H×1
    K_q = cache["K_q"]                                # H×W
    Y_q = cache["Y_q"]                                # H×1
    x = cache["x"]                                    # T×N×I
    r_before = cache["r_before"]                      # T×N×2W
    h_before = cache["h_before"]                      # T×N×H
    r = cache["r"]                                    # T×N×2W
    T, N, I, O, H, R, W = cache["T"], cache["N"], cache["I"], cache["O"], cache["H"], cache["R"], cache["W"]
    dtype = cache["dtype"]
    dz = (sigmoid(z) - y) / (N * O * T)               # dz = (sigmoid(z) − y) / (N*O*T)   T×N×O
    dW_o = h.reshape(N * T, H).T @ dz.reshape(N * T, O)  # dW_o = sum(hᵀ dz, axis=0)   H×O
    dW_v = r.reshape(N * T, 2 * W).T @ dz.reshape(N * T, O)  # dW_v = sum(rᵀ dz, axis=0)   2W×O
    db_o = dz.sum(axis=(0, 1))                        # db_o = sum(dz, axis=(0, 1))   O
    dr_out = (dz.reshape(N * T, O) @ W_v.T).reshape(T, N, 2 * W)  # dr_out = dz W_vᵀ   T×N×2W
    dh_out = (dz.reshape(N * T, O) @ W_o.T).reshape(T, N, H)  # dh_out = dz W_oᵀ   T×N×H
    dr_next = np.zeros((N, 2 * W), dtype)             # dr_next = broadcast(0, (N, 2*W))   N×2W
    dh_next = np.zeros((N, H), dtype)                 # dh_next = broadcast(0, (N, H))   N×H
    dM_next = np.zeros((N, R, W), dtype)              # dM_next = broadcast(0, (N, R, W))   N×R×W
    # dw_next = dp_next = dq_next = broadcast(0, (N, R))   N×R
    dw_next = dp_next = dq_next = np.zeros((N, R), dtype)
    dz_h = np.empty((T, N, H), dtype)                 # T×N×H
    dz_sp = np.empty((T, N, 3), dtype)                # T×N×3
    dz_gp = np.empty((T, N, 1), dtype)                # T×N×1
    dz_4 = np.empty((T, N, 1), dtype)                 # T×N×1
    dz_kp = np.empty((T, N, W), dtype)                # T×N×W
    dz_sw = np.empty((T, N, 3), dtype)                # T×N×3
    dz_gw = np.empty((T, N, 1), dtype)                # T×N×1
    dz_2 = np.empty((T, N, 1), dtype)                 # T×N×1
    dz_kw = np.empty((T, N, W), dtype)                # T×N×W
    dz_3 = np.empty((T, N, 1), dtype)                 # T×N×1
    dz_e = np.empty((T, N, W), dtype)                 # T×N×W
    dz_a = np.empty((T, N, W), dtype)                 # T×N×W
    dz_5 = np.empty((T, N, 1), dtype)                 # T×N×1
    dz_sq = np.empty((T, N, 3), dtype)                # T×N×3
    dz_gq = np.empty((T, N, 1), dtype)                # T×N×1
    dz_6 = np.empty((T, N, 1), dtype)                 # T×N×1
    dz_kq = np.empty((T, N, W), dtype)                # T×N×W
    dz_7 = np.empty((T, N, 1), dtype)                 # T×N×1
    W_r_T = W_r.T.copy()                              # a copy, since every step reads it
    W_h_T = W_h.T.copy()                              # a copy, since every step reads it
    S_p_T = S_p.T.copy()                              # a copy, since every step reads it
    G_p_T = G_p.T.copy()                              # a copy, since every step reads it
    B_p_T = B_p.T.copy()                              # a copy, since every step reads it
    K_p_T = K_p.T.copy()                              # a copy, since every step reads it
    S_w_T = S_w.T.copy()                              # a copy, since every step reads it
    G_w_T = G_w.T.copy()                              # a copy, since every step reads it
    B_w_T = B_w.T.copy()                              # a copy, since every step reads it
    K_w_T = K_w.T.copy()                              # a copy, since every step reads it
    Y_w_T = Y_w.T.copy()                              # a copy, since every step reads it
    E_w_T = E_w.T.copy()                              # a copy, since every step reads it
    A_w_T = A_w.T.copy()                              # a copy, since every step reads it
    Y_p_T = Y_p.T.copy()                              # a copy, since every step reads it
    S_q_T = S_q.T.copy()                              # a copy, since every step reads it
    G_q_T = G_q.T.copy()                              # a copy, since every step reads it
    B_q_T = B_q.T.copy()                              # a copy, since every step reads it
    K_q_T = K_q.T.copy()                              # a copy, since every step reads it
    Y_q_T = Y_q.T.copy()                              # a copy, since every step reads it
    for t in reversed(range(T)):
        M_t = M[t]
        u_t = u[t]
        cp_t = cp[t]
        cw_t = cw[t]
        m_t = m[t]
        dr_t = dr_next + dr_out[t]                    # dr_t = dr_next + dr_out[t]   N×2W
        # dq_t = dq_next + einsum(ab,acb→ac, dr_t[:, W:], M[t])   N×R
        dq_t = dq_next + (M_t @ dr_t[:, W:][:, :, None])[:, :, 0]
        # dvq_t = (dq_t − sum(dq_t ⊙ q[t], axis=-1, keepdims=True)) / v33[t]   N×R
        dvq_t = (dq_t - np.einsum("ab,ab->a", dq_t, q[t])[:, None]) / v33[t]
        # t4 = dvq_t ⊙ (jq[t] + eps)^v32[t] ⊙ log(jq[t] + eps)   N×R
        t4 = dvq_t * power_term(1, jq[t] + eps, v32[t], 1)
        dv32_t = t4.sum(axis=1, keepdims=True)        # dv32_t = sum(t4, axis=-1, keepdims=True)   N×1
        dz_7_t = dz_7[t] = dv32_t * sigmoid(z_7[t])   # dz_7_t = dv32_t ⊙ sigmoid(z_7[t])   N×1
        t37 = dz_7_t @ Y_q_T                          # t37 = dz_7_t Y_qᵀ   N×H
        # djq_t = dvq_t ⊙ v32[t] ⊙ (jq[t] + eps)^(v32[t] − 1)   N×R
        djq_t = dvq_t * power_term(v32[t], jq[t] + eps, v32[t] - 1, 0)
        dv31_t = djq_t * v30[t]                       # dv31_t = djq_t ⊙ v30[t]   N×R
        # t5 = concat(dv31_t[:, R - 1:], dv31_t[:, :R - 1], axis=-1)   N×R
        t5 = np.concatenate([dv31_t[:, R - 1:], dv31_t[:, :R - 1]], axis=1)
        dv28_t = djq_t * v27[t]                       # dv28_t = djq_t ⊙ v27[t]   N×R
        # t6 = concat(dv28_t[:, 1:], dv28_t[:, 0:1], axis=-1)   N×R
        t6 = np.concatenate([dv28_t[:, 1:], dv28_t[:, 0:1]], axis=1)
        diq_t = djq_t * v29[t] + t5 + t6              # diq_t = djq_t ⊙ v29[t] + t5 + t6   N×R
        t7 = diq_t * cq[t]                            # t7 = diq_t ⊙ cq[t]   N×R
        # t8 = gq[t] ⊙ cq[t] ⊙ (diq_t − sum(t7, axis=-1, keepdims=True)) / v25[t]   N×R
        t8 = gq[t] * cq[t] * (diq_t - t7.sum(axis=1, keepdims=True)) / v25[t]
        t9 = t8 * v22[t]                              # t9 = t8 ⊙ v22[t]   N×R
        t10 = t9 * v23[t]                             # t10 = t9 ⊙ v23[t]   N×R
        # dv24_t = reshape(−sum(t10 / u[t], axis=-1) / 2 / reshape(v25[t], (N,))², (N, 1))   N×1
        dv24_t = (-(t10 / u_t).sum(axis=1) / 2 / v25[t][:, 0] ** 2)[:, None]
        dv23_t = t9 / u_t                             # dv23_t = t9 / u[t]   N×R
        # dkq_t = 2 · dv24_t ⊙ kq[t] + einsum(ab,abc→ac, dv23_t, M[t])   N×W
        dkq_t = 2 * dv24_t * kq[t] + (dv23_t[:, None] @ M_t)[:, 0]
        dz_kq_t = dz_kq[t] = dkq_t * (1 - kq[t] ** 2)  # dz_kq_t = dkq_t ⊙ (1 − kq[t]²)   N×W
        t33 = dz_kq_t @ K_q_T                         # t33 = dz_kq_t K_qᵀ   N×H
        # dz_6_t = reshape(reshape(sigmoid(z_6[t]), (N,)) ⊙ sum(t8 ⊙ v23[t] / u[t], axis=-1), (N, 1))   N×1
        dz_6_t = dz_6[t] = (sigmoid(z_6[t])[:, 0] * (t8 * v23[t] / u_t).sum(axis=1))[:, None]
        t38 = dz_6_t @ B_q_T                          # t38 = dz_6_t B_qᵀ   N×H
        t11 = np.einsum("ab,ab->a", diq_t, q_before[t])  # t11 = sum(diq_t ⊙ q[t-1], axis=-1)   N
        # dz_gq_t = reshape(reshape(gq[t], (N,)) ⊙ reshape(v26[t], (N,)) ⊙ (sum(t7, axis=-1) − t11), (N, 1))
        #   N×1
        dz_gq_t = dz_gq[t] = (gq[t][:, 0] * (v26[t][:, 0] * (t7.sum(axis=1) - t11)))[:, None]
        t34 = dz_gq_t @ G_q_T                         # t34 = dz_gq_t G_qᵀ   N×H
        # dv27_t = sum(djq_t ⊙ v28[t], axis=-1, keepdims=True)   N×1
        dv27_t = np.einsum("ab,ab->a", djq_t, v28[t])[:, None]
        # dv29_t = sum(djq_t ⊙ iq[t], axis=-1, keepdims=True)   N×1
        dv29_t = np.einsum("ab,ab->a", djq_t, iq[t])[:, None]
        # dv30_t = sum(djq_t ⊙ v31[t], axis=-1, keepdims=True)   N×1
        dv30_t = np.einsum("ab,ab->a", djq_t, v31[t])[:, None]
        # dsq_t = concat(dv27_t, dv29_t, dv30_t, axis=-1)   N×3
        dsq_t = np.concatenate([dv27_t, dv29_t, dv30_t], axis=1)
        # dz_sq_t = sq[t] ⊙ (dsq_t − sum(dsq_t ⊙ sq[t], axis=-1, keepdims=True))   N×3
        dz_sq_t = dz_sq[t] = sq[t] * (dsq_t - np.einsum("ab,ab->a", dsq_t, sq[t])[:, None])
        t35 = dz_sq_t @ S_q_T                         # t35 = dz_sq_t S_qᵀ   N×H
        # dp_t = dp_next + einsum(ab,acb→ac, dr_t[:, :W], M[t])   N×R
        dp_t = dp_next + (M_t @ dr_t[:, :W][:, :, None])[:, :, 0]
        # dvp_t = (dp_t − sum(dp_t ⊙ p[t], axis=-1, keepdims=True)) / v21[t]   N×R
        dvp_t = (dp_t - np.einsum("ab,ab->a", dp_t, p[t])[:, None]) / v21[t]
        # t12 = dvp_t ⊙ (jp[t] + eps)^v20[t] ⊙ log(jp[t] + eps)   N×R
        t12 = dvp_t * power_term(1, jp[t] + eps, v20[t], 1)
        dv20_t = t12.sum(axis=1, keepdims=True)       # dv20_t = sum(t12, axis=-1, keepdims=True)   N×1
        dz_5_t = dz_5[t] = dv20_t * sigmoid(z_5[t])   # dz_5_t = dv20_t ⊙ sigmoid(z_5[t])   N×1
        t39 = dz_5_t @ Y_p_T                          # t39 = dz_5_t Y_pᵀ   N×H
        t19 = dr_t[:, W:][:, None, :] * q[t][:, :, None]  # t19 = einsum(ab,ac→acb, dr_t[:, W:], q[t])   N×R×W
        t21 = dv23_t[:, :, None] * kq[t][:, None, :]  # t21 = einsum(ab,ac→abc, dv23_t, kq[t])   N×R×W
        t20 = dr_t[:, :W][:, None, :] * p[t][:, :, None]  # t20 = einsum(ab,ac→acb, dr_t[:, :W], p[t])   N×R×W
        t13 = gp[t] * v10[t] / v13[t]                 # t13 = gp[t] ⊙ v10[t] / v13[t]   N×1
        # djp_t = dvp_t ⊙ v20[t] ⊙ (jp[t] + eps)^(v20[t] − 1)   N×R
        djp_t = dvp_t * power_term(v20[t], jp[t] + eps, v20[t] - 1, 0)
        dv19_t = djp_t * v18[t]                       # dv19_t = djp_t ⊙ v18[t]   N×R
        # t14 = concat(dv19_t[:, R - 1:], dv19_t[:, :R - 1], axis=-1)   N×R
        t14 = np.concatenate([dv19_t[:, R - 1:], dv19_t[:, :R - 1]], axis=1)
        dv16_t = djp_t * v15[t]                       # dv16_t = djp_t ⊙ v15[t]   N×R
        # t15 = concat(dv16_t[:, 1:], dv16_t[:, 0:1], axis=-1)   N×R
        t15 = np.concatenate([dv16_t[:, 1:], dv16_t[:, 0:1]], axis=1)
        dip_t = djp_t * v17[t] + t14 + t15            # dip_t = djp_t ⊙ v17[t] + t14 + t15   N×R
        t16 = dip_t * cp_t                            # t16 = dip_t ⊙ cp[t]   N×R
        t17 = t16.sum(axis=1, keepdims=True)          # t17 = sum(t16, axis=-1, keepdims=True)   N×1
        # t18 = reshape((t13 ⊙ v11[t] ⊙ (cp[t] ⊙ t17 − t16) − t10) / 2 / u[t]³, (N, R, 1))   N×R×1
        t18 = ((t13 * v11[t] * (cp_t * t17 - t16) - t10) / 2 / (u_t * u_t * u_t))[:, :, None]
        dv11_t = t13 * cp_t * (dip_t - t17) / u_t     # dv11_t = t13 ⊙ cp[t] ⊙ (dip_t − t17) / u[t]   N×R
        t22 = dv11_t[:, :, None] * kp[t][:, None, :]  # t22 = einsum(ab,ac→abc, dv11_t, kp[t])   N×R×W
        # dM_t = dM_next + t19 + t21 + t20 + 2 · t18 ⊙ M[t] + t22   N×R×W
        dM_t = dM_next + t19 + t21 + t20 + 2 * t18 * M_t + t22
        da_t = (w[t][:, None] @ dM_t)[:, 0]           # da_t = einsum(abc,ab→ac, dM_t, w[t])   N×W
        dz_a_t = dz_a[t] = da_t * (1 - a[t] ** 2)     # dz_a_t = da_t ⊙ (1 − a[t]²)   N×W
        t40 = dz_a_t @ A_w_T                          # t40 = dz_a_t A_wᵀ   N×H
        dv8_t = -dM_t * M_before[t]                   # dv8_t = −dM_t ⊙ M[t-1]   N×R×W
        de_t = (w[t][:, None] @ dv8_t)[:, 0]          # de_t = einsum(abc,ab→ac, dv8_t, w[t])   N×W
        dz_e_t = dz_e[t] = de_t * (e[t] * (1 - e[t]))  # dz_e_t = de_t ⊙ e[t] ⊙ (1 − e[t])   N×W
        t41 = dz_e_t @ E_w_T                          # t41 = dz_e_t E_wᵀ   N×H
        # dw_t = dw_next + einsum(abc,ac→ab, dM_t, a[t]) + einsum(abc,ac→ab, dv8_t, e[t])   N×R
        dw_t = dw_next + (dM_t @ a[t][:, :, None])[:, :, 0] + (dv8_t @ e[t][:, :, None])[:, :, 0]
        # dvw_t = (dw_t − sum(dw_t ⊙ w[t], axis=-1, keepdims=True)) / v7[t]   N×R
        dvw_t = (dw_t - np.einsum("ab,ab->a", dw_t, w[t])[:, None]) / v7[t]
        # t23 = dvw_t ⊙ (jw[t] + eps)^v6[t] ⊙ log(jw[t] + eps)   N×R
        t23 = dvw_t * power_term(1, jw[t] + eps, v6[t], 1)
        dv6_t = t23.sum(axis=1, keepdims=True)        # dv6_t = sum(t23, axis=-1, keepdims=True)   N×1
        dz_3_t = dz_3[t] = dv6_t * sigmoid(z_3[t])    # dz_3_t = dv6_t ⊙ sigmoid(z_3[t])   N×1
        t42 = dz_3_t @ Y_w_T                          # t42 = dz_3_t Y_wᵀ   N×H
        t24 = g[t] / m_t                              # t24 = g[t] / m[t]   N×R
        t25 = np.einsum("ab,ab->a", cw_t, t24)        # t25 = sum(cw[t] ⊙ t24, axis=-1)   N
        # djw_t = dvw_t ⊙ v6[t] ⊙ (jw[t] + eps)^(v6[t] − 1)   N×R
        djw_t = dvw_t * power_term(v6[t], jw[t] + eps, v6[t] - 1, 0)
        dv5_t = djw_t * v4[t]                         # dv5_t = djw_t ⊙ v4[t]   N×R
        # t26 = concat(dv5_t[:, R - 1:], dv5_t[:, :R - 1], axis=-1)   N×R
        t26 = np.concatenate([dv5_t[:, R - 1:], dv5_t[:, :R - 1]], axis=1)
        dv2_t = djw_t * v1[t]                         # dv2_t = djw_t ⊙ v1[t]   N×R
        # t27 = concat(dv2_t[:, 1:], dv2_t[:, 0:1], axis=-1)   N×R
        t27 = np.concatenate([dv2_t[:, 1:], dv2_t[:, 0:1]], axis=1)
        diw_t = djw_t * v3[t] + t26 + t27             # diw_t = djw_t ⊙ v3[t] + t26 + t27   N×R
        t28 = diw_t * cw_t                            # t28 = diw_t ⊙ cw[t]   N×R
        t29 = t28.sum(axis=1)                         # t29 = sum(t28, axis=-1)   N
        t30 = np.einsum("ab,ab->a", t28, t24)         # t30 = sum(t28 ⊙ t24, axis=-1)   N
        t31 = s[t][:, 0]                              # t31 = reshape(s[t], (N,))   N
        # dk_t = reshape(reshape(gw[t], (N,)) ⊙ reshape(c[t], (N,)) ⊙ (t25 ⊙ t29 − t30) / 2 / t31³, (N, 1))
        #   N×1
        dk_t = (gw[t][:, 0] * (c[t][:, 0] * (t25 * t29 - t30)) / 2 / (t31 * t31 * t31))[:, None]
        t32 = t28.sum(axis=1, keepdims=True)          # t32 = sum(t28, axis=-1, keepdims=True)   N×1
        # dg_t = (gw[t] ⊙ c[t] / s[t]) ⊙ cw[t] ⊙ (diw_t − t32) / m[t]   N×R
        dg_t = gw[t] * c[t] / s[t] * cw_t * (diw_t - t32) / m_t
        # dkw_t = 2 · dk_t ⊙ kw[t] + einsum(ab,abc→ac, dg_t, M[t-1])   N×W
        dkw_t = 2 * dk_t * kw[t] + (dg_t[:, None] @ M_before[t])[:, 0]
        dz_kw_t = dz_kw[t] = dkw_t * (1 - kw[t] ** 2)  # dz_kw_t = dkw_t ⊙ (1 − kw[t]²)   N×W
        t36 = dz_kw_t @ K_w_T                         # t36 = dz_kw_t K_wᵀ   N×H
        # dz_2_t = reshape(reshape(gw[t], (N,)) ⊙ reshape(sigmoid(z_2[t]), (N,)) ⊙ (t30 − t25 ⊙ t29) / t31,
        #   (N, 1))   N×1
        dz_2_t = dz_2[t] = (gw[t][:, 0] * (sigmoid(z_2[t])[:, 0] * (t30 - t25 * t29)) / t31)[:, None]
        t43 = dz_2_t @ B_w_T                          # t43 = dz_2_t B_wᵀ   N×H
        # t49 = dh_next + dh_out[t] + t37 + t33 + t38 + t34 + t35 + t39 + t40 + t41 + t42 + t36 + t43   N×H
        t49 = dh_next + dh_out[t] + t37 + t33 + t38 + t34 + t35 + t39 + t40 + t41 + t42 + t36 + t43
        # dz_gw_t = reshape(reshape(gw[t], (N,)) ⊙ reshape(v[t], (N,)) ⊙ (t29 − sum(diw_t ⊙ w[t-1], axis=-1)),
        #   (N, 1))   N×1
        dz_gw_t = dz_gw[t] = (
            gw[t][:, 0]
            * (v[t][:, 0] * (t29 - np.einsum("ab,ab->a", diw_t, w_before[t])))
        )[:, None]
        t50 = dz_gw_t @ G_w_T                         # t50 = dz_gw_t G_wᵀ   N×H
        # dv1_t = sum(djw_t ⊙ v2[t], axis=-1, keepdims=True)   N×1
        dv1_t = np.einsum("ab,ab->a", djw_t, v2[t])[:, None]
        # dv3_t = sum(djw_t ⊙ iw[t], axis=-1, keepdims=True)   N×1
        dv3_t = np.einsum("ab,ab->a", djw_t, iw[t])[:, None]
        # dv4_t = sum(djw_t ⊙ v5[t], axis=-1, keepdims=True)   N×1
        dv4_t = np.einsum("ab,ab->a", djw_t, v5[t])[:, None]
        # dsw_t = concat(dv1_t, dv3_t, dv4_t, axis=-1)   N×3
        dsw_t = np.concatenate([dv1_t, dv3_t, dv4_t], axis=1)
        # dz_sw_t = sw[t] ⊙ (dsw_t − sum(dsw_t ⊙ sw[t], axis=-1, keepdims=True))   N×3
        dz_sw_t = dz_sw[t] = sw[t] * (dsw_t - np.einsum("ab,ab->a", dsw_t, sw[t])[:, None])
        t51 = dz_sw_t @ S_w_T                         # t51 = dz_sw_t S_wᵀ   N×H
        t44 = v11[t] / u_t                            # t44 = v11[t] / u[t]   N×R
        t45 = np.einsum("ab,ab->a", cp_t, t44)        # t45 = sum(cp[t] ⊙ t44, axis=-1)   N
        t46 = t16.sum(axis=1)                         # t46 = sum(t16, axis=-1)   N
        t47 = np.einsum("ab,ab->a", t16, t44)         # t47 = sum(t16 ⊙ t44, axis=-1)   N
        t48 = v13[t][:, 0]                            # t48 = reshape(v13[t], (N,))   N
        # dv12_t = reshape(reshape(gp[t], (N,)) ⊙ reshape(v10[t], (N,)) ⊙ (t45 ⊙ t46 − t47) / 2 / t48³, (N,
        #   1))   N×1
        dv12_t = (gp[t][:, 0] * (v10[t][:, 0] * (t45 * t46 - t47)) / 2 / (t48 * t48 * t48))[:, None]
        # dkp_t = 2 · dv12_t ⊙ kp[t] + einsum(ab,abc→ac, dv11_t, M[t])   N×W
        dkp_t = 2 * dv12_t * kp[t] + (dv11_t[:, None] @ M_t)[:, 0]
        dz_kp_t = dz_kp[t] = dkp_t * (1 - kp[t] ** 2)  # dz_kp_t = dkp_t ⊙ (1 − kp[t]²)   N×W
        t52 = dz_kp_t @ K_p_T                         # t52 = dz_kp_t K_pᵀ   N×H
        # dz_4_t = reshape(reshape(gp[t], (N,)) ⊙ reshape(sigmoid(z_4[t]), (N,)) ⊙ (t47 − t45 ⊙ t46) / t48,
        #   (N, 1))   N×1
        dz_4_t = dz_4[t] = (gp[t][:, 0] * (sigmoid(z_4[t])[:, 0] * (t47 - t45 * t46)) / t48)[:, None]
        # dz_gp_t = reshape(reshape(gp[t], (N,)) ⊙ reshape(v14[t], (N,)) ⊙ (t46 − sum(dip_t ⊙ p[t-1],
        #   axis=-1)), (N, 1))   N×1
        dz_gp_t = dz_gp[t] = (
            gp[t][:, 0]
            * (v14[t][:, 0] * (t46 - np.einsum("ab,ab->a", dip_t, p_before[t])))
        )[:, None]
        # dv15_t = sum(djp_t ⊙ v16[t], axis=-1, keepdims=True)   N×1
        dv15_t = np.einsum("ab,ab->a", djp_t, v16[t])[:, None]
        # dv17_t = sum(djp_t ⊙ ip[t], axis=-1, keepdims=True)   N×1
        dv17_t = np.einsum("ab,ab->a", djp_t, ip[t])[:, None]
        # dv18_t = sum(djp_t ⊙ v19[t], axis=-1, keepdims=True)   N×1
        dv18_t = np.einsum("ab,ab->a", djp_t, v19[t])[:, None]
        # dsp_t = concat(dv15_t, dv17_t, dv18_t, axis=-1)   N×3
        dsp_t = np.concatenate([dv15_t, dv17_t, dv18_t], axis=1)
        # dz_sp_t = sp[t] ⊙ (dsp_t − sum(dsp_t ⊙ sp[t], axis=-1, keepdims=True))   N×3
        dz_sp_t = dz_sp[t] = sp[t] * (dsp_t - np.einsum("ab,ab->a", dsp_t, sp[t])[:, None])
        # dh_t = t49 + t50 + t51 + t52 + dz_4_t B_pᵀ + dz_gp_t G_pᵀ + dz_sp_t S_pᵀ   N×H
        dh_t = t49 + t50 + t51 + t52 + dz_4_t @ B_p_T + dz_gp_t @ G_p_T + dz_sp_t @ S_p_T
        dz_h_t = dz_h[t] = dh_t * (1 - h[t] ** 2)     # dz_h_t = dh_t ⊙ (1 − h[t]²)   N×H
        dr_next = dz_h_t @ W_r_T                      # dr_next = dz_h_t W_rᵀ   N×2W
        dh_next = dz_h_t @ W_h_T                      # dh_next = dz_h_t W_hᵀ   N×H
        # t53 = (gw[t] ⊙ c[t] / 2 / s[t]) ⊙ cw[t] ⊙ g[t] ⊙ (t32 − diw_t) / m[t]³   N×R
        t53 = gw[t] * c[t] / 2 / s[t] * cw_t * g[t] * (t32 - diw_t) / (m_t * m_t * m_t)
        t54 = dg_t[:, :, None] * kw[t][:, None, :]    # t54 = einsum(ab,ac→abc, dg_t, kw[t])   N×R×W
        # dM_next = dM_t ⊙ (1 − v8[t]) + 2 · reshape(t53, (N, R, 1)) ⊙ M[t-1] + t54   N×R×W
        dM_next = dM_t * (1 - v8[t]) + 2 * t53[:, :, None] * M_before[t] + t54
        dw_next = diw_t * v[t]                        # dw_next = diw_t ⊙ v[t]   N×R
        dp_next = dip_t * v14[t]                      # dp_next = dip_t ⊙ v14[t]   N×R
        dq_next = diq_t * v26[t]                      # dq_next = diq_t ⊙ v26[t]   N×R
    dW_x = x.reshape(N * T, I).T @ dz_h.reshape(N * T, H)  # dW_x = sum(xᵀ dz_h, axis=0)   I×H
    # dW_r = sum(r_beforeᵀ dz_h, axis=0)   2W×H
    dW_r = r_before.reshape(N * T, 2 * W).T @ dz_h.reshape(N * T, H)
    dW_h = h_before.reshape(N * T, H).T @ dz_h.reshape(N * T, H)  # dW_h = sum(h_beforeᵀ dz_h, axis=0)   H×H
    db_h = dz_h.sum(axis=(0, 1))                      # db_h = sum(dz_h, axis=(0, 1))   H
    dS_p = h.reshape(N * T, H).T @ dz_sp.reshape(N * T, 3)  # dS_p = sum(hᵀ dz_sp, axis=0)   H×3
    ds_p = dz_sp.sum(axis=(0, 1))                     # ds_p = sum(dz_sp, axis=(0, 1))   3
    dG_p = h.reshape(N * T, H).T @ dz_gp.reshape(N * T, 1)  # dG_p = sum(hᵀ dz_gp, axis=0)   H×1
    dg_p = dz_gp.sum(axis=(0, 1))                     # dg_p = sum(dz_gp, axis=(0, 1))   1
    dB_p = h.reshape(N * T, H).T @ dz_4.reshape(N * T, 1)  # dB_p = sum(hᵀ dz_4, axis=0)   H×1
    dd_p = dz_4.sum(axis=(0, 1))                      # dd_p = sum(dz_4, axis=(0, 1))   1
    dK_p = h.reshape(N * T, H).T @ dz_kp.reshape(N * T, W)  # dK_p = sum(hᵀ dz_kp, axis=0)   H×W
    dk_p = dz_kp.sum(axis=(0, 1))                     # dk_p = sum(dz_kp, axis=(0, 1))   W
    dS_w = h.reshape(N * T, H).T @ dz_sw.reshape(N * T, 3)  # dS_w = sum(hᵀ dz_sw, axis=0)   H×3
    ds_w = dz_sw.sum(axis=(0, 1))                     # ds_w = sum(dz_sw, axis=(0, 1))   3
    dG_w = h.reshape(N * T, H).T @ dz_gw.reshape(N * T, 1)  # dG_w = sum(hᵀ dz_gw, axis=0)   H×1
    dg_w = dz_gw.sum(axis=(0, 1))                     # dg_w = sum(dz_gw, axis=(0, 1))   1
    dB_w = h.reshape(N * T, H).T @ dz_2.reshape(N * T, 1)  # dB_w = sum(hᵀ dz_2, axis=0)   H×1
    dd_w = dz_2.sum(axis=(0, 1))                      # dd_w = sum(dz_2, axis=(0, 1))   1
    dK_w = h.reshape(N * T, H).T @ dz_kw.reshape(N * T, W)  # dK_w = sum(hᵀ dz_kw, axis=0)   H×W
    dk_w = dz_kw.sum(axis=(0, 1))                     # dk_w = sum(dz_kw, axis=(0, 1))   W
    dY_w = h.reshape(N * T, H).T @ dz_3.reshape(N * T, 1)  # dY_w = sum(hᵀ dz_3, axis=0)   H×1
    dy_w = dz_3.sum(axis=(0, 1))                      # dy_w = sum(dz_3, axis=(0, 1))   1
    dE_w = h.reshape(N * T, H).T @ dz_e.reshape(N * T, W)  # dE_w = sum(hᵀ dz_e, axis=0)   H×W
    de_w = dz_e.sum(axis=(0, 1))                      # de_w = sum(dz_e, axis=(0, 1))   W
    dA_w = h.reshape(N * T, H).T @ dz_a.reshape(N * T, W)  # dA_w = sum(hᵀ dz_a, axis=0)   H×W
    da_w = dz_a.sum(axis=(0, 1))                      # da_w = sum(dz_a, axis=(0, 1))   W
    dY_p = h.reshape(N * T, H).T @ dz_5.reshape(N * T, 1)  # dY_p = sum(hᵀ dz_5, axis=0)   H×1
    dy_p = dz_5.sum(axis=(0, 1))                      # dy_p = sum(dz_5, axis=(0, 1))   1
    dS_q = h.reshape(N * T, H).T @ dz_sq.reshape(N * T, 3)  # dS_q = sum(hᵀ dz_sq, axis=0)   H×3
    ds_q = dz_sq.sum(axis=(0, 1))                     # ds_q = sum(dz_sq, axis=(0, 1))   3
    dG_q = h.reshape(N * T, H).T @ dz_gq.reshape(N * T, 1)  # dG_q = sum(hᵀ dz_gq, axis=0)   H×1
    dg_q = dz_gq.sum(axis=(0, 1))                     # dg_q = sum(dz_gq, axis=(0, 1))   1
    dB_q = h.reshape(N * T, H).T @ dz_6.reshape(N * T, 1)  # dB_q = sum(hᵀ dz_6, axis=0)   H×1
    dd_q = dz_6.sum(axis=(0, 1))                      # dd_q = sum(dz_6, axis=(0, 1))   1
    dK_q = h.reshape(N * T, H).T @ dz_kq.reshape(N * T, W)  # dK_q = sum(hᵀ dz_kq, axis=0)   H×W
    dk_q = dz_kq.sum(axis=(0, 1))                     # dk_q = sum(dz_kq, axis=(0, 1))   W
    dY_q = h.reshape(N * T, H).T @ dz_7.reshape(N * T, 1)  # dY_q = sum(hᵀ dz_7, axis=0)   H×1
    dy_q = dz_7.sum(axis=(0, 1))                      # dy_q = sum(dz_7, axis=(0, 1))   1
    grads = {
        "W_x": dW_x, "W_r": dW_r, "W_h": dW_h, "b_h": db_h, "K_p": dK_p, "k_p": dk_p, "B_p": dB_p,
        "d_p": dd_p, "G_p": dG_p, "g_p": dg_p, "S_p": dS_p, "s_p": ds_p, "Y_p": dY_p, "y_p": dy_p,
        "K_q": dK_q, "k_q": dk_q, "B_q": dB_q, "d_q": dd_q, "G_q": dG_q, "g_q": dg_q, "S_q": dS_q,
        "s_q": ds_q, "Y_q": dY_q, "y_q": dy_q, "K_w": dK_w, "k_w": dk_w, "B_w": dB_w, "d_w": dd_w,
        "G_w": dG_w, "g_w": dg_w, "S_w": dS_w, "s_w": ds_w, "Y_w": dY_w, "y_w": dy_w, "E_w": dE_w,
        "e_w": de_w, "A_w": dA_w, "a_w": da_w, "W_o": dW_o, "W_v": dW_v, "b_o": db_o,
    }
    return scaled(grads, cache["dtypes"], upstream)


def loss_and_grads(params: dict, data: dict, dims: dict | None = None) -> tuple[float, dict]:
    """L and its gradients."""
    loss, cache = forward(params, data, dims=dims)
    return loss, backward(cache)


def outputs(params: dict, data: dict, dims: dict | None = None) -> dict[str, np.ndarray]:
    """Every named intermediate, by its name."""
    arrays, sizes, dtype, _ = read(params, data, dims)
    W_x = arrays["W_x"]                               # I×H
    W_r = arrays["W_r"]                               # 2W×H
    W_h = arrays["W_h"]                               # H×H
    b_h = arrays["b_h"]                               # H
    K_p = arrays["K_p"]                               # H×W
    k_p = arrays["k_p"]                               # W
    B_p = arrays["B_p"]                               # H×1
    d_p = arrays["d_p"]                               # 1
    G_p = arrays["G_p"]                               # H×1
    g_p = arrays["g_p"]                               # 1
    S_p = arrays["S_p"]                               # H×3
    s_p = arrays["s_p"]                               # 3
    Y_p = arrays["Y_p"]                               # H×1
    y_p = arrays["y_p"]                               # 1
    K_q = arrays["K_q"]                               # H×W
    k_q = arrays["k_q"]                               # W
    B_q = arrays["B_q"]                               # H×1
    d_q = arrays["d_q"]                               # 1
    G_q = arrays["G_q"]                               # H×1
    g_q = arrays["g_q"]                               # 1
    S_q = arrays["S_q"]                               # H×3
    s_q = arrays["s_q"]                               # 3
    Y_q = arrays["Y_q"]                               # H×1
    y_q = arrays["y_q"]                               # 1
    K_w = arrays["K_w"]                               # H×W
    k_w = arrays["k_w"]                               # W
    B_w = arrays["B_w"]                               # H×1
    d_w = arrays["d_w"]                               # 1
    G_w = arrays["G_w"]                               # H×1
    g_w = arrays["g_w"]                               # 1
    S_w = arrays["S_w"]                               # H×3
    s_w = arrays["s_w"]                               # 3
    Y_w = arrays["Y_w"]                               # H×1
    y_w = arrays["y_w"]                               # 1
    E_w = arrays["E_w"]                               # H×W
    e_w = arrays["e_w"]                               # W
    A_w = arrays["A_w"]                               # H×W
    a_w = arrays["a_w"]                               # W
    W_o = arrays["W_o"]                               # H×O
    W_v = arrays["W_v"]                               # 2W×O
    b_o = arrays["b_o"]                               # O
    x = arrays["x"]                                   # T×N×I
    y = arrays["y"]                                   # T×N×O
    h0 = arrays["h0"]                                 # N×H
    M0 = arrays["M0"]                                 # N×R×W
    r0 = arrays["r0"]                                 # N×2W
    p0 = arrays["p0"]                                 # N×R
    q0 = arrays["q0"]                                 # N×R
    w0 = arrays["w0"]                                 # N×R
    T, N, I, O, H, R, W = sizes["T"], sizes["N"], sizes["I"], sizes["O"], sizes["H"], sizes["R"], sizes["W"]
    t1 = (x.reshape(N * T, I) @ W_x).reshape(T, N, H)  # t1 = x W_x   T×N×H
    r_prev = r0                                       # r_prev = r0   N×2W
    h_prev = h0                                       # h_prev = h0   N×H
    M_prev = M0                                       # M_prev = M0   N×R×W
    w_prev = w0                                       # w_prev = w0   N×R
    p_prev = p0                                       # p_prev = p0   N×R
    q_prev = q0                                       # q_prev = q0   N×R
    h = np.empty((T, N, H), dtype)                    # T×N×H
    r = np.empty((T, N, 2 * W), dtype)                # T×N×2W
    m = np.empty((T, N, R), dtype)                    # T×N×R
    kw = np.empty((T, N, W), dtype)                   # T×N×W
    cw = np.empty((T, N, R), dtype)                   # T×N×R
    gw = np.empty((T, N, 1), dtype)                   # T×N×1
    iw = np.empty((T, N, R), dtype)                   # T×N×R
    sw = np.empty((T, N, 3), dtype)                   # T×N×3
    jw = np.empty((T, N, R), dtype)                   # T×N×R
    vw = np.empty((T, N, R), dtype)                   # T×N×R
    w = np.empty((T, N, R), dtype)                    # T×N×R
    e = np.empty((T, N, W), dtype)                    # T×N×W
    a = np.empty((T, N, W), dtype)                    # T×N×W
    M = np.empty((T, N, R, W), dtype)                 # T×N×R×W
    u = np.empty((T, N, R), dtype)                    # T×N×R
    kp = np.empty((T, N, W), dtype)                   # T×N×W
    cp = np.empty((T, N, R), dtype)                   # T×N×R
    gp = np.empty((T, N, 1), dtype)                   # T×N×1
    ip = np.empty((T, N, R), dtype)                   # T×N×R
    sp = np.empty((T, N, 3), dtype)                   # T×N×3
    jp = np.empty((T, N, R), dtype)                   # T×N×R
    vp = np.empty((T, N, R), dtype)                   # T×N×R
    p = np.empty((T, N, R), dtype)                    # T×N×R
    kq = np.empty((T, N, W), dtype)                   # T×N×W
    cq = np.empty((T, N, R), dtype)                   # T×N×R
    gq = np.empty((T, N, 1), dtype)                   # T×N×1
    iq = np.empty((T, N, R), dtype)                   # T×N×R
    sq = np.empty((T, N, 3), dtype)                   # T×N×3
    jq = np.empty((T, N, R), dtype)                   # T×N×R
    vq = np.empty((T, N, R), dtype)                   # T×N×R
    q = np.empty((T, N, R), dtype)                    # T×N×R
    for t in range(T):
        # z_h[t] = t1[t] + r[t-1] W_r + h[t-1] W_h + b_h   N×H
        z_h_t = t1[t] + r_prev @ W_r + h_prev @ W_h + b_h
        h_t = h[t] = np.tanh(z_h_t)                   # h[t] = tanh(z_h[t])   N×H
        z_sp_t = h_t @ S_p + s_p                      # z_sp[t] = h[t] S_p + s_p   N×3
        sp_t = sp[t] = softmax(z_sp_t, axis=1)        # sp[t] = softmax(z_sp[t])   N×3
        v15_t = sp_t[:, 0:1]                          # v15[t] = sp[t][:, 0:1]   N×1
        z_gp_t = h_t @ G_p + g_p                      # z_gp[t] = h[t] G_p + g_p   N×1
        gp_t = gp[t] = sigmoid(z_gp_t)                # gp[t] = sigmoid(z_gp[t])   N×1
        z_4_t = h_t @ B_p + d_p                       # z_4[t] = h[t] B_p + d_p   N×1
        v10_t = softplus(z_4_t)                       # v10[t] = softplus(z_4[t])   N×1
        z_kp_t = h_t @ K_p + k_p                      # z_kp[t] = h[t] K_p + k_p   N×W
        kp_t = kp[t] = np.tanh(z_kp_t)                # kp[t] = tanh(z_kp[t])   N×W
        z_sw_t = h_t @ S_w + s_w                      # z_sw[t] = h[t] S_w + s_w   N×3
        sw_t = sw[t] = softmax(z_sw_t, axis=1)        # sw[t] = softmax(z_sw[t])   N×3
        v1_t = sw_t[:, 0:1]                           # v1[t] = sw[t][:, 0:1]   N×1
        z_gw_t = h_t @ G_w + g_w                      # z_gw[t] = h[t] G_w + g_w   N×1
        gw_t = gw[t] = sigmoid(z_gw_t)                # gw[t] = sigmoid(z_gw[t])   N×1
        z_2_t = h_t @ B_w + d_w                       # z_2[t] = h[t] B_w + d_w   N×1
        c_t = softplus(z_2_t)                         # c[t] = softplus(z_2[t])   N×1
        z_kw_t = h_t @ K_w + k_w                      # z_kw[t] = h[t] K_w + k_w   N×W
        kw_t = kw[t] = np.tanh(z_kw_t)                # kw[t] = tanh(z_kw[t])   N×W
        g_t = (M_prev @ kw_t[:, :, None])[:, :, 0]    # g[t] = einsum(ab,acb→ac, kw[t], M[t-1])   N×R
        # k[t] = sum(kw[t]², axis=-1, keepdims=True) + eps   N×1
        k_t = np.einsum("ab,ab->a", kw_t, kw_t)[:, None] + eps
        s_t = np.sqrt(k_t)                            # s[t] = sqrt(k[t])   N×1
        b_t = np.einsum("abc,abc->ab", M_prev, M_prev) + eps  # b[t] = sum(M[t-1]², axis=-1) + eps   N×R
        m_t = m[t] = np.sqrt(b_t)                     # m[t] = sqrt(b[t])   N×R
        z_cw_t = c_t * g_t / (s_t * m_t)              # z_cw[t] = c[t] ⊙ g[t] / (s[t] ⊙ m[t])   N×R
        cw_t = cw[t] = softmax(z_cw_t, axis=1)        # cw[t] = softmax(z_cw[t])   N×R
        v_t = 1 - gw_t                                # v[t] = 1 − gw[t]   N×1
        iw_t = iw[t] = gw_t * cw_t + v_t * w_prev     # iw[t] = gw[t] ⊙ cw[t] + v[t] ⊙ w[t-1]   N×R
        # v2[t] = roll(iw[t], 1, axis=1)   N×R
        v2_t = np.concatenate([iw_t[:, R - 1:], iw_t[:, :R - 1]], axis=1)
        v3_t = sw_t[:, 1:2]                           # v3[t] = sw[t][:, 1:2]   N×1
        v4_t = sw_t[:, 2:]                            # v4[t] = sw[t][:, 2:]   N×1
        v5_t = np.concatenate([iw_t[:, 1:], iw_t[:, 0:1]], axis=1)  # v5[t] = roll(iw[t], -1, axis=1)   N×R
        # jw[t] = v1[t] ⊙ v2[t] + v3[t] ⊙ iw[t] + v4[t] ⊙ v5[t]   N×R
        jw_t = jw[t] = v1_t * v2_t + v3_t * iw_t + v4_t * v5_t
        z_3_t = h_t @ Y_w + y_w                       # z_3[t] = h[t] Y_w + y_w   N×1
        v6_t = 1 + softplus(z_3_t)                    # v6[t] = 1 + softplus(z_3[t])   N×1
        vw_t = vw[t] = (jw_t + eps) ** v6_t           # vw[t] = (jw[t] + eps)^v6[t]   N×R
        v7_t = vw_t.sum(axis=1, keepdims=True)        # v7[t] = sum(vw[t], axis=-1, keepdims=True)   N×1
        w_t = w[t] = vw_t / v7_t                      # w[t] = vw[t] / v7[t]   N×R
        z_e_t = h_t @ E_w + e_w                       # z_e[t] = h[t] E_w + e_w   N×W
        e_t = e[t] = sigmoid(z_e_t)                   # e[t] = sigmoid(z_e[t])   N×W
        v8_t = w_t[:, :, None] * e_t[:, None, :]      # v8[t] = einsum(ab,ac→abc, w[t], e[t])   N×R×W
        z_a_t = h_t @ A_w + a_w                       # z_a[t] = h[t] A_w + a_w   N×W
        a_t = a[t] = np.tanh(z_a_t)                   # a[t] = tanh(z_a[t])   N×W
        # M[t] = M[t-1] ⊙ (1 − v8[t]) + einsum(ab,ac→abc, w[t], a[t])   N×R×W
        M_t = M[t] = M_prev * (1 - v8_t) + w_t[:, :, None] * a_t[:, None, :]
        v11_t = (M_t @ kp_t[:, :, None])[:, :, 0]     # v11[t] = einsum(ab,acb→ac, kp[t], M[t])   N×R
        # v12[t] = sum(kp[t]², axis=-1, keepdims=True) + eps   N×1
        v12_t = np.einsum("ab,ab->a", kp_t, kp_t)[:, None] + eps
        v13_t = np.sqrt(v12_t)                        # v13[t] = sqrt(v12[t])   N×1
        v9_t = np.einsum("abc,abc->ab", M_t, M_t) + eps  # v9[t] = sum(M[t]², axis=-1) + eps   N×R
        u_t = u[t] = np.sqrt(v9_t)                    # u[t] = sqrt(v9[t])   N×R
        z_cp_t = v10_t * v11_t / (v13_t * u_t)        # z_cp[t] = v10[t] ⊙ v11[t] / (v13[t] ⊙ u[t])   N×R
        cp_t = cp[t] = softmax(z_cp_t, axis=1)        # cp[t] = softmax(z_cp[t])   N×R
        v14_t = 1 - gp_t                              # v14[t] = 1 − gp[t]   N×1
        ip_t = ip[t] = gp_t * cp_t + v14_t * p_prev   # ip[t] = gp[t] ⊙ cp[t] + v14[t] ⊙ p[t-1]   N×R
        # v16[t] = roll(ip[t], 1, axis=1)   N×R
        v16_t = np.concatenate([ip_t[:, R - 1:], ip_t[:, :R - 1]], axis=1)
        v17_t = sp_t[:, 1:2]                          # v17[t] = sp[t][:, 1:2]   N×1
        v18_t = sp_t[:, 2:]                           # v18[t] = sp[t][:, 2:]   N×1
        v19_t = np.concatenate([ip_t[:, 1:], ip_t[:, 0:1]], axis=1)  # v19[t] = roll(ip[t], -1, axis=1)   N×R
        # jp[t] = v15[t] ⊙ v16[t] + v17[t] ⊙ ip[t] + v18[t] ⊙ v19[t]   N×R
        jp_t = jp[t] = v15_t * v16_t + v17_t * ip_t + v18_t * v19_t
        z_5_t = h_t @ Y_p + y_p                       # z_5[t] = h[t] Y_p + y_p   N×1
        v20_t = 1 + softplus(z_5_t)                   # v20[t] = 1 + softplus(z_5[t])   N×1
        vp_t = vp[t] = (jp_t + eps) ** v20_t          # vp[t] = (jp[t] + eps)^v20[t]   N×R
        v21_t = vp_t.sum(axis=1, keepdims=True)       # v21[t] = sum(vp[t], axis=-1, keepdims=True)   N×1
        p_t = p[t] = vp_t / v21_t                     # p[t] = vp[t] / v21[t]   N×R
        t2 = (p_t[:, None] @ M_t)[:, 0]               # t2 = einsum(ab,abc→ac, p[t], M[t])   N×W
        z_sq_t = h_t @ S_q + s_q                      # z_sq[t] = h[t] S_q + s_q   N×3
        sq_t = sq[t] = softmax(z_sq_t, axis=1)        # sq[t] = softmax(z_sq[t])   N×3
        v27_t = sq_t[:, 0:1]                          # v27[t] = sq[t][:, 0:1]   N×1
        z_gq_t = h_t @ G_q + g_q                      # z_gq[t] = h[t] G_q + g_q   N×1
        gq_t = gq[t] = sigmoid(z_gq_t)                # gq[t] = sigmoid(z_gq[t])   N×1
        z_6_t = h_t @ B_q + d_q                       # z_6[t] = h[t] B_q + d_q   N×1
        v22_t = softplus(z_6_t)                       # v22[t] = softplus(z_6[t])   N×1
        z_kq_t = h_t @ K_q + k_q                      # z_kq[t] = h[t] K_q + k_q   N×W
        kq_t = kq[t] = np.tanh(z_kq_t)                # kq[t] = tanh(z_kq[t])   N×W
        v23_t = (M_t @ kq_t[:, :, None])[:, :, 0]     # v23[t] = einsum(ab,acb→ac, kq[t], M[t])   N×R
        # v24[t] = sum(kq[t]², axis=-1, keepdims=True) + eps   N×1
        v24_t = np.einsum("ab,ab->a", kq_t, kq_t)[:, None] + eps
        v25_t = np.sqrt(v24_t)                        # v25[t] = sqrt(v24[t])   N×1
        z_cq_t = v22_t * v23_t / (v25_t * u_t)        # z_cq[t] = v22[t] ⊙ v23[t] / (v25[t] ⊙ u[t])   N×R
        cq_t = cq[t] = softmax(z_cq_t, axis=1)        # cq[t] = softmax(z_cq[t])   N×R
        v26_t = 1 - gq_t                              # v26[t] = 1 − gq[t]   N×1
        iq_t = iq[t] = gq_t * cq_t + v26_t * q_prev   # iq[t] = gq[t] ⊙ cq[t] + v26[t] ⊙ q[t-1]   N×R
        # v28[t] = roll(iq[t], 1, axis=1)   N×R
        v28_t = np.concatenate([iq_t[:, R - 1:], iq_t[:, :R - 1]], axis=1)
        v29_t = sq_t[:, 1:2]                          # v29[t] = sq[t][:, 1:2]   N×1
        v30_t = sq_t[:, 2:]                           # v30[t] = sq[t][:, 2:]   N×1
        v31_t = np.concatenate([iq_t[:, 1:], iq_t[:, 0:1]], axis=1)  # v31[t] = roll(iq[t], -1, axis=1)   N×R
        # jq[t] = v27[t] ⊙ v28[t] + v29[t] ⊙ iq[t] + v30[t] ⊙ v31[t]   N×R
        jq_t = jq[t] = v27_t * v28_t + v29_t * iq_t + v30_t * v31_t
        z_7_t = h_t @ Y_q + y_q                       # z_7[t] = h[t] Y_q + y_q   N×1
        v32_t = 1 + softplus(z_7_t)                   # v32[t] = 1 + softplus(z_7[t])   N×1
        vq_t = vq[t] = (jq_t + eps) ** v32_t          # vq[t] = (jq[t] + eps)^v32[t]   N×R
        v33_t = vq_t.sum(axis=1, keepdims=True)       # v33[t] = sum(vq[t], axis=-1, keepdims=True)   N×1
        q_t = q[t] = vq_t / v33_t                     # q[t] = vq[t] / v33[t]   N×R
        t3 = (q_t[:, None] @ M_t)[:, 0]               # t3 = einsum(ab,abc→ac, q[t], M[t])   N×W
        r_t = r[t] = np.concatenate([t2, t3], axis=1)  # r[t] = concat(t2, t3, axis=-1)   N×2W
        r_prev, h_prev, M_prev, w_prev, p_prev, q_prev = r_t, h_t, M_t, w_t, p_t, q_t
    # z = h W_o + r W_v + b_o   T×N×O
    z = (h.reshape(N * T, H) @ W_o).reshape(T, N, O) + (r.reshape(N * T, 2 * W) @ W_v).reshape(T, N, O) + b_o
    L = logit_loss(z, y).sum() / (N * O * T)          # L = mean(binary_cross_entropy_with_logits(z, y))
    return {
        "h": h, "r": r, "z": z, "L": L, "m": m, "kw": kw, "cw": cw, "gw": gw, "iw": iw, "sw": sw, "jw": jw,
        "vw": vw, "w": w, "e": e, "a": a, "M": M, "u": u, "kp": kp, "cp": cp, "gp": gp, "ip": ip, "sp": sp,
        "jp": jp, "vp": vp, "p": p, "kq": kq, "cq": cq, "gq": gq, "iq": iq, "sq": sq, "jq": jq, "vq": vq,
        "q": q,
    }


def init_params(rng: np.random.Generator | int, **dims: int) -> dict[str, np.ndarray]:
    """Initial parameters drawn from a numpy.random.Generator, or a seed; sizes as in init_params(rng, D=4)."""
    I, O, H, W = chosen(dims, DIMS, ("I", "O", "H", "W"))
    rng = generator(rng)
    params = {
        "W_x": rng.standard_normal((I, H)) / I ** 0.5,
        "W_r": rng.standard_normal((2 * W, H)) / (2 * W) ** 0.5,
        "W_h": rng.standard_normal((H, H)) / H ** 0.5,
        "b_h": np.zeros(H),
        "K_p": rng.standard_normal((H, W)) / H ** 0.5,
        "k_p": np.zeros(W),
        "B_p": rng.standard_normal((H, 1)) / H ** 0.5,
        "d_p": np.zeros(1),
        "G_p": rng.standard_normal((H, 1)) / H ** 0.5,
        "g_p": np.zeros(1),
        "S_p": rng.standard_normal((H, 3)) / H ** 0.5,
        "s_p": np.zeros(3),
        "Y_p": rng.standard_normal((H, 1)) / H ** 0.5,
        "y_p": np.zeros(1),
        "K_q": rng.standard_normal((H, W)) / H ** 0.5,
        "k_q": np.zeros(W),
        "B_q": rng.standard_normal((H, 1)) / H ** 0.5,
        "d_q": np.zeros(1),
        "G_q": rng.standard_normal((H, 1)) / H ** 0.5,
        "g_q": np.zeros(1),
        "S_q": rng.standard_normal((H, 3)) / H ** 0.5,
        "s_q": np.zeros(3),
        "Y_q": rng.standard_normal((H, 1)) / H ** 0.5,
        "y_q": np.zeros(1),
        "K_w": rng.standard_normal((H, W)) / H ** 0.5,
        "k_w": np.zeros(W),
        "B_w": rng.standard_normal((H, 1)) / H ** 0.5,
        "d_w": np.zeros(1),
        "G_w": rng.standard_normal((H, 1)) / H ** 0.5,
        "g_w": np.zeros(1),
        "S_w": rng.standard_normal((H, 3)) / H ** 0.5,
        "s_w": np.zeros(3),
        "Y_w": rng.standard_normal((H, 1)) / H ** 0.5,
        "y_w": np.zeros(1),
        "E_w": rng.standard_normal((H, W)) / H ** 0.5,
        "e_w": np.zeros(W),
        "A_w": rng.standard_normal((H, W)) / H ** 0.5,
        "a_w": np.zeros(W),
        "W_o": rng.standard_normal((H, O)) / H ** 0.5,
        "W_v": rng.standard_normal((2 * W, O)) / (2 * W) ** 0.5,
        "b_o": np.zeros(O),
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
    sizes = {
        "I": arrays["W_x"].shape[0], "H": arrays["W_x"].shape[1], "W": arrays["K_p"].shape[1],
        "O": arrays["W_o"].shape[1], "T": arrays["x"].shape[0], "N": arrays["x"].shape[1],
        "R": arrays["M0"].shape[1],
    }
    if dims is not None:
        add_sizes(sizes, dims, DIMS, arrays, shapes)
    sizes["2*W"] = 2 * sizes["W"]
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


def power_term(c: np.ndarray | float, a: np.ndarray | float, b: np.ndarray | float, m: int) -> np.ndarray:
    """c * a**b * log(a)**m, and 0 where c or a**b is 0."""
    none = c == 0
    power = a ** np.where(none, 1, b)
    logs = np.log(np.where(power == 0, 1, a)) ** m if m else 1
    return np.where(none, 0, c * power * logs)


def gated(x: np.ndarray, gate: np.ndarray) -> np.ndarray:
    """x * gate, and 0 where the gate is 0, even at an infinite x."""
    product = x * gate
    return product if np.isfinite(np.vdot(product, product)) else np.where(gate == 0, 0, x) * gate


def logit_loss(z: np.ndarray, y: np.ndarray) -> np.ndarray:
    """softplus(z) - y * z without cancellation: -(y log p + (1 - y) log(1 - p)) for p = sigmoid(z)."""
    return gated(z, (z > 0) - y) + np.log1p(np.exp(-np.abs(z)))


def softmax(a: np.ndarray, axis: int | tuple) -> np.ndarray:
    """e^a / sum(e^a) along an axis, shifted by the largest entry so that nothing overflows; 0 where all are -inf."""
    e = a - largest(a, axis)
    np.exp(e, out=e)
    e /= unless_zero(total_of(e, axis))
    return e


def largest(a: np.ndarray, axis: int | tuple) -> np.ndarray:
    """The largest entry along an axis, which stays with size 1; 0 where that is infinite or there is none."""
    top = a.max(axis=axis, keepdims=True, initial=-np.inf)
    finite = np.isfinite(top)
    return top if finite.all() else np.where(finite, top, 0)


def total_of(e: np.ndarray, axis: int | tuple) -> np.ndarray:
    """The sum along an axis, which stays with size 1; einsum goes through rows faster than sum does."""
    return np.einsum("...a->...", e)[..., None] if axis == e.ndim - 1 else e.sum(axis=axis, keepdims=True)


def unless_zero(total: np.ndarray) -> np.ndarray:
    """The sums to divide by; 1 in place of 0, which is the sum of nothing."""
    return total if total.all() else np.where(total == 0, 1, total)


def check_cache(cache: dict, mark: str) -> None:
    """ValueError for what forward did not return."""
    if not isinstance(cache, dict) or mark not in cache:
        raise ValueError("backward takes the cache, which is the second of the two that forward returns")


def scaled(grads: dict, dtypes: dict, upstream: np.ndarray | float) -> dict[str, np.ndarray]:
    """The gradients of a loss times its upstream gradient, a number; each in the dtype of its array."""
    if not isinstance(upstream, float) and as_array("upstream", upstream).ndim != 0:
        raise ValueError(f"upstream has to be a number, the gradient of the loss; its shape is {np.shape(upstream)}")
    if upstream != 1:
        grads = {name: grad * upstream for name, grad in grads.items()}
    return returned(grads, dtypes)


def returned(arrays: dict, dtypes: dict) -> dict[str, np.ndarray]:
    """The arrays in the dtypes to return them in; those of intermediates stay as they are."""
    return {n: in_dtype(a, dtypes[n]) if n in dtypes else np.asarray(a)[()] for n, a in arrays.items()}
