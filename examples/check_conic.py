"""The conic of 3-D Gaussian splatting: is the middle entry's gradient with ½ or without? Both, if the rest agrees.

A Gaussian with the covariance [a b; b c] is drawn through its inverse [A B; B C], the conic. Three backward passes that
people have written: the published one, which gives each of the two equal entries B half of the gradient and has the
factor 2 in front of it afterwards; one that takes B for one number; and the published one with its ½ "corrected".
"""

from __future__ import annotations

from symbackprop import Model, check

MODEL = Model.parse("""
dim N
input a: N, b: N, c: N
data u: N, v: N
det = a * c - b^2
A = c / det
B = -b / det
C = a / det
output G = exp(-(A * u^2 + C * v^2) / 2 - B * u * v)
""", name="conic")


def halves(a, b, c, det, u, v, G, dG):
    """Each of the two equal entries of the conic has its own share: M is the gradient of one of them."""
    dA, M, dC = -G * u * u * dG / 2, -G * u * v * dG / 2, -G * v * v * dG / 2
    da, db, dc = _covariance(a, b, c, det, dA, 2 * M, dC)
    return da, db, dc


def one_number(a, b, c, det, u, v, G, dG):
    """The middle entry is one number B, which occurs once."""
    da, db, dc = _covariance(a, b, c, det, -G * u * u * dG / 2, -G * u * v * dG, -G * v * v * dG / 2)
    return da, db, dc


def corrected(a, b, c, det, u, v, G, dG):
    """The ½ of the middle entry is taken away, and the 2 that belongs to it is not."""
    dA, M, dC = -G * u * u * dG / 2, -G * u * v * dG, -G * v * v * dG / 2
    da, db, dc = _covariance(a, b, c, det, dA, 2 * M, dC)
    return da, db, dc


def _covariance(a, b, c, det, dA, dB, dC):
    """From the gradients of the three numbers A, B, C to those of a, b, c."""
    da = (b * c * dB - c * c * dA - b * b * dC) / det**2
    db = (2 * b * c * dA - (det + 2 * b * b) * dB + 2 * a * b * dC) / det**2
    dc = (a * b * dB - b * b * dA - a * a * dC) / det**2
    return da, db, dc


def main() -> bool:
    """Print what is said of the three; whether the first two are right."""
    reports = {f.__name__: check(MODEL, f) for f in (halves, one_number, corrected)}
    print("\n".join(r.text() for r in reports.values()))
    return bool(reports["halves"]) and bool(reports["one_number"])


if __name__ == "__main__":
    main()
