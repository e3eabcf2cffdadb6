"""What rewrites know ops and functions as, by their records: nothing asks for their names.

What a record says anyway is no role: the exponential is the function whose logarithm is its argument.
"""

from __future__ import annotations

from enum import Enum, auto


class Role(Enum):
    """What rows of an op are, calls of a scalar function, and rows that a function made of others has made."""

    DECLARED = auto()  # an array that is given
    NUMBER = auto()
    IDENTITY = auto()  # the identity matrix
    RANGE = auto()  # 0, 1, 2 …
    RESHAPED = auto()  # the entries of another one, in another shape
    REPEATED = auto()  # another one, repeated along axes
    PART = auto()  # a range of another one along an axis: the attribute is (axis, first, behind the last, step)
    PADDED = auto()  # another one among zeros along an axis: the attribute is that of the range it came from
    UNFOLDED = auto()  # the windows over an axis of another one
    FOLDED = auto()  # windows of another one, added up along an axis
    JOINED = auto()  # several along an axis
    LISTED = auto()  # numbers, each in its place
    SUM = auto()  # over axes
    PRODUCT = auto()  # over an axis
    LARGEST = auto()  # the largest entry along axes
    SHIFT = auto()  # the same, held: what exponentials are computed without
    NORM = auto()  # along axes
    LOOKUP = auto()  # the rows of a table at indices
    SCATTERED = auto()  # a table of zeros in which rows are added up where indices say
    PICK = auto()  # one entry along an axis, at indices
    PUT = auto()  # 0 but for one entry along an axis, at indices
    DETERMINANT = auto()
    CONVOLUTION = auto()  # a kernel moved over images

    CHOICE = auto()  # one of two values, by a condition
    SELECTED = auto()  # a value where something selects it, else 0
    COUNTED = auto()  # 1 where that keeps a value, else 0
    NOUGHT = auto()  # a value, but 0 beside the weight 0
    GATED = auto()  # a product, but 0 where the second factor is 0
    LIMITED = auto()  # a value, not too far from 0
    TRUTH = auto()  # a condition as 0 or 1
    EQUALITY = auto()  # 1 where two values are the same, else 0
    ABOVE = auto()  # 1 where the first value is greater than the second, else 0; the third at a tie
    RECTIFIED = auto()  # what is positive, else 0
    LOGISTIC = auto()  # 1/(1 + exp(-x))
    LOG = auto()
    LOG_OF_TWO = auto()  # log(exp(x) + exp(y))
    LIKELIHOOD = auto()  # minus the log of the probability of a truth value
    ROOT = auto()
    FLAT_ROOT = auto()  # with the derivative 0 at 0

    AVERAGE = auto()  # over axes, perhaps of something else
    ONE_HOT = auto()  # 1 at an index along a new axis, else 0
