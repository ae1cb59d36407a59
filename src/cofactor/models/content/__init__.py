"""Models that read what is known of the items (and users): text, categories, lists, numbers;
they know new items at once.
"""
