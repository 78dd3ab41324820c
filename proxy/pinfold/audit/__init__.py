"""The audit log's pure part: canonical entries and what proves that they were not altered."""
