"""Features as files that other programs read and write: whole tables out of the cache, and into it."""
