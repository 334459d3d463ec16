"""The colours and dashes of all figures, and what they mean."""

# Okabe and Ito's colours, which colour-blind people can distinguish. The first five are visible on
# white and on black; YELLOW is for areas, since a yellow line is hard to see on white.
BLUE, VERMILLION, GREEN, PURPLE = "#0072b2", "#d55e00", "#009e73", "#cc79a7"
ORANGE, SKY, YELLOW = "#e69f00", "#56b4e9", "#f0e442"
GREY = "#808080"

OLIVE, BROWN, TEAL, ROSE, VIOLET = "#999933", "#a0652d", "#44aa99", "#cc4466", "#7a5cc8"

# One meaning a colour, in all plots over time.
RECEIVED, SENT = BLUE, ORANGE  # packets, bits, and the RX and the TX ring
FILL, COMPLETION = PURPLE, SKY  # the rings, and packets without a fill descriptor
LOST = VERMILLION  # where the RX ring was full
TOO_LONG, INVALID = TEAL, ROSE
USER, SYSTEM = GREEN, BROWN  # the worker's own time, and the kernel's for it, with its calls
IDLE = GREY  # waiting, and the wakeups that end it
KERNEL_THREAD = OLIVE
PASSED, REDIRECTED = GREEN, BLUE  # by an XDP program; what it drops or sends is LOST or SENT
GENERATED = VIOLET  # by a `Traffic`; dashed: what was asked of it

ENGINES = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY)
"""Colours of engines, where several are in one plot; then dashes tell what a line is."""

DASHES = ("solid", "dashed", "dotted", "dotdash")
"""Dashes that distinguish lines of one colour."""

PLATE = "plate"
"""Tag of a Bokeh model whose background is the page's."""

KEEP_INK = "keep-ink"
"""Tag of a Bokeh model whose text and lines keep their colour instead of the page's."""
