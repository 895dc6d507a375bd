"""How alike two texts are: words as numbers, sets of shingles, MinHash signatures, Jaccard, and shared runs of words."""
