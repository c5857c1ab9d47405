"""Leaks: images of one split that another split has seen."""
