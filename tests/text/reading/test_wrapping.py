"""What models put around the text that they were asked for, in the style of real families."""

import pytest

from tasks.text.reading.wrapping import bare_instruction, bare_response

ASKED = "Compare two ways to heat an old house."
SAID = "Boil it slowly.\n\nStir it twice."

AROUND_INSTRUCTIONS = {
    "nothing": ASKED,
    "a preamble": f"Here is the rewritten instruction:\n\n{ASKED}",
    "a friendly preamble": f"Sure! Here's a more challenging version of the task:\n\n{ASKED}",
    "a greeting alone": f"Certainly!\n\n{ASKED}",
    "a label": f"Instruction: {ASKED}",
    "a new label": f"Rewritten Instruction: {ASKED}",
    "the label of WizardLM": f"#Rewritten Prompt#:\n{ASKED}",
    "bold label": f"**Rewritten Prompt:** {ASKED}",
    "bold label, colon outside": f"**New Instruction**: {ASKED}",
    "heading": f"### Evolved Instruction:\n\n{ASKED}",
    "full-width colon": f"Instruction： {ASKED}",
    "preamble and label": f"Here is the new instruction:\n\n**Instruction:**\n{ASKED}",
    "fence": f"```\n{ASKED}\n```",
    "fence with a language": f"```text\n{ASKED}\n```",
    "preamble and fence": f"Here's the rewritten prompt:\n\n```markdown\n{ASKED}\n```",
    "our marks": f"<instruction>\n{ASKED}\n</instruction>",
    "label and marks": f"New instruction:\n<instruction>{ASKED}</instruction>",
    "a note": f"{ASKED}\n\nNote: I added a second way.",
    "a bold note": f"{ASKED}\n\n**Explanation:** it now asks for two ways.",
    "a closing remark": f"{ASKED}\n\nThis revised instruction asks for a comparison.",
    "what was done": f"{ASKED}\n\nI've added a constraint on the age of the house.",
    "rule and note": f"{ASKED}\n\n---\n\n*Changes made:* two ways instead of one.",
    "an offer": f"{ASKED}\n\nLet me know if you need it harder!",
    "two remarks": f"{ASKED}\n\nNote: harder.\n\nWould you like me to go on?",
}


@pytest.mark.parametrize("text", AROUND_INSTRUCTIONS.values(), ids=AROUND_INSTRUCTIONS.keys())
def test_an_instruction_is_freed_of_what_stands_around_it(text: str) -> None:
    assert bare_instruction(text) == ASKED


@pytest.mark.parametrize(
    "text",
    [
        "Sort this list:\n\n- rye\n- wheat",
        "Translate the text below:\n\nNote: the shop is shut.\n\nIt opens on Monday.",
        "Here is my code:\n\nprint(1)\n\nWhy does it fail?",
        "Fix this:\n```python\nprint(1\n```",
        "Response times of our server went up. Why?",
        "What is the answer: 4 or 5?",
        "Note: this is a riddle. What has keys and no locks?",
        "The text\n\nAnswer the question: who was first?",
    ],
    ids=[
        "list",
        "note inside",
        "own preamble",
        "own fence",
        "starts like a label",
        "colon",
        "begins with a note",
        "label inside",
    ],
)
def test_what_belongs_to_an_instruction_stays(text: str) -> None:
    assert bare_instruction(text) == text


AROUND_RESPONSES = {
    "nothing": SAID,
    "a preamble": f"Here is the improved response:\n\n{SAID}",
    "a long preamble": f"Sure! Here's a revised version of the response that follows the advice:\n\n{SAID}",
    "a label": f"Response: {SAID}",
    "a new label": f"Improved Response:\n{SAID}",
    "bold label": f"**Revised response:**\n\n{SAID}",
    "heading": f"## Improved Answer\n\n{SAID}",
    "marks": f"<response>\n{SAID}\n</response>",
    "a note": f"{SAID}\n\nNote: I mended the first step.",
    "what was done": f"{SAID}\n\nI have corrected nothing else.".replace("corrected", "changed"),
    "rule and remark": f"{SAID}\n\n---\n\nThis revised response is clearer.",
    "an offer": f"{SAID}\n\nLet me know if you have questions.",
}


@pytest.mark.parametrize("text", AROUND_RESPONSES.values(), ids=AROUND_RESPONSES.keys())
def test_a_response_is_freed_of_what_stands_around_it(text: str) -> None:
    assert bare_response(text, "Boil it.") == SAID


@pytest.mark.parametrize(
    "text",
    [
        "Here are three fruits:\n\n- apples",
        "Sure!\n\nBoil it.",
        "```python\nprint(1)\n```",
        "The answer is four: two and two.",
        "The response time is 4 ms: fast enough.",
    ],
    ids=["list", "greeting", "code", "answer", "time"],
)
def test_what_belongs_to_a_response_stays(text: str) -> None:
    assert bare_response(text, "Boil it.") == text


@pytest.mark.parametrize(
    "text",
    ["Here is the answer to your question:\n\nFour.", "Answer: four", "Four.\n\nNote: in base ten."],
    ids=["preamble", "label", "note"],
)
def test_what_the_response_before_had_too_is_its_own(text: str) -> None:
    assert bare_response(text, text) == text
