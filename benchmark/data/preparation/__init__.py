"""From the cases of a folder to a prepared dataset: the steps of `prepare`."""
