"""The extraction engine: from a causal language model to memory-mapped activations.

Only worker processes import this package: it imports torch and transformers.

``load``       weights on disk → model in memory, in the format that was asked for
``tracing``    one forward pass, seen from every module
``structure``  which modules are the blocks (found by tracing, not by name)
``families``   the few facts that structure alone cannot tell
``points``     hook point → module, and how its tensor is read
``choose``     the points of the hooks that were asked for
``verify``     numerical checks of all that
``inspect``    the above in one dictionary, for the catalog and the panels
``request``    the worker's spec, read and checked
``batches``    chunks in dataset order, length buckets inside a chunk
``capture``    forward hooks → staging buffers
``gpu``        what only a GPU needs: pinned memory, a stream beside
``memory``     what to do when memory runs out
``threads``    how many compute, and ours beside them
``arrays``     ``.npy`` files, reserved at full size
``output``     the extraction folder: arrays and journal, new or gone on with
``record``     its manifest, from beginning to end
``writer``     staging buffers → array files, in background threads
``statistics`` per hook, in one pass with the writing
``journal``    what is safely on disk
``lanes``      several passes at a time, and which models may run so
``passes``     the loop over all batches, from the model to the writer
``run``        the conductor
"""
