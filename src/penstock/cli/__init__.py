"""The command line: every command in one table, loaded when it is called."""
