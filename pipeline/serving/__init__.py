"""Answers out: trained heads on new images."""
