"""The card: what the Hub reads of it, and what a person finds in it.

The rules are the Hub's, as documented in huggingface/hub-docs (datasetcard.md, and the lists of sizes and tasks there) and in
huggingface.co/docs/hub/datasets-manual-configuration; its own validation is a service that a test cannot ask.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml
from huggingface_hub import DatasetCard, DatasetCardData

from flows.config import InstructionSFT
from flows.config_file import load_config
from tasks.publish.describe.citations import PAPERS, cited
from tasks.publish.describe.licences import LICENCES, licence_of
from tasks.publish.describe.metadata import features_of, size_category
from tests.flows.test_instruction_sft import Scripted, rule, sft
from tests.flows.test_preference_dpo import dpo, judged

HUB_SIZES = re.compile(r"(n<1K|(1|10|100)[KMB]<n<(1|10|100)[KMBT]|n>1T)")
HALVES = {"train": 0.5, "test": 0.5}


def card_of(folder: str) -> DatasetCard:
    return DatasetCard.load(f"{folder}/README.md")


def seeds(count: int) -> list[str]:
    return [f"question {at}" for at in range(count)]


def test_the_metadata_is_what_the_hub_takes(scripted: Scripted) -> None:
    scripted(rule)
    formats = ["messages", "alpaca"]
    sft(recipe="evolved", seeds=seeds(12), format=formats, splits=HALVES, license="cc-by-4.0", curate=None)
    data = card_of("out").data
    assert isinstance(data, DatasetCardData)
    told = data.to_dict()
    assert (told["license"], told["language"], told["task_categories"]) == ("cc-by-4.0", ["en"], ["text-generation"])
    assert HUB_SIZES.fullmatch(told["size_categories"][0])
    assert {"synthetic", "sft"} <= set(told["tags"])
    assert [config["config_name"] for config in told["configs"]] == ["default", *formats, "r1"]
    for config in told["configs"]:
        for split in config["data_files"]:
            assert re.fullmatch(r"\w+(\.\w+)*", split["split"])
            assert Path("out", split["path"]).is_file()
    assert [info["config_name"] for info in told["dataset_info"]] == ["default", "alpaca"]


@pytest.mark.parametrize("formats", ["messages", ["sharegpt", "prompt_completion"], ["messages", "openai", "alpaca"]])
def test_features_and_sizes_are_those_that_datasets_finds(formats: Any, scripted: Scripted, tmp_path: Path) -> None:
    from datasets import Features, load_dataset

    scripted(rule)
    sft(recipe="respond", seeds=seeds(12), format=formats, splits=HALVES)
    infos = {info["config_name"]: info for info in card_of("out").data.to_dict()["dataset_info"]}
    for name, info in infos.items():
        rows = load_dataset("out", name, cache_dir=str(tmp_path / "cache"))
        assert {split["name"]: split["num_examples"] for split in info["splits"]} == {
            n: len(p) for n, p in rows.items()
        }
        assert Features._from_yaml_list(info["features"]) == rows["train"].features
        assert info["download_size"] > 0 < info["dataset_size"]


@pytest.mark.parametrize("shape", ["dpo", "kto", "reward", "binarized"])
def test_features_of_pairs_are_those_that_datasets_finds(shape: str, scripted: Scripted) -> None:
    import pyarrow.parquet as pq
    from datasets import Features

    scripted(judged)
    dpo(recipe="basic", instructions=seeds(8), format=shape)
    assert ("KTOTrainer keeps their order" in card_of("pairs").text) is (shape == "kto")
    file = "pairs/data/train.parquet"
    assert features_of(pl.read_parquet_schema(file)) == Features.from_arrow_schema(pq.read_schema(file))._to_yaml_list()


def test_a_person_finds_how_it_was_made(scripted: Scripted) -> None:
    from tasks.engine.process import process
    from tasks.models.config import ModelConfig

    priced = {"name": "test", "price_prompt": 1.0, "price_completion": 2.0}
    process.adopt(ModelConfig(**priced), scripted(rule))
    sft(
        recipe="evolved",
        seeds=seeds(12),
        model=priced,
    )
    text = card_of("out").text
    assert "```mermaid\ngraph LR\n" in text
    assert re.search(r's1\["self_instruct<br>\d+ rows"\]|s1\["seeds<br>\d+ rows"\]', text)
    assert "| test | not stated | unknown | find the licence of the model" in text
    assert re.search(
        r"\| text_generation \| responder \| `text_generation` \| test \| temperature 0.7, top_p 0.95", text
    ) or ("| evol_instruct | responder | `text_generation` | test | temperature 0.7" in text)
    assert re.search(r"the run at hand has cost 0\.\d+", text)
    assert "deduplicate" in text and "Curation:" in text
    assert "@article{xu2024wizardlm" in text and "@article{wang2023selfinstruct" in text
    assert text.count("~~~~json") == 3
    assert "no person has reviewed it" in text


def test_what_a_row_says_cannot_break_out_of_its_block(scripted: Scripted) -> None:
    scripted(lambda _: "~~~~\n# Not a heading\n---\n```")
    sft(recipe="respond", seeds=["a question"])
    text = card_of("out").text
    assert "\n# Not a heading" not in text
    assert [line for line in text.splitlines() if line.startswith("~~~~")] == ["~~~~json", "~~~~"]


def test_the_config_beside_it_makes_the_dataset_again(scripted: Scripted) -> None:
    scripted(rule)
    Path("seeds.jsonl").write_text("".join(f'{{"instruction": "question {at}"}}\n' for at in range(12)))
    sft(recipe="respond", seeds="seeds.jsonl", splits=HALVES, format=["messages", "alpaca"])
    before = {file.name: file.read_bytes() for file in Path("out").rglob("*.parquet")}
    told = yaml.safe_load(Path("out/dataset.yaml").read_text())
    assert told["splits"] == HALVES and "retry" not in told
    config = load_config(InstructionSFT, Path("out/dataset.yaml"), {"out": "again"})
    from flows.instruction_sft import instruction_sft

    summary = instruction_sft(config)
    assert (summary["requests"], summary["rows"]) == (0, 12)
    after = {file.name: file.read_bytes() for file in Path("again").rglob("*.parquet")}
    assert {name: data for name, data in after.items() if name != "provenance.parquet"} == {
        name: data for name, data in before.items() if name != "provenance.parquet"
    }


@pytest.mark.parametrize(
    ("rows", "size"),
    [(0, "n<1K"), (999, "n<1K"), (1000, "1K<n<10K"), (10**6, "1M<n<10M"), (10**9, "1B<n<10B"), (10**11, "100B<n<1T")],
)
def test_sizes_are_the_hubs(rows: int, size: str) -> None:
    assert size_category(rows) == size
    assert HUB_SIZES.fullmatch(size)


@pytest.mark.parametrize(
    ("model", "licence"),
    [
        ("Qwen/Qwen3-8B", "apache-2.0"),
        ("Qwen/Qwen2.5-72B-Instruct", "other"),
        ("meta-llama/Llama-3.3-70B-Instruct@http://host:8000/v1", "llama3.3"),
        ("deepseek-ai/DeepSeek-V3.2", "mit"),
        ("gpt-5", "other"),
        ("demo", "apache-2.0"),
        ("demo-base", "apache-2.0"),
        ("demo-2", "apache-2.0"),
        ("demolition", "unknown"),
        ("/home/me/my-model", "unknown"),
    ],
)
def test_the_licence_of_a_model_is_known_or_said_to_be_unknown(model: str, licence: str) -> None:
    assert licence_of(model).name == licence


def test_no_licence_hides_a_more_special_one() -> None:
    for at, (begins, _) in enumerate(LICENCES):
        assert not [earlier for earlier, _ in LICENCES[:at] if begins.startswith(earlier)], begins


def test_papers_are_cited_once_each_in_bibtex() -> None:
    text = cited(["model_pool", "ultrafeedback", "critique", "text_generation", "magpie"])
    assert re.findall(r"@article\{(\w+),", text) == ["cui2024ultrafeedback", "xu2024magpie"]
    assert text.count("{") == text.count("}")
    assert cited(["text_generation"]) == ""
    assert all(re.fullmatch(r"\d{4}\.\d{5}", arxiv) for *_, arxiv in PAPERS.values())
