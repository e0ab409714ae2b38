"""The tables of a report: frames of trials in, sheets out."""
