"""A torch.autograd.Function for SwiGLU: one factor of its backward is the wrong one."""

from __future__ import annotations

import torch

from symbackprop import Model, check

MODEL = Model.parse("dim N, D\ninput e: N x D, u: N x D\noutput h = silu(e) * u", name="swiglu")


class Slipped(torch.autograd.Function):
    """s where 1 - s belongs."""

    @staticmethod
    def forward(ctx, e, u):
        ctx.save_for_backward(e, u)
        return e * torch.sigmoid(e) * u

    @staticmethod
    def backward(ctx, dh):
        e, u = ctx.saved_tensors
        s = torch.sigmoid(e)
        return dh * u * s * (1 + e * s), dh * e * s


class SwiGLU(Slipped):
    """The published form."""

    @staticmethod
    def backward(ctx, dh):
        e, u = ctx.saved_tensors
        s = torch.sigmoid(e)
        return dh * u * s * (1 + e * (1 - s)), dh * e * s


def main() -> bool:
    """Print what is said of both; whether the second is right."""
    print(check(MODEL, Slipped).text())
    report = check(MODEL, SwiGLU)
    print(report.text())
    return bool(report)


if __name__ == "__main__":
    main()
