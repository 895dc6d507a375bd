#!/usr/bin/env bash
# trl 1.16.0, KTOTrainer: it does not shuffle, since the answers that its KL term is estimated by, those of another question, are
# the neighbour's in the file, taken by batches of per_device_train_batch_size. So the order of the rows is part of the training.
#   rows of TRL's own unpair_preference_dataset      all good answers of up to 1,000 pairs, then all bad ones: every batch of the
#                                                    first half has one label, and of the second half the other
#   the two rows of a pair one below the other       half of the answers "of another question" are the good answer to this one;
#                                                    with 2 rows at once all are answers to this one
#   the same rows, shuffled once                     mixed labels, hardly any answer to the same question
# Nothing is said of it where the two labels are as many, and train_sampling_strategy="random" is refused. Whoever trains by KTO on
# pairs has to shuffle the rows of the dataset first.
set -euo pipefail
cd "$(mktemp -d)"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check "torch==2.13.0" "trl==1.16.0" "transformers==5.23.0" "datasets==5.2.0" \
  "accelerate==1.15.0" >/dev/null
cat >train.py <<'PY'
import re

from datasets import Dataset
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast
from trl import KTOConfig, KTOTrainer, unpair_preference_dataset

bytes_ = Tokenizer(models.BPE({sign: at for at, sign in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}, []))
bytes_.pre_tokenizer, bytes_.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
tokenizer = PreTrainedTokenizerFast(tokenizer_object=bytes_, eos_token="<|end|>", pad_token="<|pad|>")
sizes = dict(hidden_size=16, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2, num_key_value_heads=2)


def model():
    return LlamaForCausalLM(LlamaConfig(vocab_size=len(tokenizer), **sizes))


def trained(rows, at_once, **more):
    told = dict(output_dir="out", report_to=[], use_cpu=True, bf16=False, per_device_train_batch_size=at_once)
    made = KTOTrainer(
        model(), ref_model=model(), args=KTOConfig(**told, **more), train_dataset=rows, processing_class=tokenizer
    )
    labels = [batch["label"].tolist() for batch in made.get_train_dataloader()]
    asked, compared = (
        [re.search(r"\d+", tokenizer.decode(ids))[0] for ids in made.train_dataset[name]]
        for name in ("prompt_ids", "KL_completion_ids")
    )
    own = sum(one == other for one, other in zip(asked, compared, strict=True))
    print(f"{sum(len(set(of_batch)) == 1 for of_batch in labels)} of {len(labels)} batches of one label, "
          f"{own} of {len(asked)} rows compared with an answer to their own question")
    return sum(len(set(of_batch)) == 1 for of_batch in labels), own


pairs = Dataset.from_list([{"prompt": f"Q{at}? ", "chosen": f"good {at}", "rejected": f"bad {at}"} for at in range(32)])
apart = unpair_preference_dataset(pairs)
beside = apart.select([row for at in range(32) for row in (at, at + 32)])
assert trained(apart, 8) == (8, 0)
assert trained(beside, 8) == (0, 32)
assert trained(beside, 2) == (0, 64)
of_one_label, own = trained(beside.shuffle(seed=0), 8)
assert of_one_label == 0 and own < 8, (of_one_label, own)
try:
    trained(beside, 8, train_sampling_strategy="random")
    raise SystemExit("it shuffles")
except ValueError as error:
    print("random:", str(error)[:60])
PY
HF_HUB_OFFLINE=1 HF_HOME="$PWD/hub" HF_DATASETS_DISABLE_PROGRESS_BARS=1 env/bin/python train.py 2>log || { tail -5 log; exit 1; }
if grep -iE "shuffl|order|sequential" log; then exit 1; fi # it does not speak of the order
echo "as described"
