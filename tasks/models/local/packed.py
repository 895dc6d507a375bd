"""The weights of a large bfloat16 model on the CPU, packed once for its products rather than anew in each of them.

oneDNN lays weights out in blocks before it multiplies. A step of decoding has few rows, so that this was a fifth of it.
What is computed stays the same.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from tasks.models.local.checkpoint import bfloat16_is_native
from tasks.models.local.cores import is_small


class PackedLinear(nn.Module):
    """A linear layer whose weights are packed for products of about `rows` rows."""

    def __init__(self, linear: nn.Linear, rows: int) -> None:
        super().__init__()
        self.weight = torch.ops.mkldnn._reorder_linear_weight(linear.weight.detach(), rows)
        self.bias = linear.bias

    def forward(self, states: Tensor) -> Tensor:
        """The product [..., out] of states [..., in]."""
        product: Tensor = torch.ops.mkldnn._linear_pointwise(states, self.weight, self.bias, "none", [], "")
        return product


def pack_weights(model: Any, rows: int) -> None:
    """Pack the linear layers of a model in place, where that pays: it computes no gradients from then on."""
    if model.dtype != torch.bfloat16 or model.device.type != "cpu" or is_small(model):
        return
    mkldnn: Any = torch.backends.mkldnn
    if not (mkldnn.is_available() and bfloat16_is_native("cpu")):
        return
    for module in list(model.modules()):
        for name, child in module.named_children():
            if type(child) is nn.Linear:
                setattr(module, name, PackedLinear(child, rows))
