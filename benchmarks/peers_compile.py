"""The workloads in PyTorch, the loss under `torch.compile`, which needs a C++ compiler; loops are unrolled."""

from __future__ import annotations

from functools import partial

import peers_torch
import torch

build = partial(peers_torch.build, around=torch.compile)
