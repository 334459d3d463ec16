"""A moment without descriptors is told as what it is, and is over once there are some."""

from __future__ import annotations

import pytest
from support.typed_remedies import in_a_child

pytestmark = pytest.mark.privilege  # to load programs in this process

FEW = range(0, 40, 3)  # free ones; an engine takes some thirty

_OPENS = {
    "engine": "Engine(lab.port).close()",
    "metadata": "Engine(lab.port, sampling=Sampling(metadata=True)).close()",
    "several buffers": "Engine(lab.port, memory=Memory(multi_buffer=True)).close()",
    "traffic": "Traffic(lab.peer, lab.port).close()",
    "started": "Engine(lab.port, wait='uring-multishot').start().close()",
}


@pytest.mark.parametrize("opens", _OPENS.values(), ids=_OPENS)
def test_what_was_refused_for_want_of_descriptors_works_once_there_are_some(
    privileged: None, opens: str
) -> None:
    said = in_a_child(
        f"""
        lab = Lab()
        limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        held = [int(each) for each in os.listdir('/proc/self/fd')]
        for free in {FEW!r}:
            child = os.fork()
            if child:
                assert os.waitpid(child, 0)[1] == 0
                continue
            resource.setrlimit(resource.RLIMIT_NOFILE, (len(held) - 1 + free, limits[1]))
            tried(lambda: {opens})
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
            tried(lambda: {opens})
            os._exit(0)
        """
    )
    refused, again = said[::2], said[1::2]
    assert len(refused) == len(FEW)
    assert not any(again)
    assert not refused[-1]
    assert any(refused)
    for words in refused:
        assert not words or ("EMFILE" in words and "`prlimit --pid " in words), words
