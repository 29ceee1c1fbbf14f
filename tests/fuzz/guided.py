"""One target under atheris, in this process, until the time is up: `python -m tests.fuzz.guided TARGET
SECONDS HOME`.

A process of its own, because the packages must be instrumented while they are imported, and because libFuzzer
ends the process.
"""

from __future__ import annotations

import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["seawall_policy", "seawall_proxy"]):
    from tests.fuzz.targets import LIMIT_S, MAX_BYTES, TARGETS, Target


def guided(target: Target, seconds: float, home: Path) -> None:
    """Run; seeds and what was found interesting before are the corpus."""
    corpus = home / "corpus" / target.name
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(target.seeds()):
        (corpus / f"seed-{number}").write_bytes(seed)
    words = home / f"{target.name}.dict"
    words.write_text("".join(f'"{_escaped(word)}"\n' for word in target.words if word))
    atheris.Setup(
        [
            sys.argv[0],
            f"-max_total_time={int(seconds) or 1}",
            f"-max_len={MAX_BYTES}",
            f"-timeout={int(LIMIT_S * 10)}",
            "-rss_limit_mb=1024",
            f"-artifact_prefix={home / 'crashes'}/{target.name}-",
            f"-dict={words}",
            str(corpus),
        ],
        target.run,
    )
    atheris.Fuzz()


def _escaped(word: bytes) -> str:
    """Return octets as libFuzzer's dictionaries spell them."""
    return "".join(f"\\x{octet:02x}" for octet in word)


if __name__ == "__main__":
    guided(TARGETS[sys.argv[1]], float(sys.argv[2]), Path(sys.argv[3]))
