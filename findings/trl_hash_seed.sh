#!/usr/bin/env bash
# trl 1.16.0, is_conversational(row): it looks at one of the columns prompt, chosen, rejected, completion and messages, and
# takes that one out of a set of names. For a row that holds a conversation beside a plain text (`prompt` as text with
# `messages`, the layout of ultrachat_200k; `messages` with the answer as text in `completion`) the answer is True in some
# processes and False in others, by the hash seed, so also among the ranks of one training. SFTTrainer asks it whether to
# append the end token, whether assistant_only_loss is allowed and how to tokenize; where it says False it drops `messages`.
# Whoever hands a dataset to TRL has to leave it one format: select the columns, or set PYTHONHASHSEED.
set -euo pipefail
cd "$(mktemp -d)"
python3 -m venv env
# trl without its dependencies: the function needs none of torch
env/bin/pip install --quiet --disable-pip-version-check --no-deps "trl==1.16.0" >/dev/null
env/bin/pip install --quiet --disable-pip-version-check "transformers==5.23.0" "datasets==5.2.0" >/dev/null
cat >ask.py <<'PY'
from trl.data_utils import is_conversational

turns = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]
print(
    is_conversational({"prompt": "Hi", "messages": turns}),
    is_conversational({"messages": turns, "completion": "Hello"}),
    is_conversational({"prompt": turns[:1], "completion": turns[1:]}),
)
PY
for seed in 1 2 3 4 5 6 7 8; do
  PYTHONHASHSEED=$seed HF_HUB_OFFLINE=1 env/bin/python -W ignore ask.py 2>/dev/null | tail -1
done | tee answers
for column in 1 2; do
  [[ $(cut -d' ' -f$column answers | sort -u | tr '\n' ' ') == "False True " ]]
done
[[ $(cut -d' ' -f3 answers | sort -u) == True && $(wc -l <answers) == 8 ]]
echo "as described"
