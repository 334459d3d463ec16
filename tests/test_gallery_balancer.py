from xdplab import GALLERY, Lab, Program
import pytest
pytestmark = pytest.mark.kernel
def test_load(lab: Lab) -> None:
    for n in ("balancer","decapsulate"):
        p=Program(GALLERY[n],lab.port); print(p)
