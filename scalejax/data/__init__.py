"""Where runs come from: files, tables, logs and public data."""
