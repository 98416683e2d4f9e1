"""What the questions are and which answers are good: the one source of copier's questions and of litgen's."""
