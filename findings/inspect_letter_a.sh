#!/usr/bin/env bash
# inspect-ai 0.3.285, the scorers exact() and f1() on a question whose answer is a letter: both sides are made plain as SQuAD
# does it, and there "A" is an article, so that nothing is left of it, and nothing is never right.
#   target "A", answer "A"                     exact I, f1 0; "B" for "B" is C and 1
#   target "Vitamin A", answer "Vitamin"       C
# So of four choices a quarter is lost for every model, and one that never says A looks as good as one that is right. Signs go too:
#   -5 for 5, 1/2 for 12, 1,5 for 15, x<y for x>y, C++ for C#      C, by exact() and f1()
#   -5 for 5, C++ for C#                       C, by match() as well, which leaves signs away at both ends
#   €5 for 5                                   I; $5 for 5 is C
# Whoever scores letters has to take choice() or pattern(), and for numbers match(numeric=True), which tells -5 from 5.
set -euo pipefail
cd "$(mktemp -d)"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check "inspect-ai==0.3.285" >/dev/null
env/bin/python - <<'PY'
import asyncio

from inspect_ai.model import ModelOutput
from inspect_ai.scorer import Target, exact, f1, match
from inspect_ai.solver import TaskState


async def scored(scorer, target, answer):
    output = ModelOutput.from_content("none/none", answer)
    state = TaskState(model="none/none", sample_id=1, epoch=1, input="", messages=[], output=output)
    return (await scorer(state, Target(target))).value


pairs = {
    ("A", "A"): ["I", 0.0, "C"],
    ("B", "B"): ["C", 1.0, "C"],
    ("Vitamin A", "Vitamin"): ["C", 1.0, "I"],
    ("5", "-5"): ["C", 1.0, "C"],
    ("12", "1/2"): ["C", 1.0, "I"],
    ("15", "1,5"): ["C", 1.0, "I"],
    ("x>y", "x<y"): ["C", 1.0, "I"],
    ("C#", "C++"): ["C", 1.0, "C"],
    ("5", "€5"): ["I", 0.0, "C"],
    ("5", "$5"): ["C", 1.0, "C"],
}
for pair, expected in pairs.items():
    seen = [asyncio.run(scored(scorer, *pair)) for scorer in (exact(), f1(), match())]
    print("target {!r}, answer {!r}: exact {}, f1 {}, match {}".format(*pair, *seen))
    assert seen == expected, (pair, seen)
assert asyncio.run(scored(match(numeric=True), "5", "-5")) == "I"
PY
echo "as described"
