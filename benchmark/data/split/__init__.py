"""Who is labelled, who is held out, and what a trial may see of a prepared dataset."""
