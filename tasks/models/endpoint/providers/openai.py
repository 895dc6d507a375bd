"""The words of the OpenAI protocol: vLLM, SGLang, llama.cpp, TGI, Ollama, transformers serve, most hosted APIs.

Chat completions for messages, completions for raw text. Only what differs from the protocol's defaults is sent, so
that servers that know little understand it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import orjson

from tasks.models.answers.thinking import served_as, variables_of
from tasks.models.base import Completion, Request, Sampling, Thinking
from tasks.models.endpoint.faults import ServerError, server_error
from tasks.models.endpoint.learnt import JSON_SCHEMA, LOGPROBS, Learnt
from tasks.models.endpoint.provider import FEATURES, NOTHING, Served, merged_bodies
from tasks.models.endpoint.providers.openai_answers import completion_of
from tasks.models.endpoint.providers.openai_embeddings import embeddings_body, embeddings_of
from tasks.models.endpoint.providers.openai_scores import score_body, score_of, score_url

SEED_BITS = 31  # what every server takes: llama.cpp reads 32, and all ones mean "random" to it


class OpenAI:
    """Implements `Provider`, and `Embedder`."""

    offers = FEATURES

    def url(self, base: str, request: Request) -> str:
        """Below the base, which mostly ends in /v1."""
        if request.embed is not None:
            return f"{base}/embeddings"
        if request.scored_by is not None:
            return score_url(base, request.scored_by)
        return f"{base}/chat/completions" if request.messages is not None else f"{base}/completions"

    def headers(self, key: str | None) -> dict[str, str]:
        """The key, where there is one."""
        return {} if key is None else {"Authorization": f"Bearer {key}"}

    def body(self, request: Request, served: Served) -> bytes:
        """A chat completion, or the continuation of raw text."""
        if request.scored_by is not None:
            return score_body(served.model, request, served.extra)
        stop_ids = _stop_ids(request, served)
        if request.messages is not None:
            extra = _beside_the_protocol(request.sampling.thinking, served)
            return chat_body(served.model, request, served.learnt, stop_ids, extra)
        return raw_body(served.model, request, served.learnt, stop_ids, served.extra, bos=_bos(served))

    def answer(self, body: bytes, request: Request, served: Served) -> Completion:
        """The completion in an answer's body."""
        if request.scored_by is not None:
            return score_of(body)
        return completion_of(body, request, served.model, served.answer_format)

    def fault(self, status: int, headers: Mapping[str, str], body: bytes) -> ServerError:
        """OpenAI's error object, and those of the many servers that speak its protocol in other ways."""
        return server_error(status, headers, body)

    def embeddings_body(self, texts: Sequence[str], served: Served) -> bytes:
        """The embeddings of several texts."""
        return embeddings_body(served.model, texts)

    def embeddings(self, body: bytes, texts: Sequence[str], dimensions: int) -> list[Completion]:
        """The embeddings in an answer's body, in the order of the texts."""
        return embeddings_of(body, texts, dimensions)


def _beside_the_protocol(thinking: Thinking, served: Served) -> dict[str, Any]:
    """What a chat request says beside the protocol: whether to think, and the user's own fields."""
    known = served.tokenizer is not None and thinking != "model"
    variables = variables_of(served.tokenizer(), thinking) if served.tokenizer is not None and known else None
    return merged_bodies(served_as(thinking, served.learnt.thinks_by, variables), served.extra)


def _stop_ids(request: Request, served: Served) -> Sequence[int]:
    """The tokens of stop texts, for a server that does not take all texts; only where the tokenizer is known."""
    learnt, stop = served.learnt, request.sampling.stop
    if learnt.stops is None or len(stop) <= learnt.stops or not learnt.takes_stop_ids or served.tokenizer is None:
        return ()
    tokenizer: Any = served.tokenizer()
    vocabulary: dict[str, int] = tokenizer.get_added_vocab()
    return [vocabulary[text] for text in stop if text in vocabulary]


def _bos(served: Served) -> str | None:
    """The text that the server puts before a raw prompt by itself; None: it is told not to."""
    if not served.learnt.bos_unasked:
        return None
    return "" if served.tokenizer is None else getattr(served.tokenizer(), "bos_token", None) or ""


def chat_body(
    model: str,
    request: Request,
    learnt: Learnt,
    stop_ids: Sequence[int] = (),
    extra: Mapping[str, Any] = NOTHING,
) -> bytes:
    """The JSON body that asks for a chat completion, as far as the server is known to take it.

    `extra`: fields beside the protocol, laid over the others.
    """
    sampling = request.sampling
    body: dict[str, Any] = {"model": model, "messages": request.messages, "stream": False}
    if request.tools is not None:
        body["tools"] = orjson.Fragment(request.tools)
    if (
        request.prefill is not None
    ):  # the last two are vLLM's and SGLang's; llama.cpp goes on from such a message unasked
        body["messages"] = request.turns
        body |= {"add_generation_prompt": False, "continue_final_message": True}
    body |= {learnt.limit: sampling.most_tokens, "seed": _seed(request)}
    if sampling.logprobs and LOGPROBS not in learnt.left_out:
        body |= {"logprobs": True, "top_logprobs": sampling.logprobs}
    if request.schema is not None:
        body["response_format"] = _response_format(request.schema, learnt)
    return _dumped(body | _sampled(sampling), learnt, stop_ids, extra)


def _response_format(schema: str, learnt: Learnt) -> dict[str, Any]:
    """What holds an answer to a JSON schema, as far as the server is known to take it."""
    if JSON_SCHEMA in learnt.left_out:
        return {"type": "json_object"}
    if learnt.schema_as == "json_object":
        return {"type": "json_object", "schema": orjson.Fragment(schema)}
    return {"type": "json_schema", "json_schema": {"name": "answer", "strict": True, "schema": orjson.Fragment(schema)}}


def raw_body(
    model: str,
    request: Request,
    learnt: Learnt,
    stop_ids: Sequence[int] = (),
    extra: Mapping[str, Any] = NOTHING,
    *,
    bos: str | None,
) -> bytes:
    """The JSON body that asks for `request.prompt` to be continued.

    `bos` None: the server is told to add no special token (`add_special_tokens`, known to vLLM). A text: the server
    adds this one by itself, so it is taken off the prompt's start.
    """
    prompt, sampling = request.prompt or "", request.sampling
    body: dict[str, Any] = {"model": model, "max_tokens": sampling.max_new_tokens, "seed": _seed(request)}
    body["stream"] = False
    if bos is None:
        body |= {"prompt": prompt, "add_special_tokens": False}
    else:
        body["prompt"] = prompt.removeprefix(bos)
    if sampling.logprobs and LOGPROBS not in learnt.left_out:
        body["logprobs"] = sampling.logprobs
    return _dumped(body | _sampled(sampling), learnt, stop_ids, extra)


def _dumped(body: dict[str, Any], learnt: Learnt, stop_ids: Sequence[int], extra: Mapping[str, Any]) -> bytes:
    """The body without what the server does not take; of the stop texts the first ones, which are the surest."""
    if learnt.stops is not None and "stop" in body:
        body["stop"] = body["stop"][: learnt.stops]
        body |= {"stop_token_ids": stop_ids} if stop_ids else {}
    taken = {name: value for name, value in body.items() if value != () and name not in learnt.left_out}
    return orjson.dumps(taken | dict(extra))


def parameters_of(sampling: Sampling) -> frozenset[str]:
    """The names of what is sent to say how an answer is sampled."""
    return frozenset(_sampled(sampling)) | {"seed"} | ({LOGPROBS} if sampling.logprobs else set())


def _seed(request: Request) -> int:
    return request.seed & ((1 << SEED_BITS) - 1)


@lru_cache(maxsize=256)
def _sampled(sampling: Sampling) -> dict[str, Any]:
    fields: dict[str, Any] = {"temperature": sampling.temperature}
    if sampling.top_p != 1:
        fields["top_p"] = sampling.top_p
    if sampling.presence_penalty:
        fields["presence_penalty"] = sampling.presence_penalty
    for name in ("top_k", "min_p", "repetition_penalty"):
        if (value := getattr(sampling, name)) != Sampling.model_fields[name].default:
            fields[name] = value
    if sampling.stop:
        fields["stop"] = sampling.stop
    return fields
