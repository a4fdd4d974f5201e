"""Tokenizers drawn from a seed: model, normalizer, pre-tokenizer and post-processor at random."""

from __future__ import annotations

import random
from typing import Any

from tokenizers import (
    Regex,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)
from transformers import PreTrainedTokenizerFast

#: Pieces that texts are put together from.
PIECES = [
    "the cat sat", "The QUICK brown", " ", "  ", "\n", "\t\n", "12+7=19", "-5", "3.14",
    "naïve café", "cafe\u0301", "ÜBER straße", "我们今天学习", "ไทยภาษา", "こんにちは", "한국어",
    "العَرَبِيَّة", "हिन्दी", "🙂👩\u200d👧", "foo_bar(x)", "<s>", "</s>", "<pad>", "\u200b", "\ufeff",
    "İstanbul", "ﬁne", "𝔘𝔫𝔦", "...", "!?", "x" * 20,
]  # fmt: skip

SPECIALS = ["<pad>", "<s>", "</s>", "<unk>"]


def draw_text(rng: random.Random) -> str:
    """Return a text of up to twelve pieces, most with a blank between."""
    glue = rng.choice(["", " ", " "])
    return glue.join(rng.choice(PIECES) for _ in range(rng.randint(0, 12)))


def draw_tokenizer(rng: random.Random) -> PreTrainedTokenizerFast:
    """Return a small trained tokenizer of any kind."""
    kind = rng.choice(["bpe", "bytes", "wordpiece", "wordlevel", "unigram", "digits"])
    corpus = [draw_text(rng) for _ in range(60)]
    tokenizer, trainer = _model(kind, rng)
    steps: list[Any] = [
        normalizers.NFC(), normalizers.NFKC(), normalizers.Lowercase(), normalizers.StripAccents(),
        normalizers.Strip(), normalizers.Replace(Regex("\\s+"), " "), normalizers.NFD(),
        normalizers.BertNormalizer(), normalizers.Prepend("\u2581"),
    ]  # fmt: skip
    if rng.random() < 0.6:
        tokenizer.normalizer = normalizers.Sequence(rng.sample(steps, rng.randint(1, 2)))
    tokenizer.post_processor = _post_processor(kind, rng)
    if trainer is not None:
        tokenizer.train_from_iterator(corpus, trainer)
    roles = [
        {"bos_token": "<s>", "eos_token": "</s>"},
        {"cls_token": "<s>", "sep_token": "</s>"},
        {},
    ]
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        unk_token="<unk>" if kind in ("wordpiece", "unigram") else None,
        pad_token="<pad>",
        **rng.choice(roles),
    )


def _model(kind: str, rng: random.Random) -> tuple[Tokenizer, Any]:
    shared: dict[str, Any] = {
        "vocab_size": rng.choice([60, 300, 600]),
        "special_tokens": SPECIALS,
        "show_progress": False,
    }
    if kind == "digits":
        vocab = {token: i for i, token in enumerate([*SPECIALS, *"0123456789+="])}
        tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=[]))
        tokenizer.pre_tokenizer = pre_tokenizers.Split("", "isolated")
        tokenizer.add_special_tokens(SPECIALS)
        return tokenizer, None
    if kind == "bytes":
        tokenizer = Tokenizer(models.BPE())
        prefix_space = rng.random() < 0.5
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=prefix_space)
        tokenizer.decoder = decoders.ByteLevel()
        alphabet = pre_tokenizers.ByteLevel.alphabet()
        return tokenizer, trainers.BpeTrainer(initial_alphabet=alphabet, **shared)
    if kind == "unigram":
        tokenizer = Tokenizer(models.Unigram())
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
        tokenizer.decoder = decoders.Metaspace()
        shared["vocab_size"] = 1_000
        return tokenizer, trainers.UnigramTrainer(unk_token="<unk>", **shared)
    splitters = [pre_tokenizers.Whitespace(), pre_tokenizers.WhitespaceSplit()]
    splitters.append(pre_tokenizers.BertPreTokenizer())
    if kind == "wordpiece":
        tokenizer = Tokenizer(models.WordPiece(unk_token="<unk>"))  # type: ignore[call-arg]
        tokenizer.decoder = decoders.WordPiece()
        trainer: Any = trainers.WordPieceTrainer(**shared)
    elif kind == "wordlevel":
        tokenizer = Tokenizer(models.WordLevel())
        trainer = trainers.WordLevelTrainer(**shared)
    else:
        tokenizer = Tokenizer(models.BPE())
        trainer = trainers.BpeTrainer(**shared)
    tokenizer.pre_tokenizer = rng.choice(splitters)
    return tokenizer, trainer


def _post_processor(kind: str, rng: random.Random) -> Any:
    specials = [("<s>", 1), ("</s>", 2)]
    single = rng.choice(
        ["$A", "<s> $A", "$A </s>", "<s> $A </s>", "<s> <s> $A </s>", "<s> $A </s> </s>"]
    )
    template = processors.TemplateProcessing(single=single, special_tokens=specials)
    others: list[Any] = [
        processors.BertProcessing(("</s>", 2), ("<s>", 1)),
        processors.RobertaProcessing(("</s>", 2), ("<s>", 1)),
    ]
    if kind == "bytes":
        trimmed = processors.ByteLevel(trim_offsets=rng.random() < 0.5)
        others.append(processors.Sequence([trimmed, template]))
    return rng.choice([template, template, *others])
