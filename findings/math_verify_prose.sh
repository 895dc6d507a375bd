#!/usr/bin/env bash
# math-verify 0.9.0 on answers that are right:
#   答案是12元。, 答えは12個です。, １２        no answer is found; of "The answer is 12." it is
#   1e3                                      1
#   3 hours 20 minutes                       20
#   1,234.50 dollars against 1234.5          the same, as it should be
#   {2,1} against {1,2}                      not the same; \{2,1\} against \{1,2\} is
#   in a thread                              ValueError, unless parsing_timeout=None: then nothing bounds the time
# What is to be compared has to be cut out of the sentence first, in digits of ASCII, and compared in a process that can be
# ended.
set -euo pipefail
cd "$(mktemp -d)"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check "math-verify==0.9.0" "sympy==1.14.0" >/dev/null
env/bin/python - <<'PY'
import logging
import threading

from math_verify import parse, verify

logging.disable(logging.CRITICAL)

texts = ("The answer is 12.", "答案是12元。", "答えは12個です。", "１２", "1e3", "3 hours 20 minutes")
found = {text: [str(one) for one in parse(text)][-1:] for text in texts}
for text, one in found.items():
    print(f"{text:24} {one}")
assert list(found.values()) == [["12"], [], [], [], ["1"], ["20"]], found

pairs = ((r"$1,234.50$ dollars", "1234.5"), ("{1,2}", "{2,1}"), (r"$\{1,2\}$", r"$\{2,1\}$"))
same = [verify(parse(one), parse(other)) for one, other in pairs]
print(same)
assert same == [True, False, True], same

said = []


def in_a_thread(**told):
    try:
        said.append(bool(parse("12", **told)))
    except ValueError as error:
        said.append("ValueError")


for told in ({}, {"parsing_timeout": None}):
    thread = threading.Thread(target=in_a_thread, kwargs=told)
    thread.start()
    thread.join()
print("in a thread", said)
assert said == ["ValueError", True], said
PY
echo "as described"
