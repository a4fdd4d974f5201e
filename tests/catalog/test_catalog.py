"""The catalog over real SQLite files."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa

from mistudio_ext.catalog import Catalog, DatasetRecord, JobRecord, filesystem, tables
from mistudio_ext.catalog.catalog import HEAD
from mistudio_ext.errors import ConflictError, NotFoundError


def url(folder: Path) -> str:
    """Return the URL of a catalog in a folder."""
    return f"sqlite:///{folder}/catalog.sqlite3"


def dataset(row_id: str, **fields: object) -> DatasetRecord:
    """Return a dataset's row."""
    values = {"name": row_id, "source": "path", "identity": row_id, **fields}
    return DatasetRecord(id=row_id, **values)  # type: ignore[arg-type]


def test_rows_come_back_as_they_were(tmp_path: Path) -> None:
    """Every kind of value survives the round trip and a reopening."""
    catalog = Catalog(url(tmp_path))
    made = dataset("ds_1", splits=[{"name": "train", "n_rows": 3}], error=None, n_bytes=2**40)
    catalog.datasets.add(made)
    catalog.close()
    again = Catalog(url(tmp_path))
    assert again.datasets.get("ds_1") == made
    assert again.datasets.find(name="nothing") is None
    with pytest.raises(NotFoundError) as caught:
        again.datasets.get("ds_2")
    assert caught.value.code == "no_such_dataset"
    again.close()


def test_order_filter_and_conditional_update(tmp_path: Path) -> None:
    """Lists are newest first; an update with a condition happens once."""
    catalog = Catalog(url(tmp_path))
    for number in range(5):
        catalog.datasets.add(dataset(f"ds_{number}", state="ready" if number % 2 else "failed"))
    assert [d.id for d in catalog.datasets.list()] == [f"ds_{n}" for n in (4, 3, 2, 1, 0)]
    assert [d.id for d in catalog.datasets.list(state="ready")] == ["ds_3", "ds_1"]
    assert len(catalog.datasets.list(state=("ready", "failed"), limit=4)) == 4
    assert catalog.datasets.update_if("ds_0", {"state": "failed"}, state="pending")
    assert not catalog.datasets.update_if("ds_0", {"state": "failed"}, state="ready")
    assert catalog.datasets.delete("ds_0")
    assert not catalog.datasets.delete("ds_0")
    catalog.close()


def test_unique_values(tmp_path: Path) -> None:
    """The same identity cannot be registered twice."""
    catalog = Catalog(url(tmp_path))
    catalog.datasets.add(dataset("ds_1", identity="same"))
    with pytest.raises(ConflictError):
        catalog.datasets.add(dataset("ds_2", identity="same"))
    assert [d.id for d in catalog.datasets.list()] == ["ds_1"]
    catalog.close()


def test_schema_is_what_the_records_say(tmp_path: Path) -> None:
    """Migrations lead to exactly the tables that the code expects."""
    Catalog(url(tmp_path)).close()
    engine = sa.create_engine(url(tmp_path))
    found = sa.inspect(engine)
    assert set(found.get_table_names()) == {*tables.metadata.tables, "alembic_version"}
    for name, table in tables.metadata.tables.items():
        columns = {c["name"]: c["nullable"] for c in found.get_columns(name)}
        assert columns == {c.name: c.nullable for c in table.columns}, name
        indexes = {(i["name"], bool(i["unique"])) for i in found.get_indexes(name)}
        assert indexes == {(str(i.name), bool(i.unique)) for i in table.indexes}, name
    engine.dispose()


def test_newer_schema_is_refused(tmp_path: Path) -> None:
    """A catalog of a later version is left alone, with a message."""
    Catalog(url(tmp_path)).close()
    with sqlite3.connect(tmp_path / "catalog.sqlite3") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    with pytest.raises(ConflictError) as caught:
        Catalog(url(tmp_path))
    assert caught.value.code == "catalog_newer"
    assert HEAD in str(caught.value)


def test_write_ahead_log(tmp_path: Path) -> None:
    """Readers and writers do not wait for each other."""
    catalog = Catalog(url(tmp_path))
    with sqlite3.connect(tmp_path / "catalog.sqlite3") as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()
    catalog.close()


def test_two_processes_write_at_the_same_time(tmp_path: Path) -> None:
    """Writers of several processes wait for each other instead of failing."""
    code = (
        "import sys\n"
        "from mistudio_ext.catalog import Catalog, JobRecord\n"
        "catalog = Catalog(sys.argv[1])\n"
        "for n in range(60):\n"
        "    catalog.jobs.add(JobRecord(id=f'{sys.argv[2]}_{n}', kind='k', target_type='t',\n"
        "                               target_id='i', target_name='n'))\n"
        "    catalog.jobs.update(f'{sys.argv[2]}_{n}', state='done')\n"
    )
    workers = [
        subprocess.Popen([sys.executable, "-c", code, url(tmp_path), name]) for name in "abc"
    ]
    assert [worker.wait() for worker in workers] == [0, 0, 0]
    catalog = Catalog(url(tmp_path))
    jobs: list[JobRecord] = catalog.jobs.list(state="done")
    assert len(jobs) == 180
    catalog.close()


def test_network_file_system_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A catalog on NFS is refused before anything is written, with what to set instead."""
    real = filesystem.psutil.disk_partitions(all=True)
    mount = type("Mount", (), {"mountpoint": str(tmp_path.resolve()), "fstype": "nfs4"})()
    monkeypatch.setattr(filesystem.psutil, "disk_partitions", lambda all: [*real, mount])
    with pytest.raises(ConflictError) as caught:
        Catalog(url(tmp_path))
    assert caught.value.code == "network_file_system"
    assert "db_url" in str(caught.value)
    assert not (tmp_path / "catalog.sqlite3").exists()
