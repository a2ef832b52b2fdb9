"""What Alembic runs: our tables, over the connection and in the transaction of the caller."""

from alembic import context

from core.store import schema

connection = context.config.attributes["connection"]
# The caller's transaction holds the migration and its record together, also for DDL on SQLite.
context.configure(
    connection=connection,
    target_metadata=schema.metadata,
    transactional_ddl=True,
    render_as_batch=connection.dialect.name == "sqlite",
)
with context.begin_transaction():
    context.run_migrations()
