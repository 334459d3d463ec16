"""What a ledger's explanations say."""

from __future__ import annotations

import re

from xdplab.ledger.account import Account

_CODE = re.compile(
    r"(?:engine|traffic|lab)(?:\.\w+)+ = (?:'[^']*'|[\w.]+\b)"
    r"|(?:Engine|Traffic|Lab|engine\.\w+|traffic\.\w+|program\.\w+)\((?:[^()]|\([^()]*\))*\)"
)


def words_of(account: Account, line: str) -> str:
    """Return what an account says of a line that lost packets."""
    lost = account.packets(line)
    assert lost, account
    sentences = account.explain().splitlines()
    (words,) = [each for each in sentences if each.startswith(f"{lost:,} packet")]
    # Nothing is left for the reader to fill in.
    assert not re.search(r"\.\.\.|\bNAME\b|\(\w+=\)", words), words
    return words


def code(words: str) -> list[str]:
    """Find what Python an explanation names."""
    return _CODE.findall(words)
