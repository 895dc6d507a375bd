#!/usr/bin/env bash
# datatrove 0.10.1, a two-letter language code ("zh") for deduplication and quality filters: the word tokenizer that comes is
# not the one that datatrove's own table has as the default for that code. The table says TRUE or FALSE in text, the reader
# takes either for yes, so the last row of a code wins, for 25 codes. Among them
#   zh                      the language-neutral one of spaCy and not Chinese: a sentence without a space is one word, so
#                           a Chinese text has hardly a 5-gram and is not deduplicated, and its words are too long for filters
#   hi bn gu mr ne pa ur    the one that transcriptions in Latin script are given, Kurdish of stanza
#   ar az                   the language-neutral one
#   ms                      the Thai one
# A code with its script is exact: "cmn_Hani", "hin_Deva". Whoever passes two letters has to print the tokenizer.
set -euo pipefail
cd "$(mktemp -d)"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check \
  "datatrove[processing]==0.10.1" "spacy==3.8.18" "jieba==0.42.1" >/dev/null
env/bin/python -W ignore - 2>/dev/null <<'PY'
import csv
from pathlib import Path

import datatrove
from datatrove.utils.word_tokenizers import load_tokenizer_assignments, load_word_tokenizer

table = Path(datatrove.__file__).with_name("assets") / "tokenizer_assignment.csv"
with table.open() as lines:
    rows = list(csv.DictReader(lines))
default = {
    row["code_1"]: (row["type"], row["tok_code"])
    for row in rows
    if row["code_1"] and row["default_script"] == row["default_code_1"] == "TRUE" and row["type"]
}
given = {code: tuple(load_tokenizer_assignments()[code].args) for code in default}
other = {code: (default[code], given[code]) for code in sorted(default) if default[code] != given[code]}
for code, (meant, comes) in other.items():
    print(f"{code}: {' '.join(meant)} -> {' '.join(comes)}")
text = "今天天气很好，我们一起去公园散步吧。"
words = {code: load_word_tokenizer(code).word_tokenize(text) for code in ("zh", "cmn_Hani")}
print(words)
assert other["zh"] == (("SpaCyTokenizer", "zh"), ("SpaCyTokenizer", "xx")), other
assert all(other[code][1] == ("StanzaTokenizer", "kmr") for code in "hi bn gu mr ne pa ur".split()), other
assert other["ms"][1][0] == "ThaiTokenizer" and other["ar"][1][1] == other["az"][1][1] == "xx", other
assert len(other) == 25 and words["zh"] == [text[:-1], "。"] and len(words["cmn_Hani"]) > 8, words
PY
echo "as described"
