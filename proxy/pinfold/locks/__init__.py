"""Lock files, pure: from the text of each format to the files that it pins, and back."""
