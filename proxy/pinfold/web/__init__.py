"""HTTP: requests to use cases, and their answers to responses."""
