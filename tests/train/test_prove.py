"""The proof as a user runs it, on a tiny model: TRL's own curve, nothing trained twice, what was killed goes on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tasks.errors import ConfigError
from tasks.train.lessons import lessons_of
from tasks.train.measure import losses
from tasks.train.plan import check_proof, plan_proof
from tasks.train.settings import ProofSettings, Training
from tasks.train.student import Student
from tests.train.test_lessons import file_of, turns

pytest.importorskip("trl", reason="needs the extra prove")
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default"), pytest.mark.usefixtures("on_one_thread")]
WORDS = ["glass", "copper", "quince", "vinegar", "jars"]
CHECK = """
def right(question, answer):
    return None if "0" in question else answer == question.rpartition(" ")[2]
"""


def echoes(count: int) -> list[dict[str, Any]]:
    """What a small student learns in seconds: to say the last word again."""
    return [{"messages": turns(f"{n} {WORDS[n % 5]}", WORDS[n % 5])} for n in range(count)]


def student(base: str, folder: Path, rows: int = 60, **training: Any) -> Student:
    told = Training(epochs=8, batch=8, learning_rate=3e-3, lora=0, **training)
    return Student(base, lessons_of(file_of(folder, echoes(rows)), None), told)


def curve(made: Student, folder: Path) -> list[float]:
    told = made.told(folder)
    assert told is not None
    return [loss for _, loss in told["losses"]]


def test_a_training_says_now_and_then_how_far_it_is(base: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tasks.notices import heard
    from tasks.train import student as students

    lines = list[str]()
    made = student(base, tmp_path, 24)
    with heard(lines.append):
        made.train(tmp_path / "short")
    assert lines == []
    monkeypatch.setattr(students, "TOLD_EACH_S", 0.0)
    with heard(lines.append):
        made.train(tmp_path / "long")
    assert len(lines) == 23
    assert lines[0] == f"training on {made.lessons.name}, seed 0: step 1 of 24, 1 min to go"


def test_a_training_that_ended_in_the_middle_goes_on_to_the_same_student(base: str, tmp_path: Path) -> None:
    from transformers import TrainerCallback

    class EndsEarly(TrainerCallback):
        def on_step_end(self, *_: Any, **__: Any) -> None:
            if trainer.state.global_step == 27:
                raise KeyboardInterrupt

    made = student(base, tmp_path)
    work = tmp_path / "halted" / f"{made.key}.training"
    trainer = made._trainer(work, base)
    trainer.add_callback(EndsEarly())
    with pytest.raises(KeyboardInterrupt):
        trainer.train()
    assert (work / "checkpoint-20").is_dir()
    halted, whole = made.train(tmp_path / "halted"), made.train(tmp_path / "whole")
    assert not work.exists()
    assert curve(made, tmp_path / "halted") == pytest.approx(curve(made, tmp_path / "whole"), abs=1e-4)
    assert (halted / "model.safetensors").stat().st_size == (whole / "model.safetensors").stat().st_size


def test_a_proof_says_how_its_students_were_trained(base: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from flows.prove import _told

    monkeypatch.chdir(tmp_path)
    file_of(tmp_path, echoes(280), "answers.jsonl")
    pairs = [{"prompt": f"{n} {WORDS[n % 5]}", "chosen": "jars", "rejected": "copper"} for n in range(300)]
    file_of(tmp_path, pairs)
    told_training = Training(steps=7, learning_rate=3e-5, batch=8, sft_weight=0.2)
    told = _told(
        plan_proof(
            ProofSettings(
                dataset="rows.jsonl", base=base, out=".", after="answers.jsonl", seeds=2, training=told_training
            )
        ),
        [],
    )
    assert told["notes"][0].startswith("sft is taught 2") and told["notes"][0].endswith("answers")
    assert told["notes"][1].endswith("pairs")
    # what is said of the pairs is not meant for the answers before them, but for what has to fit into memory
    assert "answers are taught 3 times, 8 at once, learning rate 0.001, rows" in told["notes"][3]
    assert (
        "pairs are taught for 7 steps, 8 at once, learning rate 3e-05, beta 0.1, 0.2 of the chosen" in told["notes"][4]
    )
    assert told["notes"][5].startswith("students of each kind: 2")


def test_two_proofs_at_once_train_a_student_once(base: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from concurrent.futures import ThreadPoolExecutor

    trained = list[str]()
    ours = Student._trained

    def counted(made: Student, work: Path, begins: str) -> dict[str, Any]:
        trained.append(made.key)
        return ours(made, work, begins)

    monkeypatch.setattr(Student, "_trained", counted)
    made = student(base, tmp_path, 24)
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda _: made.train(tmp_path / "students"), range(2))
    assert first == second
    assert trained == [made.key]


def test_adapters_come_home_as_whole_weights(base: str, tmp_path: Path) -> None:
    made = student(base, tmp_path, 24)
    adapted = Student(base, made.lessons, made.training.model_copy(update={"lora": 4, "epochs": 1}))
    folder = adapted.train(tmp_path / "students")
    assert (folder / "model.safetensors").is_file()
    assert not (folder / "adapter_config.json").exists()


def test_a_proof_of_what_can_be_learnt_and_of_what_cannot(
    base: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, prefect_server: str
) -> None:
    from flows.prove import prove
    from tasks.train import student as students

    monkeypatch.chdir(tmp_path)
    file_of(tmp_path, echoes(280))
    (tmp_path / "check.py").write_text(CHECK)
    settings = ProofSettings(
        dataset="rows.jsonl",
        base=base,
        out="proof",
        check="check.py:right",
        max_new_tokens=8,
        held_out_share=0.2,
        training=Training(epochs=6, batch=8, learning_rate=3e-3),
    )
    proof = prove(settings)
    measured = {told["measure"]: told for told in proof["measures"]}
    assert list(measured) == ["loss", "right", "refusals", "words"]
    loss, right = measured["loss"], measured["right"]
    assert loss["versus"]["base"]["high"] < 0
    assert loss["versus"]["shuffled"]["high"] < 0  # a random answer is all that the shuffled one knows
    assert right["items"] < loss["items"] == proof["items"]
    kept = json.loads((tmp_path / "proof" / "proof.json").read_text())
    assert kept["measures"] == proof["measures"]
    assert "students" not in kept  # folders of this machine
    assert list(proof["students"]) == ["dataset", "shuffled"]
    assert all((Path(folder) / "model.safetensors").is_file() for (folder,) in proof["students"].values())

    monkeypatch.setattr(students.Student, "_trained", lambda *_: pytest.fail("it is trained already"))
    assert prove(settings) == proof


def test_pairs_are_learnt_and_pairs_with_shuffled_sides_are_not(
    base: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, prefect_server: str
) -> None:
    from flows.prove import prove

    monkeypatch.chdir(tmp_path)
    pairs = [{"prompt": f"{n} {WORDS[n % 5]}", "chosen": "jars", "rejected": "copper"} for n in range(300)]
    file_of(tmp_path, pairs)
    training = Training(epochs=2, batch=8, learning_rate=1e-3)
    proof = prove(ProofSettings(dataset="rows.jsonl", base=base, out=".", held_out_share=0.2, training=training))
    (preference,) = proof["measures"]
    assert preference["means"]["dataset"] == 1
    assert preference["means"]["shuffled"] < 1 or preference["means"]["base"] == 1


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"dataset": "few.jsonl"}, "too few items"),
        ({"dataset": "rows.jsonl", "held_out": "rows.jsonl"}, "stand in what is taught"),
        ({"dataset": "rows.jsonl", "against": ("pairs.jsonl",)}, "two kinds"),
        ({"dataset": "missing.jsonl"}, "missing.jsonl"),
        ({"dataset": "rows.jsonl", "base": "nowhere/at/all"}, "no such model"),
    ],
)
def test_a_mistake_is_told_before_anything_is_trained(
    told: dict[str, Any], said: str, base: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    file_of(tmp_path, echoes(12), "few.jsonl")
    file_of(tmp_path, echoes(60))
    file_of(tmp_path, [{"prompt": "a", "chosen": "1", "rejected": "2"}], "pairs.jsonl")
    with pytest.raises(ConfigError, match=said):
        plan_proof(ProofSettings(**({"base": base} | told)))


def test_pairs_begin_where_the_answers_have_led(base: str, tmp_path: Path) -> None:
    first = student(base, tmp_path)
    pairs = [{"prompt": f"{n} {WORDS[n % 5]}", "chosen": "jars", "rejected": "copper"} for n in range(8)]
    lessons = lessons_of(file_of(tmp_path, pairs, "pairs.jsonl"), None)
    still = Training(epochs=1, batch=8, learning_rate=1e-12, lora=0)
    second = Student(base, lessons, still, after=first)
    asked = first.lessons.taught[:20]
    folder = second.train(tmp_path / "students")
    assert losses(folder, asked) == pytest.approx(losses(first.train(tmp_path / "students"), asked), abs=1e-4)
    assert sum(losses(folder, asked)) < sum(losses(base, asked)) / 2
    assert second.key != Student(base, lessons, still).key


def test_questions_that_are_taught_are_left_out_and_told(
    base: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    file_of(tmp_path, echoes(280))
    asked = [f"Which of the {n} jars in the still-room holds the quince vinegar?" for n in range(30)]
    taught = [row["messages"][0]["content"] for row in echoes(280)[:10]]
    file_of(tmp_path, [{"instruction": text} for text in [*asked, *taught]], "questions.jsonl")
    plan = plan_proof(ProofSettings(dataset="rows.jsonl", base=base, out=".", questions="questions.jsonl"))
    held_out = {one.last_asked for one in plan.items.held_out.taught}
    left = {one.last_asked for one in plan.items.questions.taught}  # type: ignore[union-attr]
    assert set(asked) <= left <= set(asked) | held_out
    assert plan.items.contaminated >= len(set(taught) - held_out) > 0


def test_choices_that_are_taught_are_left_out_and_the_others_are_measured(
    base: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    file_of(tmp_path, echoes(280))
    asked = [f"Which of the {n} jars in the still-room holds the quince vinegar?" for n in range(25)]
    asked += [row["messages"][0]["content"] for row in echoes(280)[:10]]
    rows = [{"question": text, "choices": ["glass", "jars", "no"], "answer": at % 3} for at, text in enumerate(asked)]
    file_of(tmp_path, rows, "choices.jsonl")
    plan = plan_proof(ProofSettings(dataset="rows.jsonl", base=base, out=".", choices="choices.jsonl"))
    assert plan.measures == ["loss", "choices"]
    figures = plan.figures("choices", base)
    assert plan.items.choices is not None
    assert 25 <= len(figures) == len(plan.items.choices.taught) < 35
    assert set(figures) <= {0.0, 1.0}


def test_a_student_that_memory_has_no_room_for_says_what_to_lower(
    base: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_room(*_: Any) -> None:
        raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB")

    made = student(base, tmp_path)
    monkeypatch.setattr(Student, "_trainer", no_room)
    with pytest.raises(ConfigError, match="does not fit into memory: batch 8, max_length 1024"):
        made.train(tmp_path / "students")
    assert made.told(tmp_path / "students") is None


def test_what_is_held_out_is_not_taught_by_another_dataset_either(
    base: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    file_of(tmp_path, echoes(280))
    file_of(tmp_path, echoes(400), "more.jsonl")
    plan = plan_proof(ProofSettings(dataset="rows.jsonl", base=base, out=".", against=("more.jsonl",)))
    held_out = {one.asked for one in plan.items.held_out.taught}
    assert len(held_out) >= 20
    (other,) = (arm.lessons for arm in plan.arms[0] if arm.name == "more.jsonl")
    assert other is not None
    assert not {one.asked for one in other.taught} & held_out


def test_a_mistake_seen_at_a_glance_needs_no_reading(
    base: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    file_of(tmp_path, echoes(60))
    told = {"dataset": "rows.jsonl", "base": base, "out": "."}
    check_proof(ProofSettings(**told))
    for wrong, said in (
        ({"check": "anwser"}, "no such check"),
        ({"base": "nowhere/at/all"}, "no such model"),
        ({"against": ("missing.jsonl",)}, "missing.jsonl"),
        ({"out": None}, "has no place"),
    ):
        with pytest.raises(ConfigError, match=said):
            check_proof(ProofSettings(**(told | wrong)))


def test_more_students_than_were_asked_for_are_refused(
    base: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    file_of(tmp_path, echoes(280))
    with pytest.raises(ConfigError, match="too many students: 10, at most 9"):
        plan_proof(ProofSettings(dataset="rows.jsonl", base=base, out=".", curve=True, seeds=2, max_students=9))
