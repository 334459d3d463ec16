"""What the doctor says of a card is what an engine finds there."""

from __future__ import annotations

from support.cards import Cards, has, opened

from xdplab.core.errors import XdplabError
from xdplab.doctor import interfaces
from xdplab.doctor.zero_copy import zero_copy


def test_zero_copy_is_what_a_bind_finds(cards: Cards, release: tuple[int, int]) -> None:
    interface = cards.first.interface
    (tried,) = interface.namespace.run(lambda: list(zero_copy(interface.name)))
    works = has("zero-copy", cards, release)
    assert (tried.verdict == "good") == works, tried
    told = interfaces.native_xdp(interface)
    assert ("says with zero-copy" in told.seen) == works, told
    if not works:
        try:
            opened(cards, "zero-copy").close()
        except XdplabError as refusal:
            assert tried.remedy in str(refusal)
            assert "multi_buffer" not in tried.remedy


def test_no_offload_is_called_harmful_with_which_the_driver_takes_a_program(
    cards: Cards, release: tuple[int, int]
) -> None:
    if has("native", cards, release):
        opened(cards, "native").close()
        assert interfaces.native_xdp(cards.first.interface).seen.startswith(("yes", "the kernel"))
        assert "rx-gro-hw" not in interfaces.offloads(cards.first.interface).seen
