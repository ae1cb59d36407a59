"""Models that rank, from what people took."""
