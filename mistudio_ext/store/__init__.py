"""What lies in the data folder, read without torch, transformers or datasets.

The server reads datasets and tokenizations through this package. It needs
NumPy and pyarrow alone, and opens both only when a file is first read.
"""
