"""A model in memory: its limits, and the layers that quantized formats are made of."""
