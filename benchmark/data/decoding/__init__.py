"""From a case's files to the arrays that are stored."""
