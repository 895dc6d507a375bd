"""Packed weights give what the plain ones give; models that they do not suit stay as they are."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM

from tasks.models.local.checkpoint import bfloat16_is_native
from tasks.models.local.packed import PackedLinear, pack_weights
from tests.models.tiny import tiny_llama

NATIVE = pytest.mark.skipif(not bfloat16_is_native("cpu"), reason="bfloat16 is not native here")


def model(dtype: torch.dtype) -> Any:
    torch.manual_seed(0)
    return AutoModelForCausalLM.from_config(tiny_llama(400), dtype=dtype).eval()


def packed_layers(one: Any) -> int:
    return sum(isinstance(module, PackedLinear) for module in one.modules())


@NATIVE
@torch.inference_mode()
def test_packed_weights_give_the_same_logits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tasks.models.local.cores.SMALL_PARAMETERS", 1)
    one, prompts = model(torch.bfloat16), torch.arange(3, 33).view(3, 10)
    plain = one(input_ids=prompts).logits
    linear = sum(type(module) is torch.nn.Linear for module in one.modules())
    pack_weights(one, 3)
    assert packed_layers(one) == linear > 7
    torch.testing.assert_close(one(input_ids=prompts).logits, plain, rtol=0.02, atol=0.02)


@NATIVE
@torch.inference_mode()
def test_a_bias_is_added_and_any_number_of_rows_goes_in() -> None:
    linear = torch.nn.Linear(64, 48, dtype=torch.bfloat16)
    packed = PackedLinear(linear, 4)
    for rows in (1, 4, 300):
        states = torch.randn(rows, 2, 64, dtype=torch.bfloat16)
        torch.testing.assert_close(packed(states), linear(states), rtol=0.02, atol=0.02)


@pytest.mark.parametrize(("most", "dtype"), [(1, torch.float32), (10**9, torch.bfloat16)], ids=["fp32", "small"])
def test_a_small_model_and_one_in_fp32_stay_as_they_are(
    monkeypatch: pytest.MonkeyPatch, most: int, dtype: torch.dtype
) -> None:
    monkeypatch.setattr("tasks.models.local.cores.SMALL_PARAMETERS", most)
    one = model(dtype)
    pack_weights(one, 3)
    assert packed_layers(one) == 0
