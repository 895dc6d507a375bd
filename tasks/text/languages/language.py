"""What a reader has to know of a language, and what it looks like in all languages but English.

`tasks/text/languages/vi.py` is one: its words, each where a parser looks for them. A field is a regular expression
without capturing groups (but for `scale_after` and `scale_before`), in NFC, matched in any case; "" where the language
has nothing of the kind. A sequence holds plain words.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Language:
    """The words of one language."""

    code: str
    name: str
    is_spaceless: bool = False
    """Whether it is written without spaces between words."""

    # sentences
    sentence_ends: str = ""
    """Characters that end a sentence."""
    quotes: tuple[tuple[str, str], ...] = ()

    # lists
    item_names: str = ""
    """What an item of a list of instructions is called, as a label or over a column."""
    counted_names: str = ""
    """The same where a number has to follow."""
    nth_item: str = ""
    """The same with its number inside, which stands for "N"."""
    list_talk: str = ""
    """How a line begins, and mostly goes on to its end, that talks about the list."""

    # verdicts
    yes: str = ""
    no: str = ""
    before_answer: str = ""
    """What may stand before yes or no, with a colon behind it."""
    equal: str = ""
    different: str = ""
    before_verdict: str = ""
    """What may stand before one of these two in a sentence that says nothing else."""
    after_verdict: str = ""

    # what makes an evolution or a response no good
    leaks: tuple[str, ...] = ()
    """Words of a rewriting prompt."""
    as_an_ai: str = ""
    apology: str = ""
    """How an apology begins in place of an instruction."""
    to_the_model: str = ""
    for_a_prompt: str = ""
    sorry: str = ""
    stop_words: str = ""
    """Plain words, with white space between them."""
    blacklist: tuple[str, ...] = ()
    """What a text model cannot see, open or play."""
    a_program: tuple[str, ...] = ()
    """How an instruction begins that wants a program."""

    # what makes an answer no good
    refusal: str = ""
    """How an answer begins that refuses what was asked, in words that nobody but an assistant uses."""
    inability: str = ""
    """How one begins that says it cannot do something: an apology in a letter may say the same."""
    of_an_ai: str = ""
    """What an instruction says that is about assistants themselves."""
    words_of_another: str = ""
    """What an instruction says that asks for words which somebody else says: a letter, a scene, a translation."""
    says_again: str = ""
    """What an instruction says that asks for something to be repeated."""
    says_several: str = ""
    """What an instruction says that asks for more than one answer."""
    never_last: str = ""
    """Words that no sentence ends with."""
    salutation: str = ""
    """How a letter begins."""
    user_label: str = ""
    """What stands before a user's turn in a conversation that is written down."""
    assistant_label: str = ""

    # what stands around a text
    greeting: str = ""
    here_is: str = ""
    new_instruction: str = ""
    """What a rewritten instruction is called."""
    instruction: str = ""
    new_response: str = ""
    preface: str = ""
    """What is said before a rewritten instruction."""
    remark: str = ""
    """What is said of the rewriting, after it."""
    closing: str = ""
    """How a last paragraph begins that is no part of the text."""

    # worked examples
    input: str = ""
    output: str = ""
    label: str = ""
    example: str = ""
    no_input: str = ""

    # what an answer brings along
    answer: str = ""
    """A label before an answer."""
    other_language: str = ""
    """How an instruction asks for text in a language, or about one: what answers it may be in another one."""
    confidence: str = ""
    confidence_levels: str = ""
    offer: str = ""
    may_i_help: str = ""
    """What an assistant says and no user does."""
    unseen_text: str = ""
    """How a request speaks of a text that whoever answers it is not shown."""

    # the final answer of a solution
    final_answer: str = ""
    """What stands before it, with its verb or colon."""
    choice: str = ""
    """What an option is called, before its letter."""
    because: str = ""
    """What a sentence goes on with that gives the reason of an answer."""

    # ratings
    rating: str = ""
    """What a rating is called, with what may stand before it."""
    rating_is: str = ""
    """A word in place of the colon."""
    reason: str = ""
    errors: str = ""
    merits: str = ""
    none: str = ""
    response: str = ""
    """What a judge calls a response, before its number."""
    nth_response: str = ""
    """The same with its number inside, which stands for "N"."""
    numerals: str = ""
    """Its numerals from one on, where it has them beside digits."""
    not_applicable: str = ""
    points: str = ""
    """The unit behind a rating."""
    range_words: str = ""
    scale_after: str = ""
    """The highest rating, its group 1, where it is told behind the rating."""
    scale_before: str = ""

    # scores of several texts, and by criteria
    variant: str = ""
    """What an instruction that is scored is called, before its number."""
    criterion: str = ""

    # a checklist for responses
    met_label: str = ""
    """What stands before yes or no, where it is said whether a criterion is met."""
    rubric_kinds: tuple[str, ...] = ()
    """Four kinds of entries: essential, important, optional, pitfall."""

    # tags of an instruction
    intent_label: str = ""
    knowledge_label: str = ""
    difficulty_label: str = ""
    quality_label: str = ""
    category_label: str = ""
    others_label: str = ""
    difficulties: tuple[str, ...] = ()
    """Five grades, the easiest first, each as a pattern."""
    qualities: tuple[str, ...] = ()
    """Five grades, the worst first."""
    categories: tuple[str, ...] = ()
    """The twelve categories, in the order of `tags.py`."""
    another_grade: str = ""
    """What stands between two grades where a judge gives no single one."""

    # names of the fields in JSON and tables
    rating_names: tuple[str, ...] = ()
    reason_names: tuple[str, ...] = ()
    error_names: tuple[str, ...] = ()
    merit_names: tuple[str, ...] = ()
    index_names: tuple[str, ...] = ()

    # answers from a passage
    evidence: str = ""
    """A label before a quotation that an answer rests on."""
    not_stated: str = ""
    """How an answer says that a text does not tell what is asked."""

    # facts that a text states
    number_words: tuple[tuple[str, int], ...] = ()
    """Words for numbers up to 90, and what each adds."""
    multipliers: tuple[tuple[str, int], ...] = ()
    """Words that multiply the number right before them, up to 100."""
    scales: tuple[tuple[str, int], ...] = ()
    """Words that multiply all that stands before them, digits too, from 1,000 on."""
    months: tuple[str, ...] = ()
    """Twelve, from January on, each as a pattern."""
    weekdays: tuple[str, ...] = ()
    """Seven, from Monday on, each as a pattern."""
    marked_name: str = ""
    """What is surely a name in a text whose script has no capital letters."""
