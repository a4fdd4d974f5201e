"""Worker processes: the only place that imports torch, transformers and datasets.

A worker is one process for one job. It reads ``spec.json`` from its job folder,
appends what happens to ``events.jsonl``, and leaves ``result.json`` behind. It
never touches the catalog.
"""
