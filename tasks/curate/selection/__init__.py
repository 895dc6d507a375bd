"""How rows are chosen out of a pool: pure functions of ids, scores and embeddings."""
