"""A real JupyterHub with two users."""
