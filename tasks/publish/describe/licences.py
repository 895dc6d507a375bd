"""Licences of well-known models, and what each means for the rows that a model has written.

By the beginning of a model's name, the most special first. A name that is not here is of unknown licence, which the card says
plainly. This table is a first orientation, as of 2026, and was not checked model by model: the model's own page and the text of its
licence decide, which the card says too.
"""

from __future__ import annotations

from typing import NamedTuple

from tasks.models.open import BUILT_IN


class Licence(NamedTuple):
    """`name`: as the Hub calls it where it does; `means`: for the rows, in a sentence."""

    name: str
    means: str


FREE = "it asks nothing of what the model writes"
UNKNOWN = Licence(
    "unknown", "find the licence of the model before you publish or train: it may bind what the model has written"
)
OWN_TERMS = Licence(
    "other", "the provider's terms of use bind what you do with outputs, training of competing models above all"
)
TOY = Licence("apache-2.0", "a built-in toy model: do not train on what it writes, whatever its licence")
LICENCES: tuple[tuple[str, Licence], ...] = (
    ("qwen/qwen2.5-3b", Licence("other", "Qwen's research licence: no commercial use")),
    ("qwen/qwen2.5-72b", Licence("other", "Qwen's licence: say that Qwen was used where you train on its outputs")),
    ("qwen/", Licence("apache-2.0", FREE)),
    ("openai/gpt-oss", Licence("apache-2.0", FREE)),
    ("huggingfacetb/smollm", Licence("apache-2.0", FREE)),
    ("allenai/olmo", Licence("apache-2.0", FREE)),
    ("microsoft/phi", Licence("mit", FREE)),
    ("deepseek-ai/", Licence("mit", "it allows training on what the model writes in so many words")),
    ("zai-org/", Licence("mit", FREE)),
    ("mistralai/mistral-large", Licence("other", "Mistral's research licence: no commercial use")),
    ("mistralai/mi", Licence("apache-2.0", FREE)),
    ("ibm-granite/", Licence("apache-2.0", FREE)),
    ("google/gemma-4", Licence("apache-2.0", FREE)),
    ("google/gemma", Licence("gemma", "its terms and use policy go along with models that are trained on its outputs")),
    (
        "meta-llama/llama-3.3",
        Licence("llama3.3", "a model trained on its outputs has to be named Llama-..., with Built with Llama"),
    ),
    (
        "meta-llama/llama-3.2",
        Licence("llama3.2", "a model trained on its outputs has to be named Llama-..., with Built with Llama"),
    ),
    (
        "meta-llama/llama-3.1",
        Licence("llama3.1", "a model trained on its outputs has to be named Llama-..., with Built with Llama"),
    ),
    (
        "meta-llama/llama-4",
        Licence("llama4", "a model trained on its outputs has to be named Llama-..., with Built with Llama"),
    ),
    ("meta-llama/", Licence("llama3", "its outputs may not be used to train models other than Llama")),
    ("coherelabs/", Licence("cc-by-nc-4.0", "no commercial use")),
    ("cohereforai/", Licence("cc-by-nc-4.0", "no commercial use")),
    ("gpt-", OWN_TERMS),
    ("claude", OWN_TERMS),
    ("gemini", OWN_TERMS),
)


def licence_of(model: str) -> Licence:
    """The licence of a model, by the name that it is asked by; `UNKNOWN` where it is not in the table."""
    name = model.split("@http")[0].split(" (served:")[0].lower()
    if name in BUILT_IN:
        return TOY
    return next((licence for begins, licence in LICENCES if name.startswith(begins)), UNKNOWN)
