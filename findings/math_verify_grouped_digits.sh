#!/usr/bin/env bash
# math-verify 0.9.0 (latex2sympy2-extended 1.11.0), numbers whose digits are grouped by a space, as textbooks, the SI and much of
# Europe write them in LaTeX: 10\,000, 10\;000, 10\ 000, or 10 000 between dollar signs. The groups are taken for factors, and
# for the whole and the fraction of a mixed number where the second is not 000:
#   10\,000 against 10000        wrong, for it is read as 10 times 0
#   10\,000 against 20\,000      right, as any two whole thousands, and 0
#   12\,345 against 357          right: 12 + 345; against 12345 it is wrong
#   299\,792\,458                1549
#   10{,}000 and 10,000          10000, as they should
# Right as well: 1011_2 against 1011_3 (the base is not read), 12:30 against 2/5, 7 km against 7 m, 50 % against 50 and 0.5.
# Whoever rewards or filters by it has to take spaces between digits out of both answers first, and to compare units and bases.
set -euo pipefail
cd "$(mktemp -d)"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check "math-verify==0.9.0" "latex2sympy2-extended==1.11.0" "sympy==1.14.0" >/dev/null
env/bin/python - <<'PY'
from math_verify import parse, verify


def boxed(answer):
    return parse(rf"The answer is $\boxed{{{answer}}}$.")


same = [
    (r"20\,000", r"10\,000"),
    (r"20\;000", r"10\;000"),
    (r"20\ 000", r"10\ 000"),
    ("20 000", "10 000"),
    ("0", r"10\,000"),
    ("357", r"12\,345"),
    ("1549", r"299\,792\,458"),
    ("10000", "10{,}000"),
    ("10000", "10,000"),
    ("1011_2", "1011_3"),
    ("2/5", "12:30"),
    (r"7\text{ km}", r"7\text{ m}"),
    (r"50\%", "50"),
    (r"50\%", "0.5"),
]
other = [("10000", r"10\,000"), ("12345", r"12\,345"), ("299792458", r"299\,792\,458"), ("10000", r"10\ 000")]
for pairs, expected in ((same, True), (other, False)):
    for right, found in pairs:
        said = verify(boxed(right), boxed(found))
        print(f"{found} against {right}: {said}, read as {boxed(found)[0]} and {boxed(right)[0]}")
        assert said is expected, (right, found, said)
PY
echo "as described"
