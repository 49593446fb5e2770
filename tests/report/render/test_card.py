"""Model cards: front matter that Hugging Face reads, and nothing that is not in the records."""

import math
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.support import records
from tinyprune import pretrained
from tinyprune.artifacts.card import CardFacts
from tinyprune.artifacts.network import TensorSparsity
from tinyprune.artifacts.quality import Quality
from tinyprune.cli import main
from tinyprune.report.render.card import card
from tinyprune.stages.card import _given
from tinyprune.storage.records import read_json


@pytest.fixture
def facts() -> CardFacts:
    tensors = (TensorSparsity("a/kernel", 1000, 750, 750),)
    return CardFacts(
        name="weight-0.75",
        task="classification",
        data="keywords",
        tflite=records.tflite_artifact("int8.tflite", tensors=tensors),
        qualities=(
            records.quality("float", accuracy=0.95, auc=math.nan),
            records.quality("int8", accuracy=0.9375, auc=math.nan),
        ),
        costs={"ethos-u55-128-shared-sram": records.resource_report()},
        settings={"prune": {"sparsity": "0.75", "exclude": "a|b"}},
        classes=("yes", "no"),
        limits=("It knows two words.",),
        versions={"tinyprune": "0.2.0"},
    )


def front_matter(text: str) -> list[str]:
    assert text.startswith("---\n")
    return text.split("---\n")[1].splitlines()


def test_the_front_matter_has_task_tags_and_the_score_of_the_int8_graph(facts):
    lines = front_matter(card(facts, "mit"))
    assert lines[:3] == [
        'license: "mit"',
        "library_name: litert",
        "pipeline_tag: audio-classification",
    ]
    assert lines[lines.index("    metrics:") + 1 :] == [
        "    - type: accuracy",
        "      value: 0.9375",
        '      name: "accuracy"',
    ]  # the AUC has no value, and none is made up


def test_what_is_not_known_is_left_out(facts):
    plain = CardFacts("a", "regression", "arrays", facts.tflite, qualities=())
    text = card(plain)
    assert "license" not in text
    assert "pipeline_tag" not in text
    assert "model-index" not in text
    assert "## " not in text


def test_tables_have_costs_and_settings(facts):
    text = card(facts)
    assert "1,000 weights, 75.0% of them zero. It tells apart yes, no." in text
    assert "| int8 | dev | 48 | 0.938 |" in text
    assert "| ethos-u55-128-shared-sram | 100 kB |" in text
    assert r"| prune.exclude | a\|b |" in text
    assert "- It knows two words." in text


def test_folders_of_this_machine_are_not_published():
    given = _given({"path": "/home/me/corpus", "seed": 0, "speech": ["/a/b", "/a/c"]}, {"seed": 0})
    assert given == {"path": "corpus", "speech": "b, c"}


def test_the_card_of_the_network_in_the_package(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(main, ["card", "pretrained", "-o", "README.md"])
    assert result.output == "README.md\n"
    text = Path("README.md").read_text()
    noisy, scored = read_json(pretrained.qualities(), list[Quality])
    assert f"value: {scored.metrics['si_sdr_db']:.6g}" in text
    assert f"{noisy.metrics['si_sdr_db']:.2f}" in text
    assert 'license: "apache-2.0"' in text
