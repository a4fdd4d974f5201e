"""What decides how samples go through the model."""
