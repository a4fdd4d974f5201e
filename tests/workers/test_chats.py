"""Chats from a file to token ids, compared with the tokenizer's own template."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mistudio_ext.errors import MiStudioError
from mistudio_ext.spec import TokenizationSpec
from mistudio_ext.store.preview import open_previewer
from mistudio_ext.store.samples import page
from mistudio_ext.store.tokens import Tokenization
from mistudio_ext.workers import tokenize
from mistudio_ext.workers.text_encoder import TextEncoder
from tests.workers.recorder import Recorder

Import = Callable[..., dict[str, Any]]

CALL = {
    "id": "c1",
    "type": "function",
    "function": {"name": "get_weather", "arguments": {"city": "Paris", "days": 2, "at": 0.5}},
}
OTHER = {
    "id": "c2",
    "type": "function",
    "function": {"name": "f", "arguments": {"b": [1], "a": {}}},
}
WITH_CALLS = [
    {"role": "user", "content": "weather?"},
    {"role": "assistant", "content": None, "tool_calls": [CALL, OTHER]},
    {"role": "tool", "tool_call_id": "c1", "name": "get_weather", "content": "sunny"},
    {"role": "assistant", "reasoning": "It shines.", "content": "It is sunny."},
]
PARTS = [
    {"type": "text", "text": "what is"},
    {"type": "text", "text": "this"},
    {"type": "image", "url": "x.png"},
]
WITH_PARTS = [
    {"role": "user", "content": PARTS},
    {"role": "assistant", "content": [{"type": "text", "text": "a cat"}]},
]
MIXED = [
    {"role": "user", "content": [{"type": "text", "text": "q"}]},
    {"role": "assistant", "content": "plain"},
]
PLAIN = [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "[1]"}]
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "get_weather",
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
        },
    }
]

#: Writes all that a turn can have, as the templates of models do.
TEMPLATE = """{{ bos_token }}{% if tools %}<tools>
{% for tool in tools %}
{{ tool | tojson(indent=1) }}
{% endfor %}</tools>{% endif %}
{% for m in messages %}
[{{ m.role }}{% if m.name is defined %} {{ m.name }}{% endif %}]
{%- if m.reasoning_content %}<think>{{ m.reasoning_content }}</think>{% endif %}
{%- if m.thinking %}({{ m.thinking }}){% endif %}
{%- if m.content is string %}
{%- generation %}{{ m.content }}{% endgeneration %}
{%- elif 'content' in m %}
{%- for part in m.content %}
{%- if part.type == 'text' %}{{ part.text }}{% else %}<{{ part.type }}>{% endif %}
{%- endfor %}
{%- else %}<no content>{% endif %}
{%- for call in m.tool_calls or [] %}
<call>{{ call.function.name }} {{ call.function.arguments | tojson }} {{ call.id }}</call>
{%- endfor %}
{%- if m.tool_call_id %}#{{ m.tool_call_id }}{% endif %}
{% endfor %}"""

CHATS: dict[str, list[dict[str, Any]]] = {
    "tool calls": [{"messages": WITH_CALLS}],
    "parts": [{"messages": WITH_PARTS}],
    "parts and texts": [{"messages": MIXED}],
    "all in one file": [
        {"messages": PLAIN, "tools": None},
        {"messages": WITH_CALLS, "tools": TOOLS},
        {"messages": WITH_PARTS, "tools": []},
        {"messages": MIXED},
    ],
    "tools as text": [{"messages": WITH_CALLS, "tools": json.dumps(TOOLS)}],
    "tools that are alike": [{"messages": PLAIN, "tools": TOOLS}],
    "turns that are alike": [{"messages": PLAIN}, {"messages": PLAIN[::-1]}],
}


@pytest.fixture(scope="module")
def model(tokenizers: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a tokenizer whose template writes tool calls."""
    from transformers import AutoTokenizer

    folder = tmp_path_factory.mktemp("chat-model")
    tokenizer = AutoTokenizer.from_pretrained(tokenizers["llama"])
    tokenizer.chat_template = TEMPLATE
    tokenizer.save_pretrained(folder)
    TextEncoder.load(folder).save_for_preview(folder / "preview")
    return folder


def tokenized(
    data_dir: Path, imported: dict[str, Any], model: Path, **settings: Any
) -> Tokenization:
    dataset = {"id": "ds_1", "name": "d", "path": str(data_dir / "datasets/ds_1"), "split": "train"}
    folder = data_dir / "tokenizations/tok_1"
    spec = {
        "data_dir": str(data_dir),
        "disk_reserve_bytes": 0,
        "tokenization": {"id": "tok_1", "path": str(folder), "settings": settings},
        "dataset": {**dataset, **{k: imported[k] for k in ("text_column", "fingerprint")}},
        "model": {"id": "m", "name": "m", "path": str(model)},
    }
    tokenize.run(spec, Recorder())
    return Tokenization(folder)


def expected(model: Path, rows: list[dict[str, Any]]) -> list[str]:
    """Return what the tokenizer writes for the turns and tools of a source file."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(model)
    found = []
    for row in rows:
        tools = row.get("tools")
        tools = (json.loads(tools) if isinstance(tools, str) else tools) or None
        found.append(tokenizer.apply_chat_template(row["messages"], tools=tools, tokenize=False))
    return found


@pytest.mark.parametrize("case", CHATS)
def test_a_template_gets_what_the_file_has(
    case: str, tmp_path: Path, data_dir: Path, import_dataset: Import, model: Path
) -> None:
    """In the run and in the preview; the oracle is ``apply_chat_template`` on the source."""
    from transformers import AutoTokenizer

    rows = CHATS[case]
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    imported = import_dataset(path)
    assert imported["text_column"] == "messages"
    wanted = expected(model, rows)
    found = tokenized(data_dir, imported, model, context=4000, chat_template=True)
    tokenizer = AutoTokenizer.from_pretrained(model)
    assert [found.sample(i).tolist() for i in range(len(found))] == [
        tokenizer.encode(text, add_special_tokens=False) for text in wanted
    ]
    columns = [column["name"] for column in imported["columns"]]
    shown = page(data_dir / "datasets/ds_1", None, "messages", columns=columns)
    cells = [sample["columns"] for sample in shown["samples"]]
    assert [cell["messages"] for cell in cells] == [row["messages"] for row in rows]
    settings = TokenizationSpec(context=4000, chat_template=True)
    preview = open_previewer(model / "preview").preview(
        [cell["messages"] for cell in cells],
        settings,
        tools=[cell.get("tools") for cell in cells],
    )
    assert preview["texts"] == wanted


def test_turns_are_shown_with_all_that_they_have(
    tmp_path: Path, data_dir: Path, import_dataset: Import
) -> None:
    path = tmp_path / "rows.jsonl"
    chats = (WITH_CALLS, WITH_PARTS, MIXED)
    path.write_text("".join(json.dumps({"messages": chat}) + "\n" for chat in chats))
    import_dataset(path)
    called, parts, mixed = page(data_dir / "datasets/ds_1", None, "messages")["samples"]
    assert [turn["role"] for turn in called["turns"]] == ["user", "assistant", "tool", "assistant"]
    assert "get_weather" in called["text"]
    assert "It shines." in called["text"]
    assert called["turns"][1]["tool_calls"] == [CALL, OTHER]
    assert parts["text"] == "user: what is\nthis\n[image: x.png]\nassistant: a cat"
    assert parts["turns"][0]["parts"] == PARTS
    assert mixed["text"] == "user: q\nassistant: plain"
    for sample in (called, parts, mixed):
        joined = "\n".join(f"{turn['role']}: {turn['content']}" for turn in sample["turns"])
        assert joined == sample["text"]


def test_turns_of_a_parquet_file_are_those_that_datasets_gives(
    tmp_path: Path, data_dir: Path, import_dataset: Import, model: Path
) -> None:
    """Arrow has null where a turn has no key, and the template leaves these out."""
    import datasets

    path = tmp_path / "rows.parquet"
    pq.write_table(pa.table({"messages": [WITH_CALLS[:1] + WITH_CALLS[2:], PLAIN]}), path)
    rows = datasets.load_dataset(
        "parquet", data_files=str(path), cache_dir=str(tmp_path / "cache"), split="train"
    )
    imported = import_dataset(path)
    found = tokenized(data_dir, imported, model, context=4000, chat_template=True)
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(model)
    for i, row in enumerate(rows):
        text = tokenizer.apply_chat_template(row["messages"], tokenize=False)
        assert found.sample(i).tolist() == tokenizer.encode(text, add_special_tokens=False)


def test_tools_that_cannot_be_read_are_named_with_their_row(
    tmp_path: Path, data_dir: Path, import_dataset: Import, model: Path
) -> None:
    path = tmp_path / "rows.jsonl"
    rows = [{"messages": PLAIN, "tools": "[]"}, {"messages": PLAIN, "tools": "{broken"}]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    imported = import_dataset(path)
    with pytest.raises(MiStudioError, match="row 1") as caught:
        tokenized(data_dir, imported, model, context=99, chat_template=True)
    assert caught.value.code == "bad_row"
    found = tokenized(data_dir, imported, model, context=99, chat_template=True, bad_rows="skip")
    assert found.rows.tolist() == [0]


def test_several_templates_are_chosen_from_as_transformers_does(
    tokenizers: dict[str, Path], tmp_path: Path
) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tokenizers["llama"])
    tokenizer.chat_template = {
        "default": "plain{% for m in messages %}{{ m.content }}{% endfor %}",
        "tool_use": "tools{{ tools | length }}",
    }
    tokenizer.save_pretrained(tmp_path / "model")
    encoder = TextEncoder.load(tmp_path / "model")
    encoder.save_for_preview(tmp_path / "preview")
    settings = TokenizationSpec(context=99, chat_template=True)
    found = open_previewer(tmp_path / "preview").preview([PLAIN] * 2, settings, tools=[None, TOOLS])
    assert found["texts"] == ["plainHello[1]", "tools1"]
    assert encoder.render_chat(PLAIN) == found["texts"][0]
    assert encoder.render_chat(PLAIN, TOOLS) == found["texts"][1]
