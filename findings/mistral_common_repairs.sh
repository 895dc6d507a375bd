#!/usr/bin/env bash
# mistral-common 1.13.1, MistralTokenizer in the mode for finetuning, with the tekken tokenizer in its wheel: conversations that
# the chat templates of the same models refuse (roles must alternate) are not refused but made into other ones.
#   begins with the assistant      an empty user turn comes before it
#   two user turns in a row        one turn, joined by a blank line
#   two answers in a row, the first of weight 0: two answers in one turn, each with its own end token
#   system text, two exchanges     it stands in the last user turn, so the first answer is learned without it
#   answer with spaces at its end  they are cut
# `weight` is checked to be 0 or 1 and then goes nowhere: what encode_chat_completion returns is the same, and has no mask.
# Whoever encodes a dataset by it has to check the order of the turns and to mask by weight on their own.
set -euo pipefail
cd "$(mktemp -d)"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check "mistral-common==1.13.1" >/dev/null
env/bin/python -W ignore - <<'PY'
from pathlib import Path

import mistral_common
from mistral_common.protocol.instruct.messages import FinetuningAssistantMessage, SystemMessage, UserMessage
from mistral_common.protocol.instruct.request import ChatCompletionRequest
from mistral_common.protocol.instruct.validator import ValidationMode
from mistral_common.tokens.tokenizers.mistral import MistralTokenizer

folder = Path(mistral_common.__file__).with_name("data")
tokenizer = MistralTokenizer.from_file(str(folder / "tekken_240911.json"), mode=ValidationMode.finetuning)


def system(text):
    return SystemMessage(content=text)


def user(text):
    return UserMessage(content=text)


def answer(text, weight=1):
    return FinetuningAssistantMessage(content=text, weight=weight)


def encoded(*turns):
    return tokenizer.encode_chat_completion(ChatCompletionRequest(messages=list(turns)))


cases = {
    "begins with the assistant": [answer("hi"), user("a"), answer("b")],
    "two users": [user("a"), user("b"), answer("c")],
    "two answers": [user("a"), answer("b", 0), answer("c")],
    "system": [system("s"), user("a"), answer("b"), user("c"), answer("d")],
    "spaces": [user("a"), answer("b  ")],
}
seen = {case: encoded(*turns).text for case, turns in cases.items()}
for case, text in seen.items():
    print(f"{case}: {text!r}")
weighed = [encoded(user("a"), answer("b", weight)) for weight in (0, 1)]
print("weight 0 and 1 are told apart:", weighed[0].__dict__ != weighed[1].__dict__)
assert seen["begins with the assistant"] == "<s>[INST][/INST]hi</s>[INST]a[/INST]b</s>", seen
assert seen["two users"] == "<s>[INST]a\n\nb[/INST]c</s>" and seen["two answers"] == "<s>[INST]a[/INST]b</s>c</s>", seen
assert seen["system"] == "<s>[INST]a[/INST]b</s>[INST]s\n\nc[/INST]d</s>" and seen["spaces"] == "<s>[INST]a[/INST]b</s>", seen
assert weighed[0].__dict__ == weighed[1].__dict__ and weighed[0].tokens, weighed
PY
echo "as described"
