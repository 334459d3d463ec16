"""The web servers of lesson 09."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from xdplab import GALLERY, Balancer, ConfigurationError, Program
from xdplab.course import Farm

pytestmark = pytest.mark.kernel  # a simulation has one wire, and no stack


@pytest.fixture
def farm(privileged: None) -> Iterator[Farm]:
    with Farm(["a", "b"]) as made:
        yield made


def test_a_farm_is_asked_by_way_of_the_balancer(farm: Farm) -> None:
    with Program(GALLERY["balancer"], farm.balancer) as program:
        program.attach()
        web = Balancer(program).add_service(farm.VIRTUAL, 80)
        web.add_server(farm.servers["b"].ipv4)
        assert farm.ask(3) == {"b": 3}
        web.add_server(farm.servers["a"].ipv4)
        web.remove_server(farm.servers["b"].ipv4)
        assert farm.ask(2) == {"a": 2}


def test_without_a_balancer_a_farm_says_what_is_missing(
    farm: Farm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("xdplab.course.farm._PATIENCE", 0.3)
    with pytest.raises(ConfigurationError, match=r"connection 1 to 198\.18\.100\.1 was not"):
        farm.ask(1)


def test_a_farm_that_was_closed_has_no_hosts(privileged: None) -> None:
    farm = Farm(["only"])
    host = farm.servers["only"]
    farm.close()
    farm.close()
    assert host.interface.namespace.closed


@pytest.mark.parametrize(
    ("names", "why"),
    [
        ([], r"names=\[\] has no server"),
        (["router"], "'router' is another host of each farm, as are client, router, balancer"),
        (["one", "two", "one"], "'one' is there 2 times"),
        (["no-dash"], "'no-dash' can't be a server's name. It is a letter, and up to 11"),
        (["twelve_bytes_"], "can't be a server's name"),
    ],
)
def test_names_that_no_server_can_have_are_refused(names: list[str], why: str) -> None:
    with pytest.raises(ConfigurationError, match=why):
        Farm(names)
