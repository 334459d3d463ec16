"""Live widgets: they update in every browser that shows them."""
