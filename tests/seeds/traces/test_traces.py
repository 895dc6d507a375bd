"""Logs of agents read into conversations: calls with their results, secrets out, what failed marked, nothing lost without a word."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.errors import ConfigError
from tasks.seeds.readers import BadRecord
from tasks.seeds.sources import StepReads, open_source
from tasks.seeds.traces.conversation import Trace, TraceReading, call_of, settled_trace
from tasks.seeds.traces.files import trace_reader
from tasks.seeds.traces.secrets import redacted, redacted_turn, redacted_value
from tests.seeds.traces.logs import CLAUDE_CODE, PASSWORD, PLAIN, TOKEN, TOOLS, written


def read(folder: Path, reading: TraceReading = TraceReading()) -> tuple[list[dict[str, Any]], list[BadRecord]]:  # noqa: B008
    records = [record for _, record in trace_reader(folder, "logs", reading).records(0, None)]
    good = [one for one in records if isinstance(one, dict)]
    return good, [one for one in records if isinstance(one, BadRecord)]


def test_a_session_of_claude_code_is_one_conversation_and_its_subagents_are_others(tmp_path: Path) -> None:
    records, bad = read(written(tmp_path))
    main, sub = [one for one in records if one["agent"] == "claude_code"]
    roles = [turn["role"] for turn in main["messages"]]
    assert roles == ["user", "assistant", "tool", "tool", "assistant", "tool", "assistant"]
    first = main["messages"][1]
    assert first["content"] == "I look at it." and [call["id"] for call in first["tool_calls"]] == ["t1", "t2"]
    assert [turn["tool_call_id"] for turn in main["messages"][2:4]] == ["t1", "t2"]
    assert [turn.get("train", True) for turn in main["messages"] if turn["role"] == "assistant"] == [False, True, True]
    assert [turn["content"] for turn in sub["messages"]] == ["Look around.", "I see two files."]
    assert any("a branch that was given up" in str(one.error) and "do it otherwise" in one.raw for one in bad)


def test_a_session_of_codex_has_its_failed_call_marked_and_its_end_left_over(tmp_path: Path) -> None:
    records, bad = read(written(tmp_path))
    [codex] = [one for one in records if one["agent"] == "codex"]
    turns = codex["messages"]
    assert [turn["role"] for turn in turns] == ["system", "user", "assistant", "tool", "assistant", "tool", "assistant"]
    assert [turn.get("train", True) for turn in turns if turn["role"] == "assistant"] == [False, True, True]
    assert (turns[3]["content"], turns[-1]["content"], codex["session"]) == ("no such file", "Twelve.", "c1")
    told = [str(one.error) for one in bad]
    assert any("nothing answers the end of the log" in one for one in told)
    assert any("this line is no JSON: logs/codex.jsonl line 12" in one for one in told)


def test_plain_messages_keep_their_tools_and_logs_without_any_have_those_called(tmp_path: Path) -> None:
    records, _ = read(written(tmp_path))
    [plain] = [one for one in records if one["agent"] == "openai"]
    assert json.loads(plain["tools"]) == TOOLS
    assert plain["messages"][1]["train"] is False, "what it gave back says that it has failed"
    main = next(one for one in records if one["agent"] == "claude_code")
    called = {one["function"]["name"]: one["function"]["parameters"] for one in json.loads(main["tools"])}
    assert called["Read"]["properties"] == {"file_path": {"type": "string"}, "limit": {"type": "integer"}}
    assert called["Read"]["required"] == ["file_path", "limit"]
    assert read(tmp_path, TraceReading(infer_tools=False))[0][0]["tools"] is None


def test_no_secret_is_in_what_is_read_and_they_are_counted(tmp_path: Path) -> None:
    records, bad = read(written(tmp_path))
    held = json.dumps(records) + "".join(one.raw for one in bad)
    assert TOKEN not in held and PASSWORD not in held
    assert {one["agent"]: one["redactions"] for one in records} == {"claude_code": 0, "codex": 0, "openai": 1}
    assert [one["redactions"] for one in records] == [1, 0, 0, 1]
    as_they_are = read(tmp_path, TraceReading(redact=False))[0]
    assert TOKEN in json.dumps(as_they_are)


@pytest.mark.parametrize("carry_on", [False, True])
def test_a_log_may_end_with_a_question_only_where_that_is_answered(tmp_path: Path, carry_on: bool) -> None:
    records, _ = read(written(tmp_path), TraceReading(carry_on=carry_on))
    [codex] = [one for one in records if one["agent"] == "codex"]
    assert (codex["messages"][-1]["role"] == "user") == carry_on


def test_a_list_or_a_folder_without_logs_is_refused(tmp_path: Path) -> None:
    step = StepReads(traces=TraceReading())
    with pytest.raises(ConfigError, match="logs of agents are files"):
        open_source([PLAIN], step=step)
    with pytest.raises(ConfigError, match="no log of an agent in the folder"):
        open_source(tmp_path, step=step)


SECRETS = {
    "github": TOKEN,
    "anthropic": "sk-ant-" + "api03-" + "x" * 24,
    "openai": "sk-" + "proj-" + "y" * 24,
    "aws": "AKIA" + "ABCDEFGH12345678",
    "hugging_face": "hf_" + "z" * 30,
    "slack": "xoxb-" + "1234567890-abc",
    "jwt": "eyJ" + "a" * 10 + "." + "b" * 10 + "." + "c" * 10,
    "private_key": "-----BEGIN " + "PRIVATE KEY-----\nabc\n-----END " + "PRIVATE KEY-----",
    "header": "Bearer " + "abcdef1234567890",
    "url": "postgres://ana:" + "verysecret" + "@db/x",
    "named": 'api_key = "' + "q1w2e3r4t5" + '"',
    "service": "gsk_" + "w" * 40,
    "option": "mysql -u root --password " + "hunter22x",
    "cookie": "-H 'Cookie: " + "session=abcdef0123456789'",
}
FORMS = [  # of the same kinds
    "-----BEGIN PGP " + "PRIVATE KEY BLOCK-----\nabc\n-----END PGP " + "PRIVATE KEY BLOCK-----",
    "https://hooks.slack.com/services/T00000000/B00000000/" + "X" * 24,
    "xapp-1-A0-" + "123-abcdef0123456789",
    "ya29." + "a0AfH6SMB" * 3,
    "GOCSPX-" + "abcdefghijklmnopqrstuvwx",
    "123456789:" + "AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw1",
    "redis://:" + "hunter22x@host:6379/0",
    "AccountKey=" + "Zm9vYmFyZm9vYmFyZm9vYmFyZm9v==",
    "DB_PASS=" + "hunter22x",
    "PGPASSWORD=" + "correcthorse psql",
    "export TOKEN=" + "a8f7s6d5f4g3h2j1k0l9",
    '{\\"token\\": \\"' + 'abcd1234efgh5678\\"}',
    "https://example.org/?token=" + "abcd1234efgh5678&page=1",
    "curl -s -u admin:" + "s3cr3tpass https://example.org",
    "machine example.org login me password " + "hunter22",
    "clientSecret: '" + "abcdefgh12'",
]


@pytest.mark.parametrize("kind", SECRETS)
def test_a_secret_of_each_form_is_taken_out_once(kind: str) -> None:
    text, count = redacted(f"before {SECRETS[kind]} after")
    assert count == 1 and f"[REDACTED:{kind}]" in text and text.startswith("before ") and text.endswith(" after")
    assert redacted(text) == (text, 0)


@pytest.mark.parametrize("text", FORMS)
def test_other_forms_of_secrets_are_taken_out_too(text: str) -> None:
    made, count = redacted(text)
    assert count == 1 and redacted(made) == (made, 0)


@pytest.mark.parametrize("part", ["a-", "a.b", "token", "password", "curl ", "secret_", "login ", "-"])
def test_a_long_text_of_parts_of_secrets_takes_no_long_time(part: str) -> None:
    began = time.process_time()
    redacted(part * (100_000 // len(part)))
    assert time.process_time() - began < 2


@pytest.mark.parametrize(
    "text",
    [
        "secretary: Johnathan",
        "num_tokens=1000000000",
        "the tokenizer: bert-base-uncased",
        "api_key=os.environ['OPENAI_API_KEY']",
        "token = self.next_token()",
        "password = get_secret(name)",
        "auth: AuthorizationHeader",
        "docker run -u 1000:1000 image",
        "def token_count(text): return len(text)",
        "password: str",
        "commit 3f2a9c1d8e7b6a5f4c3d2e1f",
        "https://example.org/a:b",
        "max_tokens=4096",
        "sk-learn",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert redacted(text) == (text, 0)


def test_arguments_stay_json_and_a_value_goes_by_its_name() -> None:
    assert redacted_value({"db": {"password": "x", "port": 1}}) == (
        {"db": {"password": "[REDACTED:named]", "port": 1}},
        1,
    )
    turn, count = redacted_turn(
        {"role": "assistant", "content": None, "tool_calls": PLAIN["messages"][1]["tool_calls"]}
    )
    assert count == 1 and json.loads(turn["tool_calls"][0]["function"]["arguments"])["user"] == "ana"


TURN = st.one_of(
    st.builds(lambda text: {"role": "user", "content": text}, st.text("ab", min_size=1, max_size=3)),
    st.builds(lambda text: {"role": "assistant", "content": text}, st.text("ab", min_size=1, max_size=3)),
    st.builds(
        lambda ids: {"role": "assistant", "content": None, "tool_calls": [call_of(one, "f", {}) for one in ids]},
        st.lists(st.sampled_from("12345"), min_size=1, max_size=2, unique=True),
    ),
    st.builds(lambda one: {"role": "tool", "content": one, "tool_call_id": one}, st.sampled_from("12345")),
)


def _calls_apart(turns: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same with each id called once, as in a log."""
    seen: set[str] = set()
    made = []
    for turn in turns:
        ids = {call["id"] for call in turn.get("tool_calls") or ()}
        if not ids & seen:
            made.append(turn)
        seen |= ids
    return made


@settings(max_examples=150, deadline=None)
@given(st.lists(TURN, max_size=12).map(_calls_apart), st.booleans())
def test_calls_and_results_stay_together_in_order_and_nothing_is_lost(
    turns: list[dict[str, Any]], carry_on: bool
) -> None:
    trace = Trace([dict(turn) for turn in turns], "openai")
    made = settled_trace(trace, TraceReading(carry_on=carry_on))
    kept = made.turns if made else []
    left = [turn for one in trace.left for turn in (one.held if isinstance(one.held, list) else [one.held])]
    plain = [json.dumps(turn, sort_keys=True) for turn in turns]
    assert sorted(json.dumps(turn, sort_keys=True) for turn in [*kept, *left]) == sorted(plain)
    spoken = [json.dumps(turn, sort_keys=True) for turn in kept if turn["role"] != "tool"]
    at = iter(plain)
    assert all(one in at for one in spoken), "what is said keeps its order"
    for place, turn in enumerate(kept):
        ids = [call["id"] for call in turn.get("tool_calls") or ()]
        assert [one.get("tool_call_id") for one in kept[place + 1 : place + 1 + len(ids)]] == ids
    assert sum(turn["role"] == "tool" for turn in kept) == sum(len(turn.get("tool_calls") or ()) for turn in kept)
    assert not kept or kept[-1]["role"] in (("assistant", "user", "tool") if carry_on else ("assistant",))


def test_events_that_miss_a_parent_are_read_in_their_order(tmp_path: Path) -> None:
    (tmp_path / "cut.jsonl").write_text("".join(json.dumps(one) + "\n" for one in CLAUDE_CODE[6:]))
    records, bad = read(tmp_path)
    assert records[0]["messages"][-1]["content"] == "It is mended."
    assert any("a result that belongs to no call" in str(one.error) for one in bad)
