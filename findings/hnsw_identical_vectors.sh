#!/usr/bin/env bash
# Identical vectors in a graph index, as template answers and refusals give them to an embedder: 3,000 vectors of which 1,000
# are the same one, the 1,000 nearest to it asked for, one thread, all parameters as they come.
#   hnswlib 0.8.0 (ef 1000)    about 750 of them, and farther vectors in place of the rest
#   usearch 2.26.6             about 330 of them, and farther vectors in place of the rest
#   faiss-cpu 1.15.1           about 315 of them, and -1 in place of the rest; the same 315 with efSearch = 3000
# So most answers look full. The missing copies cannot be reached in the graph, and a wider search does not help. Whoever
# clusters, counts or removes near duplicates by such an index has to remove equal vectors before, or to find the large groups
# by brute force.
set -euo pipefail
cd "$(mktemp -d)"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check \
  "faiss-cpu==1.15.1" "usearch==2.26.6" "hnswlib==0.8.0" "numpy<3" >/dev/null
env/bin/python - <<'PY'
import faiss
import hnswlib
import numpy as np
from usearch.index import Index

draw = np.random.default_rng(0)
vectors = draw.normal(size=(3000, 64)).astype("float32")
vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
vectors[:1000] = vectors[0]
vectors = vectors[draw.permutation(3000)]
one = next(row for row in vectors if (vectors == row).all(axis=1).sum() == 1000)
alike = (vectors == one).all(axis=1)
want = int(alike.sum())
faiss.omp_set_num_threads(1)


def found(keys):
    keys = np.asarray(keys, dtype=np.int64)
    return int(alike[keys[keys >= 0]].sum()), int((keys >= 0).sum())


seen = {}
flat = faiss.IndexFlatIP(64)
flat.add(vectors)
seen["brute force"] = found(flat.search(one[None], want)[1][0])
graph = faiss.IndexHNSWFlat(64, 32)
graph.add(vectors)
seen["faiss"] = found(graph.search(one[None], want)[1][0])
graph.hnsw.efSearch = 3000
seen["faiss, efSearch 3000"] = found(graph.search(one[None], want)[1][0])
index = Index(ndim=64, metric="cos", dtype="f32")
index.add(np.arange(3000), vectors, threads=1)
seen["usearch"] = found(index.search(one, want).keys)
seen["usearch, exact"] = found(index.search(one, want, exact=True).keys)
small = hnswlib.Index(space="cosine", dim=64)
small.init_index(3000)
small.add_items(vectors, num_threads=1)
small.set_ef(want)
seen["hnswlib"] = found(small.knn_query(one, want)[0][0])
for which, (same, all_of_them) in seen.items():
    print(f"{which}: {same} of the {want} identical ones among {all_of_them}")
assert seen["brute force"] == seen["usearch, exact"] == (1000, 1000), seen
for which in ("faiss, efSearch 3000", "usearch", "hnswlib"):
    assert seen[which][0] < 900 and seen[which][1] == 1000, seen
assert seen["faiss"][0] < 600 and seen["faiss"][1] < 1000, seen
PY
echo "as described"
