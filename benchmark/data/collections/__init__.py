"""Collections of datasets in one form, whose cards are made from a name and the files.

`medsegbench:drive` is a set of MedSegBench, `nnunet:NAME` a folder with a dataset.json. Adding one:
write what makes its cards, list it in `COLLECTIONS` of `known`.
"""
