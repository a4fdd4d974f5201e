"""How many tokens go through a model at once: what the engine does, and what is foretold of it."""

from __future__ import annotations

#: Tokens at once where nobody says: where a CPU and a GPU reach their full speed. A CPU
#: reaches it with half of them where each is much work (a pass of 1.7e11 operations), and memory
#: is saved: at GPT-2's shape 150 MB.
CPU_BATCH_TOKENS, CPU_FEWEST_TOKENS, _CPU_PASS_FLOPS = 2048, 1024, 1.7e11
GPU_BATCH_TOKENS = 32768
#: Fewest tokens of a batch, however little memory there is.
_FEWEST_TOKENS = 256
#: Bytes that one staging buffer may take; wide or many hooks make batches smaller.
CPU_STAGING_BYTES = 48 << 20
GPU_STAGING_BYTES = 1 << 30
#: Staging buffers: one is filled, one is written, one absorbs the jitter between them.
STAGING_BUFFERS = 3
#: Share of a GPU's free memory that batches are sized for: what a pass takes is a guess.
_ROOM_SHARE = 0.8
#: Seconds of work in a batch at most, at a cautious guess of a device's FLOP/s.
_BATCH_SECONDS = 10.0
_FLOPS = {"cpu": 5e10, "cuda": 1e14}
#: Stream widths that one token takes in a forward pass: stream, norm, q k v, attention's output,
#: and two of the MLP's, four times as wide.
PASS_WIDTHS = 14


def tokens_per_second(device_type: str, flops_per_token: float) -> float:
    """Return a cautious guess of a device's speed, ``cpu`` or ``cuda``."""
    return _FLOPS["cuda" if device_type == "cuda" else "cpu"] / max(1.0, flops_per_token)


def batch_tokens(
    *,
    device_type: str,
    asked: int | None,
    longest: int,
    row_bytes: int,
    flops_per_token: float,
    room: int | None = None,
    pass_bytes: int = 0,
) -> int:
    """Return the tokens that go through a model at once; the same arguments always give the same.

    Parameters
    ----------
    device_type
        ``cpu`` or ``cuda``.
    asked
        What the user asked for, or None.
    longest
        Tokens of the longest sample, which is never cut.
    row_bytes
        Bytes that one token takes in all arrays together.
    flops_per_token
        Floating-point operations of the forward pass for one token: two per parameter of the
        blocks.
    room
        Bytes that the device has left for batches; None where that is not known.
    pass_bytes
        Bytes that one token of a batch takes there, staging included.
    """
    tokens = asked
    if tokens is None:
        gpu = device_type == "cuda"
        tokens = GPU_BATCH_TOKENS if gpu else _cpu_tokens(flops_per_token)
        staging = GPU_STAGING_BYTES if gpu else CPU_STAGING_BYTES
        most = int(_BATCH_SECONDS * tokens_per_second(device_type, flops_per_token))
        tokens = min(tokens, staging // max(1, row_bytes), most)
        if room is not None:
            tokens = min(tokens, int(_ROOM_SHARE * room) // max(1, pass_bytes))
        tokens = max(_FEWEST_TOKENS, tokens)
    return max(tokens, longest)


def _cpu_tokens(flops_per_token: float) -> int:
    enough = int(_CPU_PASS_FLOPS / max(1.0, flops_per_token))
    return min(max(enough, CPU_FEWEST_TOKENS), CPU_BATCH_TOKENS)
