"""Guards against files that can come from anywhere: what is not plain data is refused before it is read."""
