"""Alembic's entry point: runs on the connection that the catalog hands over."""

from alembic import context

from mistudio_ext.catalog import tables

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=tables.metadata,
    render_as_batch=True,
)
context.run_migrations()
