"""Write the shipped dataset: ``python -m mistudio_ext.sample.build``."""

import argparse
from pathlib import Path

from . import DATASET_DIR
from .corpus import COLUMNS, SPLITS, documents

TYPES = {column: "int64" if column == "year" else "string" for column in COLUMNS}
CARD = """\
---
license: bsd-3-clause
language:
- en
pretty_name: Sample stories
size_categories:
- 1K<n<10K
task_categories:
- text-generation
configs:
- config_name: default
  data_files:
  - split: train
    path: train-*.parquet
  - split: validation
    path: validation-*.parquet
dataset_info:
  features:
{features}
  splits:
{splits}
---

# Sample stories

{total:,} short English texts written by a seeded template grammar: stories, dialogues, letters,
diary entries, recipes, lists, factual notes, small Python programs and arithmetic. The texts are
invented; what makes them useful is that their structure is known, so that a probe or a feature can
be checked against the truth.

| column | what it says | when it is null |
|---|---|---|
| `text` | the document | never |
| `kind` | story, dialogue, letter, diary, recipe, list, facts, code or arithmetic | never |
| `protagonist` | whom it is about (the writer of a letter or a diary) | it is about nobody |
| `pronoun` | how the text refers to the protagonist: she, he, they (two people) or I | no pronoun |
| `sentiment` | how it ends: positive, negative or neutral | it tells no story |
| `place` | where it is set | it is set nowhere |
| `year` | the year that it names as its own | it names none |

The labels are true by construction:

- In a text whose `pronoun` is *she*, nobody is *he*, *him* or *his*, and the other way round.
- The last feeling that a text names decides `sentiment`; each feeling belongs to one sentiment.
- The weekday of a dated diary entry is the right one, sums are right, and each Python program
  prints what its comments say.
- Countries, elements, animals and planets are real; people, towns and landmarks are invented.

No text occurs twice, neither within a split nor across the splits. To write the files again:

```
python -m mistudio_ext.sample.build
```
"""


def card() -> str:
    """Return the dataset card, with the YAML front matter that the Hub and datasets read."""
    features = "\n".join(f"  - name: {name}\n    dtype: {kind}" for name, kind in TYPES.items())
    splits = "\n".join(f"  - name: {name}\n    num_examples: {n}" for name, n in SPLITS.items())
    return CARD.format(features=features, splits=splits, total=sum(SPLITS.values()))


def write(folder: Path) -> None:
    """Write the Parquet files of both splits and the dataset card.

    Parameters
    ----------
    folder
        Where to write; made when it is missing.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    types = {"string": pa.string(), "int64": pa.int64()}
    schema = pa.schema([(column, types[name]) for column, name in TYPES.items()])
    folder.mkdir(parents=True, exist_ok=True)
    for split in SPLITS:
        table = pa.Table.from_pylist(list(documents(split)), schema=schema)
        pq.write_table(
            table,
            folder / f"{split}-00000-of-00001.parquet",
            compression="zstd",
            compression_level=19,
        )
    (folder / "README.md").write_text(card(), encoding="utf-8")


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description="Write the sample dataset.")
    parser.add_argument("--out", type=Path, default=DATASET_DIR, help="folder to write to")
    write(parser.parse_args().out)


if __name__ == "__main__":
    main()
