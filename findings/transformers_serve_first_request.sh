#!/usr/bin/env bash
# transformers 5.23.0, `transformers serve --continuous-batching` (OpenAI's protocol): the first request after the start decides for
# all later ones, of every client, whether they are sampled. With generation_config.json saying `do_sample: true`:
#   first temperature 0      four seeds at temperature 1 bring the greedy text four times
#   first temperature 1      temperature 0 is sampled, and brings another text each time
# HTTP 200, and nothing says so; a later start with another first request behaves in the other way. So one greedy question, a health
# check or a judge's, takes all variety out of a night of samples, and a judge that asks at temperature 0 gets chance.
# Without --continuous-batching each request is taken as it says. Whoever mixes the two has to start a server for each.
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
from contextlib import contextmanager
from pathlib import Path

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

SHAPE = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4}
GREEDY, SAMPLED = {"temperature": 0.0}, {"temperature": 1.0}


def save(name):
    """A random model whose tokens are the words w0 to w511."""
    torch.manual_seed(0)
    ends = {"bos_token_id": None, "eos_token_id": None, "pad_token_id": 0}
    model = LlamaForCausalLM(LlamaConfig(vocab_size=512, max_position_embeddings=256, **SHAPE, **ends))
    model.generation_config.do_sample = True
    model.save_pretrained(name)
    words = Tokenizer(models.WordLevel({f"w{n}": n for n in range(512)}, unk_token="w0"))
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=words)
    tokenizer.chat_template = "{% for m in messages %}{{ m.content }}{% endfor %}"
    tokenizer.save_pretrained(name)
    return str(Path(name).absolute())


@contextmanager
def serving(*more):
    """The server; asks it for the text of one request."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        base = f"http://127.0.0.1:{probe.getsockname()[1]}"
    transformers = Path(sys.executable).with_name("transformers")
    command = [str(transformers), "serve", "--host", "127.0.0.1", "--port", base.rpartition(":")[2], "--device", "cpu", *more]

    def text(**told):
        body = {"model": MODEL, "messages": [{"role": "user", "content": "w1 w2 w3"}], "max_tokens": 20} | told
        sent = urllib.request.Request(f"{base}/v1/chat/completions", json.dumps(body).encode(), {"Content-Type": "application/json"})
        return json.load(urllib.request.urlopen(sent, timeout=120))["choices"][0]["message"]["content"]

    quiet = {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    with open("server.log", "ab") as log:
        server = subprocess.Popen(command, env=os.environ | quiet, stdout=log, stderr=log)
    try:
        for _ in range(120):
            try:
                urllib.request.urlopen(f"{base}/health", timeout=5)
                break
            except OSError:
                time.sleep(1)
        yield text
    finally:
        server.kill()
        server.wait()


def asked(first, *more):
    """How many texts four seeds at temperature 1 bring, and four times temperature 0, after the first request."""
    with serving(*more) as text:
        text(**first)
        sampled = {text(**SAMPLED, seed=seed) for seed in range(4)}
        greedy = {text(**GREEDY) for _ in range(4)}
    return len(sampled), len(greedy)


MODEL = save("model")
BATCHING = ("--continuous-batching", "--cb-max-memory-percent", "0.05")
seen = {
    "batching, greedy first": asked(GREEDY, *BATCHING),
    "batching, sampled first": asked(SAMPLED, *BATCHING),
    "no batching, greedy first": asked(GREEDY),
    "no batching, sampled first": asked(SAMPLED),
}
for case, (sampled, greedy) in seen.items():
    print(f"{case}: four seeds at temperature 1 bring {sampled} texts, temperature 0 four times {greedy}")
assert list(seen.values()) == [(1, 1), (4, 4), (4, 1), (4, 1)], seen
PY
env/bin/python -W ignore ask.py 2>errors || { cat errors; exit 1; }
echo "as described"
