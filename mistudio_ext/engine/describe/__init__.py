"""What the panels show of a model; nothing here decides whether it can be used."""
