"""Documents in chunks: nothing lost, none too large, the headings above each, and a cut that is local."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tasks.text.documents.blocks import DocumentBlock, markdown_blocks, plain_blocks
from tasks.text.documents.chunks import Chunking, chunks_of

SMALL = Chunking(words=20, characters=40, overlap=0.0)
SENTENCES = st.text(alphabet="abcdé 水库。．.!?\n", min_size=1, max_size=200)
BLOCKS = st.lists(st.builds(DocumentBlock, SENTENCES.filter(str.strip), st.integers(0, 3)), max_size=12)


def letters(text: str) -> str:
    return "".join(text.split())


@given(BLOCKS)
def test_all_of_the_text_is_in_one_chunk_and_in_order(blocks: list[DocumentBlock]) -> None:
    said = letters("".join(chunk.text for chunk in chunks_of(blocks, SMALL)))
    body = iter(said)
    assert all(letter in body for letter in letters("".join(block.text for block in blocks if not block.level)))


@given(BLOCKS, st.floats(0, 0.5))
def test_no_chunk_is_larger_than_it_may_be(blocks: list[DocumentBlock], overlap: float) -> None:
    chunking = Chunking(words=20, characters=40, overlap=overlap)
    assert all(chunking.size(chunk.text) <= 1 + 1e-6 for chunk in chunks_of(blocks, chunking))


@given(BLOCKS, BLOCKS, SENTENCES.filter(str.strip))
def test_a_change_in_one_section_leaves_the_chunks_of_the_next(
    one: list[DocumentBlock], other: list[DocumentBlock], more: str
) -> None:
    chapter = [
        DocumentBlock("Chapter", 1),
        DocumentBlock("So it begins, and goes on for a while, and for another while.", 0),
    ]
    after = list(chunks_of(chapter + [b for b in other if b.level != 1], SMALL))
    for before in (one, [*one, DocumentBlock(more)]):
        assert list(chunks_of(before + chapter + [b for b in other if b.level != 1], SMALL))[-len(after) :] == after


def test_headings_are_those_above_the_chunk() -> None:
    text = (
        "# A\n\n"
        + "one two three. " * 3
        + "\n\n## B\n\n"
        + "four five. " * 5
        + "\n\n## C\n\n"
        + "six seven. " * 5
        + "\n\n# D\n\nend\n"
    )
    assert [chunk.headings for chunk in chunks_of(markdown_blocks(text), SMALL)] == [
        ("A",),
        ("A", "B"),
        ("A", "C"),
        ("D",),
    ]


def test_a_small_section_stays_with_what_comes_after_it_below_the_same_heading() -> None:
    [chunk] = chunks_of(markdown_blocks("# A\n\nShort.\n\n## B\n\nShort too.\n"), SMALL)
    assert chunk.text == "Short.\n\nB\n\nShort too." and chunk.headings == ("A",)


def test_the_next_chunk_begins_with_the_end_of_the_one_before() -> None:
    text = " ".join(f"This is sentence number {n}." for n in range(12))
    one, two, *_ = chunks_of([DocumentBlock(text)], Chunking(words=20, overlap=0.3))
    assert one.text.endswith("number 3.") and two.text.startswith(
        "This is sentence number 3. This is sentence number 4."
    )


def test_a_chinese_text_is_cut_at_its_sentences_and_counted_in_characters() -> None:
    found = list(chunks_of([DocumentBlock("水库建于一九五八年。水面很大。" * 8)], SMALL))
    assert all(chunk.text.endswith("。") and SMALL.size(chunk.text) > 0.5 for chunk in found[:-1])
    assert "".join(chunk.text for chunk in found) == "水库建于一九五八年。水面很大。" * 8


def test_markdown_is_read_as_it_is_meant() -> None:
    text = "---\ntitle: x\n---\nFerries\n=======\n\n<!-- a note -->\n```sh\n# no heading\n```\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n### The *fast* [boat](x.md)\n\n- one\n- two\n"
    assert markdown_blocks(text) == [
        DocumentBlock("Ferries", 1),
        DocumentBlock("```sh\n# no heading\n```"),
        DocumentBlock("| a | b |\n|---|---|\n| 1 | 2 |"),
        DocumentBlock("The fast boat", 3),
        DocumentBlock("- one\n- two"),
    ]
    assert plain_blocks("One\nline.\r\n\r\n \n\nTwo.") == [DocumentBlock("One\nline."), DocumentBlock("Two.")]
