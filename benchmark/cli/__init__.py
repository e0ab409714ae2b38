"""The command line: argv to verbs. The only room with Typer, and that imports `reports`."""
