"""Unigram and bigram models to compare a language model with."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise


def baseline_losses(
    train: Iterable[Sequence[int]], validation: Iterable[Sequence[int]], vocabulary: int
) -> dict[str, float]:
    """Measure an n-gram baseline of order 1 and one of order 2.

    The unigram model has add-one smoothing; the bigram model is interpolated with it by the weights
    of Witten and Bell (1991): ``c(a) / (c(a) + t(a))`` for the bigram, where ``c(a)`` counts the
    occurrences of token ``a`` and ``t(a)`` the different tokens seen after it.

    Parameters
    ----------
    train, validation
        Documents as token ids, each starting with BOS.
    vocabulary
        Number of different ids.

    Returns
    -------
    dict
        ``unigram_loss`` and ``bigram_loss``: mean nats per token, over all tokens but the first of
        each validation document.
    """
    unigrams: Counter[int] = Counter()
    bigrams: Counter[tuple[int, int]] = Counter()
    for ids in train:
        unigrams.update(ids[1:])
        bigrams.update(pairwise(ids))
    total = sum(unigrams.values())
    before: Counter[int] = Counter()
    kinds: Counter[int] = Counter()
    for (a, _), times in bigrams.items():
        before[a] += times
        kinds[a] += 1

    sum_1 = sum_2 = 0.0
    count = 0
    for ids in validation:
        for a, b in pairwise(ids):
            p1 = (unigrams[b] + 1) / (total + vocabulary)
            weight = before[a] / (before[a] + kinds[a]) if before[a] else 0.0
            p2 = weight * bigrams[a, b] / before[a] + (1 - weight) * p1 if before[a] else p1
            sum_1 -= math.log(p1)
            sum_2 -= math.log(p2)
            count += 1
    return {"unigram_loss": sum_1 / count, "bigram_loss": sum_2 / count}
