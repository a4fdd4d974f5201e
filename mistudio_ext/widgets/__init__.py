"""The panels of the sidebar as widgets in a notebook cell."""
