#!/usr/bin/env bash
# trl 1.16.0, DPOTrainer, preference rows of plain texts whose question stands in a column of another name, as `system`,
# `question`, `chosen`, `rejected` of the Orca pairs: without `prompt` the two answers are taken for whole conversations, and what
# they begin with alike, letter by letter, becomes the prompt. The question is not read, and nothing says so:
#   "The capital is Paris." / "There is one."     prompt "The", and the answers go on in the middle of a word
#   "Yes." / "Yes. It is Paris."                  prompt "Yes", of which the full stop is left to both answers
#   "It is Paris. " / "No idea" (a space at the end)     prompt "It is Paris.", chosen " ", rejected "a"
# In the last one the whole better answer is the prompt, for the sign before the first one is looked up as the last one.
# Whoever trains on pairs has to rename the question to `prompt`, and to look at the prompts that come out.
set -euo pipefail
cd "$(mktemp -d)"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check "torch==2.13.0" "trl==1.16.0" "transformers==5.23.0" "datasets==5.2.0" \
  "accelerate==1.15.0" >/dev/null
cat >train.py <<'PY'
from datasets import Dataset
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast
from trl import DPOConfig, DPOTrainer

bytes_ = Tokenizer(models.BPE({sign: at for at, sign in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}, []))
bytes_.pre_tokenizer, bytes_.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
tokenizer = PreTrainedTokenizerFast(tokenizer_object=bytes_, eos_token="<|end|>", pad_token="<|pad|>")
sizes = dict(hidden_size=16, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2, num_key_value_heads=2)


def model():
    return LlamaForCausalLM(LlamaConfig(vocab_size=len(tokenizer), **sizes))


def learned(asked, chosen, rejected):
    trainer = DPOTrainer(
        model(),
        ref_model=model(),
        args=DPOConfig(output_dir="out", report_to=[], use_cpu=True, bf16=False),
        train_dataset=Dataset.from_list([{asked: "What is the capital of France?", "chosen": chosen, "rejected": rejected}]),
        processing_class=tokenizer,
    )
    return [tokenizer.decode(trainer.train_dataset[0][f"{part}_ids"]) for part in ("prompt", "chosen", "rejected")]


pairs = [("The capital is Paris.", "There is one."), ("Yes.", "Yes. It is Paris."), ("It is Paris. ", "No idea")]
seen = [learned("question", *pair) for pair in pairs]
named = learned("prompt", *pairs[0])
for parts in (*seen, named):
    print(*map(repr, parts))
assert seen[0] == ["The", " capital is Paris.<|end|>", "re is one.<|end|>"], seen
assert seen[1] == ["Yes", ".<|end|>", ". It is Paris.<|end|>"], seen
assert seen[2] == ["It is Paris.", " <|end|>", "a<|end|>"], seen
assert named == ["What is the capital of France?", "The capital is Paris.<|end|>", "There is one.<|end|>"], named
PY
HF_HUB_OFFLINE=1 HF_HOME="$PWD/hub" HF_DATASETS_DISABLE_PROGRESS_BARS=1 env/bin/python train.py 2>log || { tail -5 log; exit 1; }
if grep -i "question" log; then exit 1; fi # it does not speak of the column
echo "as described"
