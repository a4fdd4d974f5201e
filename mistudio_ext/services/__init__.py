"""What the product does, without HTTP: one service a noun, over catalog and jobs."""
