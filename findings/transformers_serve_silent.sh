#!/usr/bin/env bash
# transformers 5.23.0, `transformers serve` (OpenAI's protocol): what it takes with HTTP 200, says nothing of, and does not do.
#   seed             it seeds the one generator of the process as a request arrives, while another may be in the middle of its
#                    text. Asked one by one a seed repeats its text; asked four at once, hardly any of the four comes out
#                    as it does alone, and the same four bring other texts the next time.
#   context          400 tokens for a model of 256 positions: a completion, `finish_reason` as always, prompt_tokens 400.
#                    (vLLM and llama.cpp refuse it.)
#   temperature      where generation_config.json does not say `do_sample: true`, every seed brings the greedy text.
#   response_format  a JSON schema is passed over: a line in the server's log, and text that is no JSON.
# Whoever makes data with it has to keep each answer, since no seed brings it back; set do_sample; keep to the context; and
# check every answer that has to be JSON.
set -euo pipefail
cd "$(mktemp -d)"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check "torch==2.13.0" "transformers[serving]==5.23.0" >/dev/null
cat >ask.py <<'PY'
import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

SHAPE = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 4, "num_attention_heads": 4}
SCHEMA = {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "object"}}}
SEEDS = range(4)


def save(name, do_sample):
    """A random model whose tokens are the words w0 to w511."""
    torch.manual_seed(0)
    ends = {"bos_token_id": None, "eos_token_id": None, "pad_token_id": 0}
    model = LlamaForCausalLM(LlamaConfig(vocab_size=512, max_position_embeddings=256, **SHAPE, **ends))
    model.generation_config.do_sample = do_sample
    model.save_pretrained(name)
    words = Tokenizer(models.WordLevel({f"w{n}": n for n in range(512)}, unk_token="w0"))
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=words)
    tokenizer.chat_template = "{% for m in messages %}{{ m.content }}{% endfor %}"
    tokenizer.save_pretrained(name)
    return str(Path(name).absolute())


def ask(model, content="w1 w2 w3", **more):
    body = {"model": model, "messages": [{"role": "user", "content": content}], "max_tokens": 60, "temperature": 1.0} | more
    sent = urllib.request.Request(f"{BASE}/v1/chat/completions", json.dumps(body).encode(), {"Content-Type": "application/json"})
    return json.load(urllib.request.urlopen(sent, timeout=120))


def text(model, **more):
    return ask(model, **more)["choices"][0]["message"]["content"]


def at_once(model):
    with ThreadPoolExecutor(len(SEEDS)) as pool:
        return list(pool.map(lambda seed: text(model, seed=seed), SEEDS))


with socket.socket() as probe:
    probe.bind(("127.0.0.1", 0))
    port = probe.getsockname()[1]
BASE = f"http://127.0.0.1:{port}"
sampling, plain = save("sampling", True), save("plain", False)
command = [str(Path(sys.executable).with_name("transformers")), "serve", "--host", "127.0.0.1", "--port", str(port)]
quiet = {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
with open("server.log", "wb") as log:
    server = subprocess.Popen([*command, "--device", "cpu"], env=os.environ | quiet, stdout=log, stderr=log)
try:
    for _ in range(120):
        try:
            urllib.request.urlopen(f"{BASE}/health", timeout=5)
            break
        except OSError:
            time.sleep(1)
    alone = [text(sampling, seed=seed) for seed in SEEDS]
    again = [text(sampling, seed=seed) for seed in SEEDS]
    rounds = [at_once(sampling) for _ in range(3)]
    long = ask(sampling, "w5 " * 400, max_tokens=8)
    greedy = {text(plain, seed=seed) for seed in SEEDS}
    formatted = text(sampling, response_format=SCHEMA)
finally:
    server.terminate()
same = [sum(one == other for one, other in zip(alone, texts)) for texts in rounds]
print(f"seeds one by one, twice: {sum(map(str.__eq__, alone, again))} of 4 texts are the same")
print(f"the four at once, three times: {same} of 4 are as they are alone; {len(set(sum(rounds, [])))} of 12 texts differ")
print(f"400 tokens in a context of 256: {long['usage']}, {long['choices'][0]['finish_reason']}")
print(f"do_sample not set, temperature 1, four seeds: {len(greedy)} text")
print(f"a JSON schema: {formatted[:24]!r}...")
assert alone == again and len(set(alone)) == 4, (alone, again)
assert sum(same) <= 6 and len(set(sum(rounds, []))) > 4, same
assert long["usage"]["prompt_tokens"] == 400 and long["choices"][0]["message"]["content"], long
assert len(greedy) == 1, greedy
assert formatted.startswith("w"), formatted
PY
env/bin/python -W ignore ask.py 2>errors || { cat errors; exit 1; }
echo "as described"
