#!/usr/bin/env bash
# One JSON schema, as pydantic writes it, and the three engines that servers hold answers to it with (vLLM, SGLang and others have
# one of them as the default and take another by an option). Whether each lets a model write this:
#                                                xgrammar 0.2.9   llguidance 1.9.1      outlines-core 0.2.14
#   a text with max_length: "a\nb", "a\"b"       no               yes                   yes
#   int, ge=1, le=5: 77                          no               no                    yes
#   pattern="ab": "xaby", which is valid         no               yes                   no
#   pattern="^yes|no$": "yes (no JSON)           no               no                    yes
#   pattern="^.{3,}$": "a"b" (no JSON)           no               no                    yes
#   set[int]: [1, 1]                             yes              refuses the schema    yes
#   $ref with maxLength: 2 beside it: "abcd"     yes              no                    yes
# So a length bound takes line breaks and quotation marks away from all answers of one server, without a word, and on another a
# grade of 77 comes back as structured output. Whoever asks for structured answers has to check each one, to bound no text by its
# length, to write `pattern` as ^(...)$ without a bare dot, and to try the schema again on another server.
set -euo pipefail
cd "$(mktemp -d)"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check "torch==2.13.0" "xgrammar==0.2.9" "transformers==5.23.0" "llguidance==1.9.1" \
  "outlines-core==0.2.14" "pydantic==2.14.0" >/dev/null
cat >ask.py <<'PY'
import json
from typing import Annotated

import xgrammar
from llguidance import LLMatcher, LLTokenizer
from outlines_core import Guide, Index, Vocabulary
from outlines_core.json_schema import build_regex_from_schema
from pydantic import Field, TypeAdapter

EACH_BYTE = xgrammar.TokenizerInfo([bytes([at]) for at in range(256)] + [b"<end>"], vocab_size=257, stop_token_ids=[256])
COMPILER = xgrammar.GrammarCompiler(EACH_BYTE, max_threads=1)
BYTES = LLTokenizer("byte")
SIGNS = Vocabulary(999, {chr(at): [at] for at in range(32, 127)})


def in_xgrammar(schema, text):
    matcher = xgrammar.GrammarMatcher(COMPILER.compile_json_schema(schema), terminate_without_stop_token=True)
    return all(matcher.accept_token(at) for at in text.encode()) and matcher.is_completed()


def in_llguidance(schema, text):
    matcher = LLMatcher(BYTES, LLMatcher.grammar_from_json_schema(schema))
    if matcher.get_error():
        return "refuses"
    tokens = BYTES.tokenize_str(text)
    return matcher.try_consume_tokens(tokens) == len(tokens) and matcher.is_accepting()


def in_outlines(schema, text):
    guide = Guide(Index(build_regex_from_schema(schema), SIGNS))
    for sign in text:
        if ord(sign) not in guide.get_tokens():
            return False
        guide.advance(ord(sign))
    return guide.is_finished()


def text_of(**bounds):
    return TypeAdapter(Annotated[str, Field(**bounds)]).json_schema()


cases = {
    ("line break", r'"a\nb"'): (text_of(max_length=4), [False, True, True]),
    ("quotation", r'"a\"b"'): (text_of(max_length=4), [False, True, True]),
    ("no bound", r'"a\nb"'): (text_of(), [True, True, True]),
    ("grade", "77"): (TypeAdapter(Annotated[int, Field(ge=1, le=5)]).json_schema(), [False, False, True]),
    ("within", '"xaby"'): (text_of(pattern="ab"), [False, True, False]),
    ("either", '"yes'): (text_of(pattern="^yes|no$"), [False, False, True]),
    ("three signs", '"a"b"'): (text_of(pattern="^.{3,}$"), [False, False, True]),
    ("set", "[1, 1]"): (TypeAdapter(set[int]).json_schema(), [True, "refuses", True]),
    ("$ref", '"abcd"'): ({"$defs": {"t": {"type": "string"}}, "$ref": "#/$defs/t", "maxLength": 2}, [True, False, True]),
}
for (case, text), (schema, expected) in cases.items():
    asked = json.dumps(schema)
    seen = [engine(asked, text) for engine in (in_xgrammar, in_llguidance, in_outlines)]
    print(f"{case}: {asked} {text}", *seen)
    assert seen == expected, (case, seen)
PY
env/bin/python ask.py 2>log || { tail -5 log; exit 1; }
echo "as described"
