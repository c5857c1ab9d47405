"""Heavy libraries, each imported in one place: quietly, and only when it is needed."""
