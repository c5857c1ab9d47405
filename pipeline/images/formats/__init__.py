"""Encoded images of any common kind, opened safely and with the samples that they hold."""
