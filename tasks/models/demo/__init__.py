"""The built-in model: a small Llama that this project trains itself, on text that this project makes.

    stillroom sft --recipe evolved          # uses it where no --model is given

For demonstrations and tests. What it can do and what not is in MODEL_CARD.md; `make demo-model` trains it again.
"""
