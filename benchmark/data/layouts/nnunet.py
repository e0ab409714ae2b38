"""Datasets with a dataset.json: imagesTr with labelsTr, imagesTs with or without labelsTs.

Which file is whose mask says the dataset.json, or else the names (`pairs`).
"""

import posixpath
from collections import defaultdict
from collections.abc import Sequence

from benchmark.data.card import Card
from benchmark.data.layouts import dataset_json, pairs
from benchmark.data.layouts.dataset_json import Description, Listed
from benchmark.data.layouts.layout import Case, Layout
from benchmark.data.layouts.names import channel, image_name
from benchmark.data.source import Source
from benchmark.wording import counted, shortened

_NO_PATIENTS = (
    "a dataset.json does not say whose the cases are: scans of one patient may lie on both sides "
    "of the split that is drawn, unless a card of your own with readers: [nnunet] says it (group)"
)
TRAINING, TEST = ("imagestr", "labelstr"), ("imagests", "labelsts")


def in_folder(source: Source, about: Description, folder: str) -> list[str]:
    """Files of a folder beside the dataset.json, such as imagestr: its case does not matter."""
    start = f"{about.folder}{folder}/".lower()
    return [name for name in source.files if name.lower().startswith(start)]


def read_nnunet(source: Source, card: Card) -> Layout | None:
    """By the dataset.json of the source; None if there is none."""
    about = dataset_json.find(source)
    if about is None:
        return None
    endings = pairs.VOLUMES if card.is_volume else pairs.PICTURES
    of_list = dataset_json.listed(about)
    tested, unlabelled = _of_test(source, about, endings, card)
    paired = [] if of_list else [f for name in TRAINING for f in in_folder(source, about, name)]
    found = pairs.of_files([*paired, *tested, *unlabelled], endings, card.modalities, unlabelled)
    layout = found or Layout([])
    if of_list:
        _add_listed(source, about, of_list, layout, card)
    if not (layout.cases or layout.without_mask or layout.problems):
        if of_list:
            raise about.refusal(
                f"nothing of what it lists is there ({counted(len(of_list), 'case')}), such as "
                f"{shortened(of_list[0].images)} (found {shortened(source.files)})"
            )
        raise about.refusal(
            f"no {' or '.join(endings)} in imagesTr and labelsTr beside it (found "
            f"{shortened(source.files)})"
        )
    _count(about, layout, card)
    _note_ct(about, layout, card)
    if not (card.group or any(case.split == "test" for case in layout.cases)):
        layout.notes.append(_NO_PATIENTS)
    used = {path for case in (*layout.cases, *layout.without_mask) for path in _files(case)}
    layout.stray = [name for name in source.files if name not in used and name != about.file]
    _note_unused(source, about, layout, card, endings)
    return layout


def _files(case: Case) -> tuple[str, ...]:
    return case.images + case.masks


def _of_test(
    source: Source, about: Description, endings: Sequence[str], card: Card
) -> tuple[list[str], list[str]]:
    """The files of the test set, if it has masks; else its images, if the card takes such."""
    images, masks = (
        [name for name in in_folder(source, about, folder) if pairs.stem_of(name, endings)]
        for folder in TEST
    )
    if masks:
        return [*images, *masks], []
    return [], images if card.unlabelled == "missing" else []


def _add_listed(
    source: Source, about: Description, of_list: Sequence[Listed], layout: Layout, card: Card
) -> None:
    """The cases that dataset.json names; what is not there of them is lacking, or a problem."""
    endings = pairs.VOLUMES if card.is_volume else pairs.PICTURES
    there, missing, whose = _Files(source.files, endings), [], {}
    for one in of_list:
        try:
            case = _case(one, there, endings, card)
        except ValueError as error:
            layout.problems.append(f"{one.id}: {error}")
            continue
        if taken := [path for path in _files(case) if path in whose]:
            layout.problems.append(
                f"{about.file} lists {taken[0]} for two cases, {whose[taken[0]]} and {case.id}"
            )
        whose |= dict.fromkeys(_files(case), case.id)
        if not _files(case):
            missing.append(case.id)
        elif len(case.images) < max(len(card.modalities), len(one.images)):
            layout.problems.append(_incomplete(one, case, card))
        else:
            (layout.cases if case.masks else layout.without_mask).append(case)
    if missing:
        layout.lacking.append(
            f"{len(of_list) - len(missing)} of {len(of_list)} cases that {about.file} lists "
            f"({shortened(missing)} {'is' if len(missing) == 1 else 'are'} not there)"
        )
    pairs.settle_splits(layout)


class _Files:
    """Those of a source, by what a dataset.json calls them."""

    def __init__(self, files: Sequence[str], endings: Sequence[str]):
        self._exact = set(files)
        self._of_stem: dict[str, list[str]] = defaultdict(list)
        for name in files:
            if stem := pairs.stem_of(name, endings):
                self._of_stem[f"{posixpath.dirname(name)}/{stem}".lower()].append(name)

    def find(self, stem: str, listed: str = "") -> str | None:
        """The file that is listed; else the one of its stem, whatever of ending and case differs.

        stem: with its folder. ValueError where that fits several.
        """
        if listed in self._exact:
            return listed
        found = self._of_stem.get(stem.lower(), [])
        alike = [name for name in found if name.startswith(f"{stem}.")]
        found = alike or found
        if len(found) > 1:
            raise ValueError(f"{' and '.join(sorted(found))} have names too much alike: rename one")
        return found[0] if found else None


def _case(one: Listed, there: _Files, endings: Sequence[str], card: Card) -> Case:
    """With those of its files that are there, whatever of their endings and spelling differs."""
    stems = [_without_ending(path, endings) for path in one.images]
    if card.modalities and len(stems) == 1:
        name, _ = channel(stems[0], card.modalities) or (stems[0], "")
        stems = [f"{name}{modality}" for modality in card.modalities]
    else:
        name = stems[0]
    id = posixpath.basename(name if one.id == one.images[0] else one.id)
    if not image_name(id):  # CASE/image.nii.gz, of which the folder is the name
        id = posixpath.basename(posixpath.dirname(one.images[0]))
    exact = one.images if len(stems) == len(one.images) else [""] * len(stems)
    images = tuple(filter(None, map(there.find, stems, exact)))
    mask = there.find(_without_ending(one.mask, endings), one.mask)
    return Case(id, one.split, "", images, (mask,) if mask else ())


def _without_ending(path: str, endings: Sequence[str]) -> str:
    """Folder and stem, as the keys of what is there."""
    stem = pairs.stem_of(path, endings) if path else None
    return f"{posixpath.dirname(path)}/{stem}" if stem else path


def _incomplete(one: Listed, case: Case, card: Card) -> str:
    """The problem with a listed case that lacks its image, or some of its channels."""
    ends = f" with {', '.join(card.modalities)}" if card.modalities else ""
    found = shortened(case.images) if case.images else f"only {one.mask}"
    return f"{case.id} is listed as {', '.join(one.images)}{ends}, and there is {found}"


def _count(about: Description, layout: Layout, card: Card) -> None:
    """Compare what lies there with the number that dataset.json says."""
    train = [case for case in (*layout.cases, *layout.without_mask) if case.split in ("train", "")]
    if about.n_training not in (0, len(train)) and not layout.lacking:
        layout.lacking.append(
            f"numTraining of {about.file} is {about.n_training}, and there "
            f"{'is' if len(train) == 1 else 'are'} {counted(len(train), 'training case')}"
        )


def _note_ct(about: Description, layout: Layout, card: Card) -> None:
    """What becomes of Hounsfield units, unless the card says it.

    nnU-Net's percentiles of the foreground would need the labels of all training cases.
    """
    names = dataset_json.channels(about).values()
    if card.is_volume and not (card.window or card.clip) and "ct" in map(str.lower, names):
        layout.notes.append(
            "CT: grey values are kept between the percentiles 0.5 and 99.5 of each case (nnU-Net "
            "takes them of the foreground of all training cases, most of whose labels are hidden "
            "here); to keep the same Hounsfield units of all, write a card of your own with "
            "readers: [nnunet] and a window, such as window: [-160, 240]"
        )


def _note_unused(
    source: Source, about: Description, layout: Layout, card: Card, endings: Sequence[str]
) -> None:
    """Images that no case has: of a test set without masks, and beside the list."""
    unused = set(layout.stray)
    for folder, why in (
        (
            "imagesTs",
            "without labels: not used; --allow-unlabelled takes them as unlabelled images",
        ),
        ("imagesTr", f"not in the list of {about.file}: not used"),
    ):
        files = in_folder(source, about, folder.lower())
        images = [f for f in files if f in unused and pairs.stem_of(f, endings)]
        stems = {name: channel(pairs.stem_of(name, endings), card.modalities) for name in images}
        names = sorted({found[0] for found in stems.values() if found})
        if names:
            layout.notes.append(
                f"{counted(len(names), 'image')} of {folder} ({shortened(names)}) {why}"
            )
            layout.stray = [name for name in layout.stray if name not in images]
