"""The colours and dashes of all figures."""

# Okabe and Ito's colours, which colour-blind people can distinguish. The first five are visible on
# white and on black; YELLOW is for areas, since a yellow line is hard to see on white.
BLUE, VERMILLION, GREEN, PURPLE = "#0072b2", "#d55e00", "#009e73", "#cc79a7"
ORANGE, SKY, YELLOW = "#e69f00", "#56b4e9", "#f0e442"
GREY = "#808080"

DASHES = ("solid", "dashed", "dotted", "dotdash")
"""Dashes that distinguish lines of one colour."""

KEEP_INK = "keep-ink"
"""Tag of a Bokeh model whose text and lines keep their colour instead of the page's."""
