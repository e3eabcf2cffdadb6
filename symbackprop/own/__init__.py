"""Checking anybody's own backward, whatever wrote it: right or wrong, and which factor is wrong.

The code is run as its owner's own code at random points; what it returns is compared with the gradients of the model,
and a wrong one is explained from numbers alone.
"""

from symbackprop.own.checking import check, check_file, check_process
from symbackprop.own.report import Gradient, Report

__all__ = ["Gradient", "Report", "check", "check_file", "check_process"]
