#!/usr/bin/env bash
# datatrove 0.10.1, MinHash deduplication as it comes (5-grams of words; MinhashConfig(), language "en" and "vi"), on prompts
# and not on web pages. The text is simplified before it is hashed, and a text without one whole 5-gram has no signature:
#   sort a list in C / in C++ / in C#          one is kept: signs are gone
#   x - 4 = 0 / x + 9 = 0                      one is kept: every number is 0, every operator a space
#   Vietnamese that differs in tones alone     one is kept: combining marks are gone (Thai vowels and Japanese voicing too)
#   the same text of four words, 50 times      all 50 are kept, and nothing says that they were not looked at
# Whoever deduplicates instructions has to turn off what matters there (TextNormConfig: norm_numbers, remove_punctuation,
# norm_unicode_diacritics) and remove equal short texts by other means.
set -euo pipefail
cd "$(mktemp -d)"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check \
  "datatrove[processing]==0.10.1" "spacy==3.8.18" "pyvi==0.1.1" >/dev/null
env/bin/python -W ignore - 2>/dev/null <<'PY'
import tempfile

from datatrove.data import Document
from datatrove.pipeline.dedup import MinhashDedupBuckets, MinhashDedupCluster, MinhashDedupFilter, MinhashDedupSignature
from datatrove.pipeline.dedup.minhash import MinhashConfig
from datatrove.utils.text import TextNormConfig, simplify_text


def kept(texts, language="en", **options):
    config, folder = MinhashConfig(**options), tempfile.mkdtemp()
    rows = [Document(text=text, id=str(place)) for place, text in enumerate(texts)]
    MinhashDedupSignature(f"{folder}/signatures", config=config, language=language).run(iter(rows), 0, 1)
    for bucket in range(config.num_buckets):
        MinhashDedupBuckets(f"{folder}/signatures", f"{folder}/buckets", config=config).run(None, bucket, config.num_buckets)
    MinhashDedupCluster(f"{folder}/buckets", f"{folder}/remove", config=config).run(None, 0, 1)
    return len(list(MinhashDedupFilter(f"{folder}/remove").run(iter(rows), 0, 1)))


sort = ["How do I sort a list in C?", "How do I sort a list in C++?", "How do I sort a list in C#?"]
solve = ["Solve this for x over reals: x - 4 = 0", "Solve this for x over reals: x + 9 = 0"]
tones = ["Hôm nay mẹ tôi bán ba con cá lóc to ở chợ làng", "Hôm nay mẹ tôi bận bà con ca lọc tơ ở chờ lạng"]
as_is = TextNormConfig(norm_numbers=False, remove_punctuation=False, norm_unicode_diacritics=False)
seen = {
    "languages": kept(sort),
    "equations": kept(solve),
    "tones": kept(tones, "vi"),
    "four words, 50 times": kept(["Name three primary colours"] * 50),
    "five words, 50 times": kept(["Please name three primary colours"] * 50),
    "equations, nothing simplified": kept(solve, norm_config=as_is),
}
for case, number in seen.items():
    print(f"{case}: {number} kept")
simple = [simplify_text(text) for text in ("เสือ", "เสื่อ", "เสื้อ", "かぎ", "かき", "x = -5", "3.5 %")]
print(simple)
assert list(seen.values()) == [1, 1, 1, 50, 1, 2], seen
assert len(set(simple[:3])) == 1 and simple[3] == simple[4] and simple[5:] == ["x 0", "0"], simple
PY
echo "as described"
