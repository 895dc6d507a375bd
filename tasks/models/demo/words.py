"""The words that the demo model's small world is made of: people, things, units, opposites, spoken numbers."""

from __future__ import annotations

NAMES = (
    "Maria", "Tom", "Ana", "Ben", "Lena", "Omar", "Priya", "Jonas", "Mei", "Carlos", "Nina", "Felix", "Aisha", "Peter",
    "Sofia", "Ivan", "Grace", "Hugo", "Emma", "Kofi", "Linh", "Paul", "Rosa", "Sam", "Tara", "Viktor", "Yuki", "Zoe",
)  # fmt: skip
THINGS = (
    "apples", "pears", "lemons", "eggs", "books", "pens", "stamps", "coins", "cards", "shells", "buttons", "cups",
    "plates", "candles", "tickets", "roses", "beans", "nuts", "cakes", "rolls", "plums", "onions", "keys", "socks",
    "marbles", "stickers", "pencils", "jars", "bricks", "balloons",
)  # fmt: skip
GROUPS = ("children", "friends", "guests", "teams", "boxes", "baskets", "tables", "bags", "classes", "neighbours")
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
WORDS = (
    "bread", "milk", "tea", "table", "window", "garden", "river", "cloud", "stone", "horse", "mouse", "tiger", "lamp",
    "chair", "paper", "music", "winter", "summer", "apple", "honey", "salt", "bird", "fish", "island", "bridge", "train",
    "ship", "kitchen", "door", "moon", "star", "tree", "flower", "mountain", "pencil", "letter", "orange", "yellow",
    "green", "butter", "cheese", "night", "morning", "sugar", "water", "school", "market", "village", "key", "owl",
)  # fmt: skip
OPPOSITES = (
    ("hot", "cold"), ("big", "small"), ("fast", "slow"), ("early", "late"), ("full", "empty"), ("open", "closed"),
    ("old", "young"), ("long", "short"), ("wet", "dry"), ("light", "dark"), ("high", "low"), ("hard", "soft"),
    ("loud", "quiet"), ("clean", "dirty"), ("rich", "poor"), ("strong", "weak"), ("happy", "sad"), ("thick", "thin"),
    ("wide", "narrow"), ("heavy", "weightless"), ("near", "far"), ("first", "last"), ("true", "false"), ("sharp", "blunt"),
    ("deep", "shallow"), ("brave", "cowardly"), ("sweet", "bitter"), ("left", "right"), ("up", "down"), ("inside", "outside"),
)  # fmt: skip
UNITS = (  # larger, smaller, how many, the most of the larger that is asked about
    ("hours", "minutes", 60, 5), ("minutes", "seconds", 60, 5), ("weeks", "days", 7, 9), ("years", "months", 12, 8),
    ("days", "hours", 24, 4), ("metres", "centimetres", 100, 9), ("feet", "inches", 12, 8), ("dozens", "pieces", 12, 8),
    ("centimetres", "millimetres", 10, 9), ("decades", "years", 10, 9), ("euros", "cents", 100, 9),
    ("litres", "decilitres", 10, 9), ("yards", "feet", 3, 9), ("pairs", "socks", 2, 9),
)  # fmt: skip
SUBJECTS = (
    "the cat",
    "the dog",
    "my aunt",
    "a child",
    "the baker",
    "our teacher",
    "the bird",
    "a farmer",
    "the old man",
)
VERBS = ("sleeps", "sings", "waits", "works", "walks", "reads", "smiles", "runs", "cooks", "laughs")
ENDINGS = ("in the garden", "by the river", "at home", "every morning", "near the door", "on Sundays", "with a friend",
           "all day", "under a tree", "in the rain")  # fmt: skip
ADVERBS = ("quietly", "slowly", "happily", "again", "alone", "often")
SPOKEN = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty",
)  # fmt: skip


def number_in(text: str) -> int | None:
    """The whole number that a text is, in digits or spoken; None for anything else."""
    text = text.strip().lower()
    if text.isascii() and text.isdigit() and len(text) < 9:
        return int(text)
    return SPOKEN.index(text) if text in SPOKEN else None


def listed(items: list[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"


def unlisted(text: str) -> list[str]:
    """The items of a list in running text: parted by commas, `and`, `or`."""
    for word in (" and ", " or "):
        text = text.replace(word, ", ")
    return [item.strip() for item in text.split(",") if item.strip()]
