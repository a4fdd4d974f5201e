"""Token ids that a dataset brings along: right, or an error that names the row."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mistudio_ext.errors import MiStudioError
from mistudio_ext.store.samples import page
from tests.workers.test_chats import tokenized

Import = Callable[..., dict[str, Any]]

ROWS: dict[str, tuple[dict[str, Any], str]] = {
    "null": ({"input_ids": [5, None, 6]}, "bad_row"),
    "a negative id": ({"input_ids": [5, -1]}, "token_out_of_range"),
    "an id beyond the vocabulary": ({"input_ids": [5, 330_000]}, "token_out_of_range"),
    "an id beyond 32 bits": ({"input_ids": [2**40]}, "token_out_of_range"),
    "a short mask": ({"input_ids": [5, 6], "attention_mask": [1]}, "bad_row"),
}


@pytest.fixture
def imported(tmp_path: Path, import_dataset: Import) -> Callable[..., dict[str, Any]]:
    def run(*rows: dict[str, Any], **settings: Any) -> dict[str, Any]:
        path = tmp_path / "ids.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return import_dataset(path, **settings)

    return run


@pytest.mark.parametrize("case", ROWS)
@pytest.mark.parametrize("vocab_size", [330, None])
def test_a_row_that_cannot_be_is_named_or_skipped(
    case: str,
    vocab_size: int | None,
    imported: Callable[..., dict[str, Any]],
    data_dir: Path,
    tmp_path: Path,
) -> None:
    row, code = ROWS[case]
    model = tmp_path / "model"
    model.mkdir()
    if vocab_size is not None:  # Else nothing says how many ids the model knows.
        (model / "config.json").write_text(json.dumps({"vocab_size": vocab_size}))
    good = {"input_ids": [7, 8], "attention_mask": [1, 1]}
    result = imported(good, {**row}, {"input_ids": [9]})
    assert page(data_dir / "datasets/ds_1", None, None)["total"] == 3
    if vocab_size is None and case == "an id beyond the vocabulary":
        assert tokenized(data_dir, result, model, context=8, special_tokens=False).n_tokens == 5
        return
    settings = {"context": 8, "special_tokens": False}
    with pytest.raises(MiStudioError, match="Row 1 ") as caught:
        tokenized(data_dir, result, model, **settings)
    assert caught.value.code == code
    found = tokenized(data_dir, result, model, **settings, bad_rows="skip")
    assert found.rows.tolist() == [0, 2]


@pytest.mark.parametrize(
    "ids", [[[5, 6, 7]], [5.5, 6], ["5"], "5 6", 5], ids=["nested", "float", "text", "one", "int"]
)
def test_ids_of_another_shape_are_no_text(
    ids: Any, imported: Callable[..., dict[str, Any]]
) -> None:
    if isinstance(ids, str):
        assert imported({"input_ids": ids})["text_column"] == "input_ids"
        return
    with pytest.raises(MiStudioError, match="input_ids") as caught:
        imported({"input_ids": ids})
    assert caught.value.code == "bad_token_ids"


def test_ids_of_another_shape_are_not_tokenized_when_they_are_named(
    imported: Callable[..., dict[str, Any]], data_dir: Path, tokenizers: dict[str, Path]
) -> None:
    result = imported({"input_ids": [[5, 6, 7]], "text": "x"})
    assert result["text_column"] == "text"
    with pytest.raises(MiStudioError) as caught:
        tokenized(data_dir, result, tokenizers["llama"], context=8, column="input_ids")
    assert caught.value.code == "bad_token_ids"


def test_a_saved_dataset_without_rows_says_so(
    tmp_path: Path, data_dir: Path, import_dataset: Import
) -> None:
    """Also beside a split that has some, which is read."""
    from datasets import Dataset, DatasetDict, Features, Value

    empty = Dataset.from_dict({"text": []}, features=Features({"text": Value("string")}))
    empty.save_to_disk(str(tmp_path / "empty"))
    with pytest.raises(MiStudioError) as caught:
        import_dataset(tmp_path / "empty")
    assert caught.value.code == "empty_dataset"
    both = DatasetDict({"train": Dataset.from_dict({"text": ["a"]}), "test": empty})
    both.save_to_disk(str(tmp_path / "both"))
    assert import_dataset(tmp_path / "both")["splits"][0]["name"] == "train"
