import gzip
import json
import subprocess
import sys
import tempfile
from io import StringIO
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.errors import ConfigError
from tasks.seeds import json_list, readers
from tasks.seeds.json_list import json_items
from tasks.seeds.readers import text_reader
from tasks.seeds.sources import open_source
from tests.seeds.seed_files import fault, rows, written

ROOT = Path(__file__).parents[2]
FORMS = {
    "jsonl": ("s.jsonl", '{"instruction": "Ä 1"}\n\n{"instruction": "b, 2"}\r\n'),
    "jsonl-without-last-line-end": ("s.jsonl", '{"instruction": "Ä 1"}\n{"instruction": "b, 2"}'),
    "jsonl-with-byte-order-mark-alone-on-a-line": (
        "s.jsonl",
        '\ufeff\n{"instruction": "Ä 1"}\n{"instruction": "b, 2"}\n',
    ),
    "jsonl-with-byte-order-mark": ("s.jsonl", '\ufeff{"instruction": "Ä 1"}\n{"instruction": "b, 2"}\n'),
    "ndjson": ("s.ndjson", '{"instruction": "Ä 1"}\n{"instruction": "b, 2"}\n'),
    "jsonl-gz": ("s.jsonl.gz", '{"instruction": "Ä 1"}\n{"instruction": "b, 2"}\n'),
    "json": ("s.json", '[\n {"instruction": "Ä 1"},\n {"instruction": "b, 2"}\n]\n'),
    "json-of-texts": ("s.json", '["Ä 1","b, 2"]'),
    "json-gz": ("s.json.gz", '\n["\\u00c4 1",\n"b, 2"] '),
    "json-that-holds-lines": ("s.json", '{"instruction": "Ä 1"}\n{"instruction": "b, 2"}\n'),
    "csv": ("s.csv", 'id,instruction\n1,Ä 1\n\n2,"b, 2"\n'),
    "csv-with-byte-order-mark": ("s.CSV", '\ufeffinstruction,id\r\nÄ 1,1\r\n"b, 2",2\r\n'),
    "csv-gz": ("s.csv.gz", 'instruction\nÄ 1\n"b, 2"\n'),
    "tsv": ("s.tsv", "id\tinstruction\n1\tÄ 1\n2\tb, 2\n"),
    "txt": ("s.txt", "Ä 1\n\nb, 2\n"),
    "txt-gz": ("s.txt.gz", "Ä 1\r\nb, 2"),
    "yaml": ("s.yaml", "- Ä 1\n- b, 2\n"),
    "yaml-of-mappings": ("s.yml", "- instruction: Ä 1\n- instruction: |-\n    b, 2\n"),
}


@pytest.mark.parametrize(("name", "content"), FORMS.values(), ids=FORMS)
def test_every_form_gives_the_same_rows(name: str, content: str, tmp_path: Path) -> None:
    source = open_source(str(written(tmp_path, name, content)))
    source.check()
    assert rows(source) == [{"instruction": "Ä 1"}, {"instruction": "b, 2"}]
    assert rows(source, start=1) == [{"instruction": "b, 2"}]


FAULTS: dict[str, tuple[str, str | bytes, dict[str, str], tuple[str, ...]]] = {
    "empty": ("s.jsonl", "", {}, ("the file is empty", "s.jsonl")),
    "blank lines only": ("s.jsonl", "\n \n", {}, ("there are no seeds in it",)),
    "empty list": ("s.json", "[]", {}, ("there are no seeds in it",)),
    "empty yaml": ("s.yaml", "# nothing\n", {}, ("there are no seeds in it",)),
    "header only": ("s.csv", "instruction,id\n", {}, ("there are no seeds in it", "columns only")),
    "empty gzip": ("s.jsonl.gz", "", {}, ("there are no seeds in it",)),
    "unknown extension": ("s.docx", "x", {}, ("unknown kind of file", "s.docx", ".jsonl, .json")),
    "no extension": ("seeds", "x", {}, ("unknown kind of file",)),
    "malformed line": (
        "s.jsonl",
        '{"prompt": "a"}\n\n{"prompt": "b"\n',
        {},
        ("malformed JSON", "line 3", "unexpected end of data at character"),
    ),
    "cut off at the end": ("s.jsonl", '{"prompt": "a"}\n{"prom', {}, ("malformed JSON", "line 2")),
    "pretty-printed": ("s.jsonl", '{\n "prompt": "a"\n}\n', {}, ("line 1", "give each record one line")),
    "not an object": ("s.jsonl", '{"prompt": "a"}\n"b"\n', {}, ("not a record", "line 2: text")),
    "a list in a line": ("s.jsonl", '[{"prompt": "a"}]\n', {}, ("not a record", "line 1: a list", ".json file")),
    "not a number": ("s.jsonl", '{"prompt": NaN}\n', {}, ("no instruction", "line 1")),
    "malformed item": (
        "s.json",
        '[{"prompt": "a"},\n{"prompt" "b"}]',
        {},
        ("malformed JSON", "line 2", "Expecting ':'"),
    ),
    "list without end": ("s.json", '[{"prompt": "a"},\n', {}, ("malformed JSON", "line 1: the list does not end")),
    "no comma": ("s.json", '["a"\n"b"]', {}, ("malformed JSON", "no , before")),
    "text after the list": ("s.json", '["a"]\n["b"]', {}, ("malformed JSON", "after the list")),
    "infinity": ("s.json", '[{"prompt": Infinity}]', {}, ("no instruction", "item 1")),
    "item not a record": ("s.json", '["a", 5]', {}, ("not a record", "item 2: a whole number")),
    "ragged row": ("s.csv", 'prompt,id\n"a\nb",1\nc,2,3\n', {}, ("a ragged row", "line 4: 3 cells, the header has 2")),
    "short row": ("s.tsv", "prompt\tid\na\n", {}, ("a ragged row", "line 2: 1 cells, the header has 2")),
    "open quote": ("s.csv", 'prompt,id\na,1\n"b,2\nc,3\n', {}, ("a malformed row", "line 3: a quote is not closed")),
    "text after a quote": ("s.csv", 'prompt,id\n"a"b,1\n', {}, ("a malformed row", "line 2")),
    "column twice": ("s.csv", "prompt,prompt\na,b\n", {}, ("a column stands twice in the header", "prompt")),
    "semicolons": ("s.csv", "prompt;id\na;1\n", {}, ("no column that we know", "commas")),
    "not UTF-8, jsonl": (
        "s.jsonl",
        b'{"prompt": "a"}\n{"prompt": "\xe4"}\n',
        {},
        ("not UTF-8", "line 2: byte 13", "0xe4"),
    ),
    "not UTF-8, csv": ("s.csv", b"prompt\n" + b"a\n" * 9000 + b"\xe4\n", {}, ("not UTF-8", "line 9002: byte 1")),
    "not UTF-8, txt": ("s.txt", "ä".encode("latin-1"), {}, ("not UTF-8", "line 1: byte 1")),
    "not UTF-8, yaml": ("s.yaml", b"- a\n- \xff\n", {}, ("not UTF-8", "line 2: byte 3")),
    "UTF-16": ("s.json", '["a"]'.encode("utf-16"), {}, ("not UTF-8", "line 1")),
    "yaml mapping": ("s.yaml", "instruction: a\n", {}, ("the YAML is not a list", "an object", "- ")),
    "yaml text": ("s.yaml", "a\n", {}, ("the YAML is not a list", "text")),
    "malformed yaml": ("s.yaml", "- a\n- b: c: d\n", {}, ("malformed YAML", "line 2", "not allowed here")),
    "yaml control character": ("s.yaml", "- a\x00b\n", {}, ("malformed YAML",)),
    "yaml key twice": ("s.yaml", "- prompt: a\n  prompt: b\n", {}, ("malformed YAML", "line 2", "prompt stands twice")),
    "yaml item": ("s.yaml", "- a\n- yes\n", {}, ("not a record", "item 2: true or false", "in quotes")),
    "unknown column": (
        "s.jsonl",
        '{"promt": "a", "id": 1}\n',
        {"instruction": "prompt"},
        ("unknown column for instruction", "prompt", "did you mean promt?"),
    ),
    "unknown column, none near": (
        "s.csv",
        "aaa,bbb\n1,2\n",
        {"instruction": "prompt"},
        ("unknown column", "it has aaa, bbb"),
    ),
    "unknown step": ("s.jsonl", '{"a": [{"b": "c"}]}\n', {"instruction": "a.0.x"}, ("unknown column", "a.0.x")),
    "nothing recognised": (
        "s.jsonl",
        '{"body": "a", "id": 1}\n',
        {},
        ("no column that we know", "has body, id", "--column instruction=NAME"),
    ),
    "row_id": (
        "s.jsonl",
        '{"prompt": "a", "id": 1}\n',
        {"instruction": "prompt", "row_id": "id"},
        ("row_id is made by the house",),
    ),
    "number": (
        "s.jsonl",
        '{"prompt": "a"}\n{"prompt": 5}\n',
        {},
        ("a seed of the wrong type", "line 2, column prompt: a whole number", "instruction must be text"),
    ),
    "object": (
        "s.jsonl",
        '{"prompt": {"text": "a"}}\n',
        {},
        ("line 1, column prompt: an object", "instruction must be text"),
    ),
    "missing": ("s.jsonl", '{"prompt": "a"}\n{"id": 5}\n', {}, ("no instruction", "line 2, column prompt")),
    "null": ("s.jsonl", '{"prompt": "a"}\n{"prompt": null}\n', {}, ("no instruction", "line 2, column prompt")),
    "blank": ("s.csv", "id,prompt\n1,a\n2,  \n", {}, ("a blank instruction", "line 3, column prompt")),
    "blank in yaml": ("s.yaml", '- a\n- ""\n', {}, ("a blank instruction", "item 2")),
    "nothing at all": ("s.jsonl", '{"topic": "a"}\n{"topic": " "}\n', {}, ("a blank row", "line 2, column topic")),
    "no messages": ("s.jsonl", '{"messages": []}\n', {}, ("no instruction", "line 1, column messages")),
    "messages as text": ("s.csv", "messages\nHi\n", {}, ("line 2, column messages: text", "a list of {role, content}")),
    "message as text": ("s.jsonl", '{"messages": ["Hi"]}\n', {}, ("line 1, column messages: a list with text in it",)),
    "content as list": (
        "s.jsonl",
        '{"messages": [{"role": "user", "content": []}]}\n',
        {},
        ("a message with a list as content",),
    ),
    "no role": ("s.jsonl", '{"messages": [{"content": "a"}]}\n', {}, ("a message without a role",)),
    "response as number": (
        "s.jsonl",
        '{"prompt": "a", "responses": ["x", 5]}\n',
        {},
        ("column responses: a response with a whole number as text",),
    ),
    "mixed types": (
        "s.jsonl",
        '{"p": "a", "n": 1}\n{"p": "b", "n": "2"}\n',
        {"instruction": "p", "n": "n"},
        ("line 2, column n: text", "n must be a whole number"),
    ),
    "list of objects": (
        "s.jsonl",
        '{"p": "a", "n": [{"x": 1}]}\n',
        {"instruction": "p", "n": "n"},
        ("column n: a list with an object in it", "n=COLUMN.FIELD"),
    ),
    "huge number": ("s.jsonl", f'{{"p": "a", "n": {2**63}}}\n', {"instruction": "p", "n": "n"}, ("more than 64 bits",)),
    "half a surrogate": ("s.json", '["a", "\\ud83d"]', {}, ("half a surrogate pair", "item 2")),
    "damaged parquet": ("s.parquet", "PAR1", {}, ("cannot read the Parquet file",)),
}


@pytest.mark.parametrize(("name", "content", "columns", "said"), FAULTS.values(), ids=FAULTS)
def test_bad_input_is_told_in_one_line(
    name: str, content: str | bytes, columns: dict[str, str], said: tuple[str, ...], tmp_path: Path
) -> None:
    line = fault(written(tmp_path, name, content), columns=columns)
    assert [part for part in said if part not in line] == [], line


@pytest.mark.parametrize("cut", [slice(0, 30), slice(10, None)], ids=["truncated", "no-gzip"])
def test_a_damaged_gzip_file_is_told_in_one_line(cut: slice, tmp_path: Path) -> None:
    (tmp_path / "s.jsonl.gz").write_bytes(gzip.compress(b'{"prompt": "a fairly long line of text"}\n')[cut])
    assert "the file is damaged" in fault(tmp_path / "s.jsonl.gz")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=80, deadline=None)
@given(st.lists(st.dictionaries(st.text(max_size=3), JSON | st.integers(-(2**80), 2**80), max_size=3), min_size=1))
def test_a_line_of_json_is_what_it_says_integers_of_any_length_too(records: list[dict[str, Any]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = written(Path(folder), "s.jsonl", "".join(json.dumps(record) + "\n" for record in records))
        assert [record for _, record in text_reader(path, "s.jsonl").records(0, None)] == records


def test_what_is_no_number_is_null_beside_a_large_one_too(tmp_path: Path) -> None:
    path = written(tmp_path, "s.jsonl", '{"a": NaN, "b": 1e20, "c": 123456789012345678901234}\n')
    ((_, record),) = text_reader(path, "s.jsonl").records(0, None)
    assert record == {"a": None, "b": 1e20, "c": 123456789012345678901234}


@settings(max_examples=80, deadline=None)
@given(st.lists(JSON, max_size=6), st.sampled_from([None, 0, 2]), st.integers(1, 40), st.booleans())
def test_a_json_list_read_in_pieces_is_the_list(
    items: list[Any], indent: int | None, chunk: int, escaped: bool
) -> None:
    text = json.dumps(items, indent=indent, ensure_ascii=escaped)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_list, "CHUNK", chunk)
        assert list(json_items(StringIO(f"  {text}\n"), "x")) == items


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.dictionaries(st.text(max_size=3), st.integers() | st.text(max_size=9), max_size=3), min_size=1),
    st.data(),
)
def test_a_json_list_cut_off_anywhere_is_refused(items: list[Any], data: st.DataObject) -> None:
    text = json.dumps(items, indent=1)
    text = text[: data.draw(st.integers(1, len(text) - 1))]
    with pytest.MonkeyPatch.context() as patch, pytest.raises(ConfigError, match="malformed JSON"):
        patch.setattr(json_list, "CHUNK", 8)
        list(json_items(StringIO(text), "x"))


GROWTH = """
import sys
from tasks.seeds.readers import text_reader
from tasks.seeds.sources import open_source

def peak():  # of this process alone; ru_maxrss begins with that of the parent
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM")) >> 10

small, *large = sys.argv[1:]
open_source(small).check()
before = peak()
for path in large:
    print(sum(frame.height for frame in open_source(path).batches(1000)), peak() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    text = "Explain this in three sentences, with an example of how it is used. " * 7
    records = [json.dumps({"id": number, "instruction": f"{number} {text}"}) for number in range(80_000)]
    small = written(tmp_path, "small.jsonl", "\n".join(records[:3000]))
    files = [
        written(tmp_path, "s.jsonl", "\n".join(records)),
        written(tmp_path, "s.json", f"[{','.join(records)}]"),
        written(tmp_path, "s.csv", "instruction\n" + "".join(f'"{number} {text}"\n' for number in range(80_000))),
    ]
    assert all(file.stat().st_size > 36 * 2**20 for file in files)
    done = subprocess.run(
        [sys.executable, "-c", GROWTH, small, *files], capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert len(done.stdout.splitlines()) == 3
    for line in done.stdout.splitlines():
        height, grown_mib = map(int, line.split())
        assert height == 80_000 and grown_mib < 24


@settings(max_examples=25, deadline=None)
@given(starts=st.lists(st.integers(0, 60), min_size=1, max_size=12), blank=st.sets(st.integers(0, 50)))
def test_json_lines_are_entered_where_an_earlier_reading_has_been(starts: list[int], blank: set[int]) -> None:
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(readers, "MARKED", 7)
        path = Path(folder, "rows.jsonl")
        lines = ["\n" * (at in blank) + json.dumps({"text": f"ü{at}"}) + "\n" for at in range(50)]
        path.write_bytes(readers.BOM + "".join(lines).encode())
        reader, whole = text_reader(path, "rows"), list(readers._json_lines(path, "rows", 0))
        assert reader is not None and len(whole) == 50
        for start in starts:
            assert list(islice(reader.records(start, None), 9)) == whole[start : start + 9]
