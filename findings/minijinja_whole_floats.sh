#!/usr/bin/env bash
# minijinja 3.1.0 (the Python package): a float without a fraction becomes an int whenever a value goes from a template to
# Python, so in every filter, test and function written in Python and in what eval_expr returns; inside of a list or a dict
# that came from Python it stays a float. Chat templates need `tojson` with ensure_ascii, which minijinja's own does not
# know, so a host replaces it by one in Python: then arguments that a template writes one by one (the GLM, MiniMax and
# DeepSeek way) read 1 where the same template under jinja2 writes 1.0, while those written as one object agree. `indent`
# also drops a final newline, which jinja2 keeps. Whoever renders the same template in both gets two prompts for one
# conversation: compare renderings with whole floats in the tool calls, or hand the values over as text.
set -euo pipefail
cd "$(mktemp -d)"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check "minijinja==3.1.0" "jinja2==3.1.6" >/dev/null
env/bin/python - <<'PY'
import json

import jinja2
import minijinja

one_by_one = "{% for k, v in call.items() %}<{{ k }}>{{ v if v is string else v | tojson }}</{{ k }}>{% endfor %}"
templates = {
    "one by one": one_by_one,
    "as one object": "{{ call | tojson }}",
    "without tojson": "{{ call.scale }}",
    "kind of a literal": "{{ 2.0 | kind }}",
    "indent": "{{ 'a\\nb\\n' | indent(2) }}|",
}
call = {"city": "Hue", "scale": 1.0, "share": 0.5}
engines = {"jinja2": jinja2.Environment(), "minijinja": minijinja.Environment()}
for name, engine in engines.items():
    add = engine.add_filter if name == "minijinja" else engine.filters.__setitem__
    add("tojson", lambda value: json.dumps(value, ensure_ascii=False))
    add("kind", lambda value: type(value).__name__)
render = {
    "jinja2": lambda text: engines["jinja2"].from_string(text).render(call=call),
    "minijinja": lambda text: engines["minijinja"].render_str(text, call=call),
}
seen = {case: [render[name](text) for name in engines] for case, text in templates.items()}
for case, both in seen.items():
    print(case, both)
back = engines["minijinja"].eval_expr("call.scale", call=call)
print("eval_expr gives", repr(back))
assert seen["one by one"][0] == "<city>Hue</city><scale>1.0</scale><share>0.5</share>", seen
assert seen["one by one"][1] == "<city>Hue</city><scale>1</scale><share>0.5</share>", seen
assert seen["as one object"] == ['{"city": "Hue", "scale": 1.0, "share": 0.5}'] * 2, seen
assert seen["without tojson"] == ["1.0", "1.0"] and seen["kind of a literal"] == ["float", "int"], seen
assert seen["indent"] == ["a\n  b\n|", "a\n  b|"] and type(back) is int, seen
PY
echo "as described"
