"""Studies on disk: folders, records, tables, locks; what `status`, `show` and `merge` read."""
