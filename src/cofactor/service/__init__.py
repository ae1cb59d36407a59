"""The service: an artifact behind HTTP, with a durable event store."""
