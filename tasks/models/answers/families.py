"""What chat templates do not show of the families of 2023 to 2026: how they reason, and how their turns end.

Whatever is derived from a model's own template comes first; this table is for what a server sends of a model whose
tokenizer nobody has named, and for templates that write no reasoning.
"""

from __future__ import annotations

from tasks.models.answers.format import AnswerFormat, Block

BLOCKS = (
    Block("<think>", "</think>"),  # Qwen, DeepSeek, GLM, Nemotron, MiniMax-M2, Ling, Laguna
    Block("<thinking>", "</thinking>", bare=False),
    Block("<thought>", "</thought>", bare=False),
    Block("[THINK]", "[/THINK]"),  # Magistral, Ministral
    Block("<seed:think>", "</seed:think>"),  # Seed-OSS
    Block("<mm:think>", "</mm:think>"),  # MiniMax-M3
    Block("<think:opensource>", "</think:opensource>"),  # Hy3
    Block("<|channel|>analysis<|message|>", "<|end|>", bare=False),  # gpt-oss
    Block("<|channel>thought", "<channel|>"),  # gemma-4
    Block("<|open|>think<|sep|>", "<|close|>think<|sep|>"),  # Kimi-K3
    Block("<|think|>", "<|end|>", bare=False),  # Solar Open
    Block("<|START_THINKING|>", "<|END_THINKING|>"),  # Cohere Command
    Block("Here are my reasoning steps:", "[BEGIN FINAL RESPONSE]", sure=False),  # Apriel, which opens it in the prompt
    Block("analysis", "assistantfinal", bare=False, sure=False),  # gpt-oss, its tokens stripped by the server
)
OPENINGS = (
    "<|channel|>final<|message|>",
    "<|open|>response<|sep|>",
    "<|content|>",
    "<|START_RESPONSE|>",
    "<|START_TEXT|>",
)
TAGS = (("<response>", "</response>"),)  # Granite 3.3
CLOSINGS = ("<|close|>response<|sep|>", "<|END_RESPONSE|>", "<|END_TEXT|>")
RESTARTS = ("<|start|>assistant", "<|begin|>assistant")
ENDS = (  # of a turn; no text that a person writes
    "<|im_end|>",  # ChatML: Qwen, Yi, Hermes, SmolLM, Kimi-K2, LFM
    "<|eot_id|>",
    "<|eot|>",
    "<|eom_id|>",  # Llama 3, Llama 4
    "<|end_of_text|>",
    "<|endoftext|>",
    "<end_of_turn>",
    "<turn|>",  # Gemma 1 to 3, gemma-4
    "<|return|>",
    "<|call|>",
    "<|end|>",  # gpt-oss, Phi
    "<|END_OF_TURN_TOKEN|>",  # Cohere
    "<｜end▁of▁sentence｜>",  # DeepSeek, Spark
    "<|end_of_msg|>",  # Kimi-K3
    "<|message_sep|>",  # GigaChat
    "[e~[",  # MiniMax-M2
    "<end_of_sentence>",  # MiniMax-M1
    "<seed:eos>",  # Seed-OSS
    "〈|EOS|〉",  # Laguna
    "<SPECIAL_12>",  # Nemotron Nano 2
    "<|role_end|>",  # Ling
    "<|assistant_end|>",  # Apertus
    "<|flush|>",  # Solar Open
)
KNOWN = AnswerFormat(BLOCKS, OPENINGS, CLOSINGS, TAGS, RESTARTS, ENDS)
