#!/usr/bin/env bash
# rouge-score 0.1.2, which Self-Instruct and many after it refuse new instructions with (ROUGE-L above 0.7 to one that is there):
# all but a to z and 0 to 9 is a space to it, so outside of English it compares what is left, which may be one digit.
#   列出3种水果。/ 解释3种算法。                       1.0, two tasks; likewise 3つの果物 and 3つの都市, and Python twice
#   写一首诗。/ 写一首诗。                            0, the same task twice is kept twice
#   Má tôi bán cá. / Mà tôi bàn cà.                   1.0: tones are gone, and a word falls apart at them
#   Sort it in C. / Sort it in C++.; 7 - 5 / 7 + 5    1.0
# No warning. A tokenizer of one's own (RougeScorer(..., tokenizer=)) mends it: with one sign a token the first pair gets 0.43 and
# the second 1. Whoever uses it on other languages, on code or on equations has to hand one over.
set -euo pipefail
cd "$(mktemp -d)"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check "rouge-score==0.1.2" >/dev/null
env/bin/python -W error::UserWarning - <<'PY'
from rouge_score.rouge_scorer import RougeScorer


class Signs:
    def tokenize(self, text):
        return [sign for sign in text if not sign.isspace()]


def rouge_l(scorer, one, other):
    return round(float(scorer.score(one, other)["rougeL"].fmeasure), 2)


plain, by_signs = RougeScorer(["rougeL"]), RougeScorer(["rougeL"], tokenizer=Signs())
pairs = {
    ("列出3种水果。", "解释3种算法。"): 1.0,
    ("3つの果物を挙げてください。", "3つの都市について説明してください。"): 1.0,
    ("用Python写一个排序函数。", "用Python画一张图。"): 1.0,
    ("写一首诗。", "写一首诗。"): 0.0,
    ("Má tôi bán cá.", "Mà tôi bàn cà."): 1.0,
    ("Sort it in C.", "Sort it in C++."): 1.0,
    ("What is 7 - 5?", "What is 7 + 5?"): 1.0,
}
for pair, expected in pairs.items():
    seen = rouge_l(plain, *pair)
    print(*pair, seen, "by signs", rouge_l(by_signs, *pair))
    assert seen == expected, (pair, seen)
assert rouge_l(by_signs, "列出3种水果。", "解释3种算法。") == 0.43 and rouge_l(by_signs, "写一首诗。", "写一首诗。") == 1.0
PY
echo "as described"
