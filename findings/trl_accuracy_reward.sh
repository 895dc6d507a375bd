#!/usr/bin/env bash
# trl 1.16.0 with math-verify 0.9.0, accuracy_reward, the reward of GRPO for maths. Its own example hands over solutions as bare LaTeX,
# \frac{1}{3}, and so do sets with an answer column. Read without dollar signs one plain number of a solution counts, or nothing:
#   solution             \boxed{} with the same      \boxed{} with
#   2\sqrt{3}            0                           2: 1
#   2^{10}               0                           2: 1
#   3x+2, 5i+3           0                           3, 5: 1
#   1\frac{1}{2}         0                           \frac{1}{2}: 1
#   1, 2                 0                           2: 1
#   \sqrt{2}, \pi, x^2+1, \{1,2\}, A     None: the row counts for nothing, and only log_extra tells
#   \frac{1}{3}, 12, -\frac{1}{2}        1
# So right answers are punished and wrong ones taught. With dollar signs around the solution all of them are 1, A as well. Of
# a completion only LaTeX with words before it or \boxed{} counts: "The answer is 12.", "$12$" and \boxed{\frac12} get 0.
# Whoever trains with it has to put dollar signs around each solution, and to score the solutions themselves first.
set -euo pipefail
cd "$(mktemp -d)"
python3 -m venv env
# trl without its dependencies: the function needs none of torch
env/bin/pip install --quiet --disable-pip-version-check --no-deps "trl==1.16.0" >/dev/null
env/bin/pip install --quiet --disable-pip-version-check "math-verify==0.9.0" "latex2sympy2-extended==1.11.0" "sympy==1.14.0" \
  "transformers==5.23.0" >/dev/null
cat >ask.py <<'PY'
from trl.rewards import accuracy_reward


def reward(said, solution):
    return accuracy_reward([[{"role": "assistant", "content": said}]], [solution])[0]


def boxed(answer):
    return rf"The answer is $\boxed{{{answer}}}$."


taught = {r"2\sqrt{3}": "2", "2^{10}": "2", "3x+2": "3", "5i+3": "5", r"1\frac{1}{2}": r"\frac{1}{2}", "1, 2": "2"}
skipped = [r"\sqrt{2}", r"\pi", "x^2+1", r"\{1,2\}", "A"]
fine = [r"\frac{1}{3}", "12", r"-\frac{1}{2}"]
for solution, wrong in taught.items():
    print(f"{solution}: right {reward(boxed(solution), solution)}, {wrong} {reward(boxed(wrong), solution)}")
    assert (reward(boxed(solution), solution), reward(boxed(wrong), solution)) == (0.0, 1.0), solution
for solution in skipped:
    print(f"{solution}: right {reward(boxed(solution), solution)}")
    assert reward(boxed(solution), solution) is None, solution
assert [reward(boxed(solution), solution) for solution in fine] == [1.0] * 3
for solution in (*taught, *skipped, *fine):
    assert reward(boxed(solution), f"${solution}$") == 1.0, solution
for said in ("The answer is 12.", "$12$", "**12**"):
    print(f"{said} for 12: {reward(said, '12')}")
    assert reward(said, "12") == 0.0, said
assert reward(boxed(r"\frac12"), "$0.5$") == 0.0
PY
HF_HUB_OFFLINE=1 env/bin/python -W ignore ask.py 2>log || { tail -5 log; exit 1; }
echo "as described"
