"""A prompt that the server cut without a word: its own count of tokens is far below what the text can have.

Ollama's compatible endpoint does so at the context that it was started with (4,096 tokens, unless told); others
refuse such a prompt. What a template or pictures add only makes the count larger; what a server has in its cache it
counts, or says beside the count.
"""

from __future__ import annotations

from collections.abc import Callable

from tasks.models.answers.counted import least_tokens, request_texts
from tasks.models.base import Request

FROM_TOKENS = 512  # shorter prompts are cut by no server, and some count what they like
FAR = 0.75  # of the least that the text can have: some tokenizers join words
FAR_OF_COUNTED = 0.8  # of what the model's own tokenizer counts
CHARS_AT_LEAST = 1024  # a text of fewer cannot have so many tokens
FIX = (
    "give the server more context: Ollama by `num_ctx` in a Modelfile or OLLAMA_CONTEXT_LENGTH, llama.cpp by -c, "
    "vLLM by --max-model-len"
)


def is_cut(request: Request, prompt_tokens: int, count: Callable[[str], int] | None = None) -> str:
    """Why the server cannot have read the whole prompt; empty where it can. `count`: the model's tokenizer, if known."""
    if prompt_tokens <= 0:
        return ""
    texts = request_texts(request)
    if sum(map(len, texts)) < CHARS_AT_LEAST:
        return ""
    least = least_tokens(texts)
    if least < FROM_TOKENS or prompt_tokens >= least:
        return ""
    if count is not None:
        counted = sum(map(count, texts))
        return (
            f"the server read {prompt_tokens} tokens of {counted}" if prompt_tokens < FAR_OF_COUNTED * counted else ""
        )
    return f"the server read {prompt_tokens} tokens of {least:.0f} at the least" if prompt_tokens < FAR * least else ""
