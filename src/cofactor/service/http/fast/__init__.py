"""The fast path: a uvicorn protocol that answers without a task a request; deletable."""
