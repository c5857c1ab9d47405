"""Executors: who fills the blocks of a plan. One file each; the folder is the registry."""
