"""One module for each library that is compared with; each runs in that library's own
environment, without Cofactor.
"""
