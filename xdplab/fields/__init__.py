"""Header fields of packets in memory: read and written for many frames at once."""

from xdplab.fields.addresses import address
from xdplab.fields.reading import read
from xdplab.fields.table import FIELDS, Field
from xdplab.fields.writing import swap, write
from xdplab.native.records import FRAME

__all__ = ["FIELDS", "FRAME", "Field", "address", "read", "swap", "write"]
