"""Changes of the tables, one script each, that Alembic runs."""
