"""Results for people: tables, pictures and the summary. Takes data, gives text and files."""
