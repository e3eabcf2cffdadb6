"""torch.autograd.Functions, and functions over tensors."""

import math

import torch
import torch.nn.functional as F


class Swish(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        sig = torch.sigmoid(x)
        ctx.save_for_backward(x, sig)
        return x * sig

    @staticmethod
    def backward(ctx, grad):
        x, sig = ctx.saved_tensors
        return grad * (sig + x * sig * (1 - sig))


class RMSNorm(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, g):
        r = torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-5)
        ctx.save_for_backward(x, g, r)
        return x * r * g

    @staticmethod
    def backward(ctx, dy):
        x, g, r = ctx.saved_tensors
        xh = x * r
        dxh = dy * g
        dx = r * (dxh - xh * (dxh * xh).mean(-1, keepdim=True))
        dg = (dy * xh).sum(0)
        return dx, dg


class CrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx, z, y):
        p = torch.softmax(z, dim=-1)
        ctx.save_for_backward(p, y)
        return -torch.log(p.gather(1, y[:, None])).mean()

    @staticmethod
    def backward(ctx, grad):
        p, y = ctx.saved_tensors
        d = p.clone()
        d -= F.one_hot(y, p.shape[1])
        return grad * d / len(y), None


class Attention(torch.autograd.Function):
    @staticmethod
    def forward(ctx, Q, K, V):
        scale = 1 / math.sqrt(Q.shape[-1])
        mask = torch.ones(Q.shape[0], Q.shape[0]).tril() == 0
        S = (Q @ K.t() * scale).masked_fill(mask, float("-inf"))
        P = torch.softmax(S, -1)
        ctx.save_for_backward(Q, K, V, P)
        ctx.scale = scale
        return P @ V

    @staticmethod
    def backward(ctx, dO):
        Q, K, V, P = ctx.saved_tensors
        dV = P.t() @ dO
        dP = dO @ V.t()
        D = (dP * P).sum(-1, keepdim=True)
        dS = P * (dP - D) * ctx.scale
        dQ = dS @ K
        dK = dS.t() @ Q
        return dQ, dK, dV


def lora(x, W, A, B, dy):
    dx = dy @ W.t() + (dy @ B.t()) @ A.t()
    dA = x.t() @ (dy @ B.t())
    dB = (x @ A).t() @ dy
    return dx, dA, dB


def left_in_place(x: torch.Tensor, W, A: torch.Tensor, B: torch.Tensor, dy):
    x.grad = dy @ W.t() + (dy @ B.t()) @ A.t()
    A.grad = x.t() @ (dy @ B.t())
    B.grad = (x @ A).t() @ dy
