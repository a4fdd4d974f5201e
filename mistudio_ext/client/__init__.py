"""What a notebook cell calls: ask a server, or a studio in this process, for extractions."""
