#!/usr/bin/env bash
# trl 1.16.0, SFTTrainer, rows of `prompt` and `completion` as plain texts: each completion gets the end token behind it, so that
# the model learns to stop. With a further column named `text`, as sets have it that keep the two of them joined, the end token
# goes to `text`, which nothing trains on then, and the completions stay without one:
#   prompt, completion              " 4<|end|>" carries loss
#   prompt, completion, text        " 4" carries loss; no warning
#   the same, but `text` has its own end token      " 4<|end|>", since then it is the completion's turn
# The student answers and does not stop. The same happens with a column that dataset_text_field names. Conversations are not
# concerned: their end is the template's. Whoever trains on two plain columns has to select these two.
set -euo pipefail
cd "$(mktemp -d)"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check "torch==2.13.0" "trl==1.16.0" "transformers==5.23.0" "datasets==5.2.0" \
  "accelerate==1.15.0" >/dev/null
cat >train.py <<'PY'
from datasets import Dataset
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast
from trl import SFTConfig, SFTTrainer

bytes_ = Tokenizer(models.BPE({sign: at for at, sign in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}, []))
bytes_.pre_tokenizer, bytes_.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
tokenizer = PreTrainedTokenizerFast(tokenizer_object=bytes_, eos_token="<|end|>", pad_token="<|pad|>")
sizes = dict(hidden_size=16, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2, num_key_value_heads=2)


def with_loss(**row):
    trainer = SFTTrainer(
        LlamaForCausalLM(LlamaConfig(vocab_size=len(tokenizer), **sizes)),
        args=SFTConfig(output_dir="out", report_to=[], use_cpu=True, bf16=False),
        train_dataset=Dataset.from_list([row]),
        processing_class=tokenizer,
    )
    return tokenizer.decode([label for label in trainer.train_dataset[0]["labels"] if label != -100])


plain = {"prompt": "2 + 2 =", "completion": " 4"}
seen = [with_loss(**plain), with_loss(**plain, text="2 + 2 = 4"), with_loss(**plain, text="2 + 2 = 4<|end|>")]
for case, learned in zip(("prompt, completion", "and text", "and text with an end"), seen, strict=True):
    print(f"{case}: loss on {learned!r}")
assert seen == [" 4<|end|>", " 4", " 4<|end|>"], seen
PY
HF_HUB_OFFLINE=1 HF_HOME="$PWD/hub" HF_DATASETS_DISABLE_PROGRESS_BARS=1 env/bin/python train.py 2>log || { tail -5 log; exit 1; }
if grep -i "text" log; then exit 1; fi # it does not speak of the column
echo "as described"
