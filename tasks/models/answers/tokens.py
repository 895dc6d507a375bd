"""The control tokens of known model families, as they stand in text that a server did not take them out of."""

from __future__ import annotations

import re

from tasks.models.answers.families import ENDS
from tasks.patterns import pattern

MORE_ENDS = (  # of a turn, a part of one, or a text
    "<|eom|>",
    "<|end_of_turn|>",
    "<|endofturn|>",
    "<|end_of_role|>",
    "<|turn_end|>",
    "<|im_sep|>",
    "<|END_RESPONSE|>",
    "<|END_TEXT|>",
    "<|eos|>",
    "<|end_of_sentence|>",
    "<｜end of sentence｜>",
    "[|endofturn|]",
    "<|end_of_assistant|>",
    "<|endofassistant|>",
    "<|eoa|>",
    "<|message_end|>",
    "<eos>",
    "<eoa>",
    "<|EOT|>",
    "<|observation|>",
    "<｜end▁of▁turn｜>",
    "<|end_of_response|>",
)
OPENERS = (  # of a turn, or of a part of one
    "<|im_start|>",
    "<|start_header_id|>",
    "<|end_header_id|>",
    "<|begin_of_text|>",
    "<|start_of_role|>",
    "<start_of_turn>",
    "<|turn>",
    "<|start|>",
    "<|message|>",
    "<|channel|>",
    "<|channel>",
    "<channel|>",
    "<|begin|>",
    "<|content|>",
    "<|START_OF_TURN_TOKEN|>",
    "<|USER_TOKEN|>",
    "<|CHATBOT_TOKEN|>",
    "<|SYSTEM_TOKEN|>",
    "<|START_RESPONSE|>",
    "<|START_TEXT|>",
    "<|START_THINKING|>",
    "<|END_THINKING|>",
    "<|user|>",
    "<|assistant|>",
    "<|system|>",
    "<|im_user|>",
    "<|im_assistant|>",
    "<|im_system|>",
    "<|im_middle|>",
    "<|open|>",
    "<|close|>",
    "<|sep|>",
    "<｜begin▁of▁sentence｜>",
    "<｜User｜>",
    "<｜Assistant｜>",
    "[|user|]",
    "[|assistant|]",
    "[|system|]",
    "<bos>",
    "[INST]",
    "[/INST]",
    "[BEGIN FINAL RESPONSE]",
    "[SYSTEM_PROMPT]",
    "[/SYSTEM_PROMPT]",
    "<<SYS>>",
    "<</SYS>>",
    "<|python_tag|>",
    "<|constrain|>",
    "<|assistant_start|>",
    "<|user_start|>",
    "<|user_end|>",
    "<|startoftext|>",
    "<|think|>",
    "<|header_start|>",
    "<|header_end|>",
)
CALLS = (  # of a tool
    "<tool_call>",
    "<|tool_call|>",
    "<|tool_call>",
    "<|tool_call_begin|>",
    "<|tool_calls_section_begin|>",
    "<｜tool▁calls▁begin｜>",
    "<｜tool▁call▁begin｜>",
    "[TOOL_CALLS]",
    "<|python_tag|>",
    "<function_call>",
    "<function=",
    "<minimax:tool_call>",
    "<|START_ACTION|>",
    "<seed:tool_call>",
    "<|tool_calls|>",
    "<longcat_tool_call>",
    "<｜DSML｜",
    "<tool_calls>",
    "<function_calls>",
)

END = pattern("|".join(map(re.escape, (*ENDS, *MORE_ENDS))) + r"|(?<!</s>)</s>(?=\s*\Z)")
CONTROL = pattern("|".join(map(re.escape, (*ENDS, *MORE_ENDS, *OPENERS))))
CALL = pattern(r"\s*(?:" + "|".join(map(re.escape, CALLS)) + ")")
CALL_AT_THE_END = pattern(
    r"<(tool_call|function_call|minimax:tool_call)>\s*(?:\{.*\"(?:arguments|parameters)\".*\}|<(?:function|invoke)\b.*)\s*</\1>\s*\Z",
    re.DOTALL,
)
MAY_HOLD_ONE = (
    "<|",
    "|>",
    "<｜",
    "[|",
    "_turn>",
    "INST]",
    "eos>",
    "<eoa>",
    "</s>",
    "<bos>",
    "SYS>>",
    "[SYSTEM_PROMPT",
    "[/SYSTEM",
    "[BEGIN FINAL",
    "[e~[",
    "_sentence>",
    "〈|",
    "<SPECIAL_",
)
"""Pieces, one of which is in every token above: a test holds that."""


def may_hold_control(text: str) -> bool:
    """Whether it is worth looking for control tokens; nearly always not."""
    for piece in MAY_HOLD_ONE:  # noqa: SIM110 - every answer is looked at, and `any` with a generator takes twice as long
        if piece in text:
            return True
    return False
