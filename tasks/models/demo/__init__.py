"""The built-in models: small Llamas that this project trains itself, on text that this project makes.

    stillroom sft --recipe evolved                          # `demo`, where no --model is given
    stillroom sft --recipe constrained --model demo-2       # also reasoning, dialogue, and dpo --recipe verified

For demonstrations and tests. What they can do and what not is in MODEL_CARD.md; `make demo-model` trains them again.
"""
