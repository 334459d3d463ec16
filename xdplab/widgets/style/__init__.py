"""How widgets look: colours, plots, axes, the style sheet and pieces of HTML."""
