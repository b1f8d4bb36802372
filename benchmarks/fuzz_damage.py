"""Ways to damage a file, or a folder of zarr, at random and by a seed."""

import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

EXTREMES = (0, 1, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 1 << 63, (1 << 64) - 1)
JSON_EXTREMES = (0, -1, 1, 2**31, 10**9, 10**18, 1e308, 0.5, "", "x", "../..", None, True, [], {})

Rng = np.random.Generator


def damaged(content: bytes, rng: Rng) -> tuple[str, bytes]:
    """Damage a file's content in one of several ways; return how, too."""
    how = str(rng.choice(list(_DAMAGES)))
    if not content:
        return how, content
    return how, _DAMAGES[how](bytearray(content), rng)


def _place(content: bytearray, rng: Rng) -> int:
    """Choose a place in a file, half of the time in its first part."""
    end = len(content) if rng.random() < 0.5 else min(len(content), 512)
    return int(rng.integers(0, end))


def _flip(content: bytearray, rng: Rng) -> bytes:
    for _ in range(int(rng.integers(1, 9))):
        content[_place(content, rng)] ^= 1 << int(rng.integers(0, 8))
    return bytes(content)


def _truncate(content: bytearray, rng: Rng) -> bytes:
    return bytes(content[: _place(content, rng)])


def _insert(content: bytearray, rng: Rng) -> bytes:
    at = _place(content, rng)
    return bytes(content[:at] + rng.bytes(int(rng.integers(1, 64))) + content[at:])


def _cut_out(content: bytearray, rng: Rng) -> bytes:
    at = _place(content, rng)
    return bytes(content[:at] + content[at + int(rng.integers(1, 64)) :])


def _blank(content: bytearray, rng: Rng) -> bytes:
    at, n = _place(content, rng), int(rng.integers(1, 200))
    content[at : at + n] = bytes([int(rng.choice([0, 255]))]) * len(content[at : at + n])
    return bytes(content)


def _extreme(content: bytearray, rng: Rng) -> bytes:
    """Put an extreme number into what may be a field of the header."""
    for _ in range(int(rng.integers(1, 4))):
        n = int(rng.choice([1, 2, 4, 8]))
        at = _place(content, rng) // 2 * 2
        value = EXTREMES[int(rng.integers(len(EXTREMES)))] & ((1 << 8 * n) - 1)
        order: Any = "little" if rng.random() < 0.5 else "big"
        content[at : at + n] = value.to_bytes(n, order)[: len(content) - at]
    return bytes(content)


def _number(content: bytearray, rng: Rng) -> bytes:
    """Replace a number that is written in letters."""
    found = list(re.finditer(rb"\d+", bytes(content[:4096])))
    if not found:
        return _flip(content, rng)
    one = found[int(rng.integers(len(found)))]
    value = rng.choice([b"0", b"-1", b"1000000000", b"99999999999999999999", b"1e400", b"NaN"])
    return bytes(content[: one.start()] + bytes(value) + content[one.end() :])


_DAMAGES: dict[str, Callable[[bytearray, Rng], bytes]] = {
    "flip": _flip, "truncate": _truncate, "insert": _insert, "cut out": _cut_out,
    "blank": _blank, "extreme": _extreme, "number": _number,
}  # fmt: skip


def damaged_json(content: bytes, rng: Rng) -> bytes:
    """Replace or remove one value of a JSON document."""
    document = json.loads(content)
    places = list(_json_places(document))
    if not places:
        return content
    holder, key = places[int(rng.integers(len(places)))]
    if rng.random() < 0.2:
        del holder[key]
    else:
        holder[key] = JSON_EXTREMES[int(rng.integers(len(JSON_EXTREMES)))]
    return json.dumps(document).encode()


def _json_places(node: Any) -> Iterator[tuple[Any, Any]]:
    keys = node.keys() if isinstance(node, dict) else range(len(node))
    for key in list(keys):
        yield node, key
        if isinstance(node[key], dict | list):
            yield from _json_places(node[key])


def write_damaged(seed: Path, target: Path, rng: Rng) -> str:
    """Write a damaged copy of a file or of a zarr folder; return what was done to it."""
    if seed.is_file():
        how, content = damaged(seed.read_bytes(), rng)
        target.write_bytes(content)
        return how
    shutil.copytree(seed, target)
    files = sorted(path for path in target.rglob("*") if path.is_file())
    metadata = [path for path in files if path.name.startswith(".z") or path.suffix == ".json"]
    chosen = metadata if rng.random() < 0.6 else [path for path in files if path not in metadata]
    path = chosen[int(rng.integers(len(chosen)))]
    name = path.relative_to(target)
    chance = rng.random()
    if chance < 0.05:
        path.unlink()
        return f"{name} removed"
    if path in metadata and chance < 0.6:
        path.write_bytes(damaged_json(path.read_bytes(), rng))
        return f"{name} value"
    how, content = damaged(path.read_bytes(), rng)
    path.write_bytes(content)
    return f"{name} {how}"
