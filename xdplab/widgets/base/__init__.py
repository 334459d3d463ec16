"""The ground of all widgets: the pump, feeds, traits, clock, subshells."""
