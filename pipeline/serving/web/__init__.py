"""A page on this machine that answers for dropped images; the extra ``[serve]``.

Starlette on uvicorn: a body can be counted while it arrives, three small pure-Python packages come with them,
and no form is parsed, because each image is the body of a request of its own.
"""
