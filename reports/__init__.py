"""Reports: frames in, strings and figures out."""
