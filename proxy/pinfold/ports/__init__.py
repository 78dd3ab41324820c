"""What the use cases need from the outside: one narrow protocol a module."""
