"""The dataset and the model that ship with the package, for a first run without a download."""

from pathlib import Path

DATASET_NAME = "sample-stories"
MODEL_NAME = "sample-model"
DATASET_DIR = Path(__file__).parent / "data"
MODEL_DIR = Path(__file__).parent / "model"
