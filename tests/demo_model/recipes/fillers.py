"""Sentences and words that fill an answer up to what its constraints ask for: without commas, digits or common words."""

from __future__ import annotations

FILLERS = (
    "Take it slowly and it comes out right.",
    "The steps are short and plain.",
    "Each part was looked at by itself.",
    "Nothing more is needed here.",
    "A pencil and some paper will do.",
    "Going back over it gives the same.",
    "Both ways lead to this result.",
    "The rest follows from that.",
    "Say it aloud and you will hear it.",
    "You can do it in your head.",
    "Write each step down as you go.",
    "The order of the steps matters.",
    "Start with what is given.",
    "Look at what is asked.",
    "Keep the parts apart.",
    "Then put them together.",
    "It helps to draw a picture.",
    "That is how it is found.",
    "Try it once with smaller ones.",
    "My own way is to count along.",
    "Do not hurry at the end.",
    "Calm work pays off.",
    "Please go through it again.",
    "Why it holds is easy to see.",
)
LONGEST_FILLER = "Going back over all of it once more from the end to the start gives the same result as before."
IN_MIND = (
    "Keep {words} in mind.",
    "Think of {words} first.",
    "Here we speak of {words}.",
    "This has to do with {words}.",
)
TITLES = ("A short answer", "Worked out", "Step by step", "The result", "How it is done")
REMARKS = ("as asked", "step by step", "see above", "in short", "to be checked")
PLACES = ("name", "date", "place", "class", "page")
MARKED = ("start", "middle", "end", "way", "result")
CAPITALS = ("READ", "THINK", "WORK", "COUNT", "CHECK", "DONE")
COUNTED = ("1", "2", "3", "4", "5")
ASKED_BACK = ("Do you see why?", "Can you check it?", "Shall we go on?", "Is it clear?")
HEADS = ("step", "work", "note", "check")
HEADINGS = ("Task", "Working", "Answer", "Check")
BY_LETTER = {
    "a": "And so",
    "b": "But look",
    "c": "Count it",
    "d": "Done well",
    "e": "Even so",
    "g": "Go on",
    "h": "Here it is",
    "i": "In short",
    "k": "Keep going",
    "l": "Look here",
    "m": "More to say",
    "n": "Now then",
    "o": "On we go",
    "p": "Put down",
    "r": "Read on",
    "s": "See here",
    "t": "To go on",
    "u": "Use it",
    "v": "View it",
    "w": "Work on",
}
"""How a line begins that has to begin with a letter."""
