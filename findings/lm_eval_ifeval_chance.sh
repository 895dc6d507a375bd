#!/usr/bin/env bash
# lm-eval 0.4.13, the IFEval task: labels that depend on chance, and checks that ask for something else than the prompt.
#   "#" at least 4 times    letter_frequency draws a letter from `random` in place of a sign that is none: two of the 541
#                           published prompts (keys 1122 and 1129) are scored by a letter that the model was never told
#   lower or upper case     langdetect has to say "en" as well: "etchings" and "YES" are never English, and without
#                           DetectorFactory.seed, which lm-eval does not set, the language of a short text changes from
#                           call to call, so that one response passes and fails
#   Summary: ...            nth_paragraph_first_word takes the colon for a part of the word
#   the keyword "C++"       is a regular expression, as every keyword: "Cobol" has it, and "axb" has "a.b"
#   NaN, "yes"              are valid JSON for json_format
# NLTK's download of punkt_tab at import may fail without a word: "Downloaded punkt_tab on rank 0" is printed all the same, and the
# two kinds that need it (number_sentences, capital_word_frequency) raise LookupError once they are asked.
# Whoever compares scores has to seed `random` and langdetect, and to leave the two prompts out.
set -euo pipefail
cd "$(mktemp -d)"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check --no-deps "lm-eval==0.4.13" >/dev/null 2>&1
env/bin/pip install --quiet --disable-pip-version-check \
  "langdetect==1.0.9" "immutabledict==4.3.1" "nltk==3.10.4" packaging >/dev/null 2>&1
env/bin/python -W ignore - 2>/dev/null <<'PY'
import random
import sys
import sysconfig
import types
from pathlib import Path

for name in ("lm_eval", "lm_eval.tasks"):  # the checkers alone: what the package imports is not needed
    package = types.ModuleType(name)
    package.__path__ = [str(Path(sysconfig.get_path("purelib"), *name.split(".")))]
    sys.modules[name] = package
from lm_eval.tasks.ifeval.instructions_registry import INSTRUCTION_DICT


def label(kind, response, **told):
    check = INSTRUCTION_DICT[kind](kind)
    check.build_description(**told)
    return check.check_following(response)


def labels(kind, response, **told):
    return {label(kind, response, **told) for _ in range(200)}


letter = dict(let_relation="at least", let_frequency=4, letter="#")
response = "#teens #read #books #library and see"
chance = labels("keywords:letter_frequency", response, **letter)
print("four #:", chance)
assert chance == {True, False}
random.seed(0)
assert labels("keywords:letter_frequency", response, **letter | {"letter": "e"}) == {True}

short = {text: labels("change_case:english_lowercase", text) for text in ("etchings", "but remember your promise.")}
print(short, labels("change_case:english_capital", "YES"))
assert short["etchings"] == {False} and labels("change_case:english_capital", "YES") == {False}
assert {True, False} in short.values(), short

first = dict(num_paragraphs=1, nth_paragraph=1, first_word="summary")
assert [label("length_constraints:nth_paragraph_first_word", text, **first) for text in ("Summary: so", "Summary, so")] == [False, True]
assert label("keywords:existence", "I write Cobol.", keywords=["C++"])
assert label("keywords:existence", "axb", keywords=["a.b"])
assert [label("detectable_format:json_format", text) for text in ("NaN", '"yes"', "{yes}")] == [True, True, False]
PY
echo "as described"
