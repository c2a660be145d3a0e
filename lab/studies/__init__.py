"""What many runs say: shipped studies, tables, the ranking."""
