"""Chats: what templates get, and what people see."""

from __future__ import annotations

from typing import Any

import pytest

from mistudio_ext.errors import MiStudioError
from mistudio_ext.store.columns import as_text
from mistudio_ext.store.turns import messages, shown_turns, tools

CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": {"city": "Paris"}}}


@pytest.mark.parametrize(
    ("turn", "wanted"),
    [
        ({"role": "user", "content": "x"}, {"role": "user", "content": "x"}),
        ({"from": "human", "value": "x"}, {"role": "human", "content": "x"}),
        ({"speaker": "a", "text": "x", "id": 1}, {"role": "a", "content": "x", "id": 1}),
        (
            {"role": "assistant", "content": None, "tool_calls": [CALL]},
            {"role": "assistant", "content": None, "tool_calls": [CALL]},
        ),
        ({"role": None, "from": "gpt", "content": "x"}, {"role": "gpt", "content": "x"}),
        (
            {"role": "a", "content": "x", "text": "y"},
            {"role": "a", "content": "x", "text": "y"},
        ),
    ],
)
def test_turns_keep_all_that_they_have(turn: dict[str, Any], wanted: dict[str, Any]) -> None:
    (found,) = messages([turn]) or []
    assert found == wanted
    assert list(found) == list(wanted)


def test_lists_beside_each_other_are_turns() -> None:
    """Also where one is shorter: nothing is cut off."""
    assert messages({"role": ["a", "b"], "content": ["x"]}) == [
        {"role": "a", "content": "x"},
        {"role": "b", "content": None},
    ]


@pytest.mark.parametrize("value", [None, [], "text", [1], [{"content": "x"}], {"a": 1}, {}])
def test_what_is_no_chat(value: Any) -> None:
    assert messages(value) is None
    assert shown_turns(value) is None


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ({"content": "plain"}, "plain"),
        ({"content": [{"type": "text", "text": "q"}]}, "q"),
        (
            {"content": [{"type": "text", "text": "a"}, {"type": "image", "url": "x.png"}]},
            "a\n[image: x.png]",
        ),
        ({"content": [{"type": "image_url", "image_url": {"url": "y"}}]}, "[image_url: y]"),
        ({"content": [{"type": "image", "image": "z.png"}]}, "[image: z.png]"),
        ({"content": [{"type": "audio"}, "bare"]}, "[audio]\nbare"),
        ({"content": {"answer": 4}}, '{"answer": 4}'),
        ({"content": None, "tool_calls": [CALL]}, '[call f({"city": "Paris"})]'),
        ({"content": "x", "function_call": {"name": "g", "arguments": "{}"}}, "x\n[call g({})]"),
        ({"content": "x", "reasoning_content": "hm"}, "[reasoning] hm\nx"),
        ({"content": "x", "thinking": "hm", "reasoning_content": "hm"}, "[reasoning] hm\nx"),
        ({"content": None}, ""),
    ],
)
def test_nothing_of_a_turn_vanishes(message: dict[str, Any], text: str) -> None:
    chat = [{"role": "assistant", **message}]
    (turn,) = shown_turns(chat) or []
    assert turn["content"] == text
    assert as_text(chat) == f"assistant: {text}"
    for key in message.keys() - {"content"}:
        assert turn[key] == message[key]


def test_tools_are_objects_or_their_json() -> None:
    wanted = [{"type": "function"}]
    assert tools(None) is tools([]) is tools("") is tools("[]") is None
    assert tools(wanted) == tools('[{"type": "function"}]') == tools(['{"type": "function"}'])
    assert tools({"type": "function"}) == wanted
    for wrong in ("[1]", "{", ["x"], [1], 5):
        with pytest.raises(MiStudioError) as caught:
            tools(wrong)
        assert caught.value.code == "bad_row"
