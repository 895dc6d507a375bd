#!/usr/bin/env bash
# trl 1.16.0, DPOTrainer with loss_type=["sigmoid", "sft"], the mixture that RPO and MPO train with: the second term is the mean
# over the tokens of what is on the device at once, and these means are then averaged as equals. So the step depends on how a
# batch is divided. Two pairs, one with a chosen answer of one sign and one of some two hundred, one step of plain SGD; the step
# with 1 at once (accumulated twice) differs from the one with 2 at once by
#   DPOTrainer, sigmoid alone       0 %
#   DPOTrainer, sigmoid and sft     some 30 % of its length: the one sign weighs as much as all of the long answer
#   SFTTrainer                      0 %, for it divides by the tokens of the whole step
# A batch that is divided to fit into memory, or spread over devices, is another training, and nothing says so. Whoever mixes
# these losses has to keep per_device_train_batch_size equal among runs that are compared.
set -euo pipefail
cd "$(mktemp -d)"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check "torch==2.13.0" "trl==1.16.0" "transformers==5.23.0" "datasets==5.2.0" \
  "accelerate==1.15.0" >/dev/null
cat >train.py <<'PY'
import torch
from datasets import Dataset
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast
from trl import DPOConfig, DPOTrainer, SFTConfig, SFTTrainer

bytes_ = Tokenizer(models.BPE({sign: at for at, sign in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}, []))
bytes_.pre_tokenizer, bytes_.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
tokenizer = PreTrainedTokenizerFast(tokenizer_object=bytes_, eos_token="<|end|>", pad_token="<|pad|>")
sizes = dict(hidden_size=16, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2, num_key_value_heads=2)


def model():
    torch.manual_seed(0)
    return LlamaForCausalLM(LlamaConfig(vocab_size=len(tokenizer), **sizes))


def step(trainer, config, rows, at_once, **more):
    told = dict(output_dir="out", report_to=[], use_cpu=True, bf16=False, save_strategy="no", disable_tqdm=True)
    told |= dict(max_steps=1, learning_rate=0.1, optim="sgd", lr_scheduler_type="constant", max_grad_norm=0.0)
    made = trainer(
        model(),
        args=config(per_device_train_batch_size=at_once, gradient_accumulation_steps=2 // at_once, **told, **more),
        train_dataset=Dataset.from_list(rows),
        processing_class=tokenizer,
        **({"ref_model": model()} if trainer is DPOTrainer else {}),
    )
    begun = torch.cat([one.detach().flatten().clone() for one in made.model.parameters()])
    made.train()
    return torch.cat([one.detach().flatten() for one in made.model.parameters()]) - begun


pairs = [
    {"prompt": "2 + 2 = ", "chosen": "4", "rejected": "5"},
    {"prompt": "Name the letters: ", "chosen": "abcdefghijklmnopqrstuvwxyz " * 8, "rejected": "no"},
]
answers = [{"prompt": pair["prompt"], "completion": pair["chosen"]} for pair in pairs]
cases = {
    "sigmoid": (DPOTrainer, DPOConfig, pairs, {"loss_type": ["sigmoid"]}),
    "sigmoid and sft": (DPOTrainer, DPOConfig, pairs, {"loss_type": ["sigmoid", "sft"], "loss_weights": [1.0, 1.0]}),
    "SFTTrainer": (SFTTrainer, SFTConfig, answers, {}),
}
seen = {}
for case, (trainer, config, rows, more) in cases.items():
    whole, halves = (step(trainer, config, rows, at_once, **more) for at_once in (2, 1))
    seen[case] = ((whole - halves).norm() / whole.norm()).item()
    print(f"{case}: the step with 1 at once differs from that with 2 at once by {seen[case]:.1%} of its length")
assert seen["sigmoid"] < 0.001 and seen["SFTTrainer"] < 0.001 and seen["sigmoid and sft"] > 0.05, seen
PY
HF_HUB_OFFLINE=1 HF_HOME="$PWD/hub" HF_DATASETS_DISABLE_PROGRESS_BARS=1 env/bin/python train.py 2>log | grep "differs" || { tail -5 log; exit 1; }
echo "as described"
