"""Tokenizers of models, in workers."""
