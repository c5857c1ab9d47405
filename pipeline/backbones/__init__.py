"""Frozen bases: the table that names them, their filters, and where they can be cut."""
