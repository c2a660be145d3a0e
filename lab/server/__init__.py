"""The app as a server: its start, headers, health, backups."""
