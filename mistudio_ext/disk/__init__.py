"""Files that must be whole, and room that must be there; standard library only."""
