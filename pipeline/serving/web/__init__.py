"""A page and an HTTP API on this machine that answer for images; the extra ``[serve]``.

Starlette on uvicorn: a body can be counted while it arrives, and a few small pure-Python packages come with
them. Starlette's forms are not used: those write large parts to the disk, and images stay in memory here.
python-multipart, which takes forms apart for them, does so here, too.
"""
