"""Heart scans of ACDC: as released, and as SSL4MIS passes them on."""

import re

from benchmark.data.card import Card
from benchmark.data.layouts.layout import Case, Layout, paired
from benchmark.data.source import Source
from benchmark.data.text import listed
from benchmark.wording import counted, shortened

_FRAME = re.compile(r"(?:.*/)?(patient(\d{3}))_frame(\d+)(_gt)?\.nii(?:\.gz)?", re.IGNORECASE)
_OF_RELEASE = re.compile(r"(?:.*/)?(?:patient\d{3}_4d\.nii(?:\.gz)?|MANDATORY_CITATION\.md)")
_INFO = re.compile(r"(?:.*/)?(patient\d{3})/info\.cfg", re.IGNORECASE)
_LAST_OF_TRAINING = 100
_PHASES = {"ED": "frame01", "ES": "frame02"}  # as SSL4MIS's lists call them


def read_acdc(source: Source, card: Card) -> Layout | None:
    """ACDC as released: patient001/patient001_frame01.nii.gz, …_frame01_gt.nii.gz, Info.cfg.

    Cases are called as in the lists of this literature: patient001_frame01 at end-diastole (ED),
    patient001_frame02 at end-systole. The download numbers frames by time; which is which stands in
    Info.cfg, and the first is not always ED: of patient090 it is ES.
    """
    found = _Frames()
    stray = [name for name in source.files if not found.takes(name)]
    if not found.masks:
        return None
    every = found.images | found.masks
    phases = {patient: _phases(source, found.infos.get(patient, "")) for patient in every}
    layout = paired(_named(found.images, phases), _named(found.masks, phases), stray)
    layout.cases = [case._replace(group=case.id.partition("_")[0]) for case in layout.cases]
    layout.problems += _without_phases(every, phases)
    if found.twice:
        layout.problems.append(f"a frame in two files, {shortened(found.twice)}: keep one of them")
    if found.unused:
        layout.notes.append(
            f"not used: {counted(len(found.unused), 'patient')} of the challenge's own test set; "
            "this literature splits the first 100"
        )
    return layout


_ByFrame = dict[str, dict[int, str]]


class _Frames:
    """The files of a download: patient → frame → file, of images and of masks."""

    def __init__(self):
        self.images: _ByFrame = {}
        self.masks: _ByFrame = {}
        self.infos: dict[str, str] = {}
        self.twice: list[str] = []
        self.unused: set[str] = set()

    def takes(self, name: str) -> bool:
        """Is it a file of the release?"""
        if match := _INFO.fullmatch(name):
            self.infos[match[1].lower()] = name
            return True
        if match := _FRAME.fullmatch(name):
            patient, frame = match[1].lower(), int(match[3])
            if int(match[2]) > _LAST_OF_TRAINING:
                self.unused.add(patient)
                return True
            own = (self.masks if match[4] else self.images).setdefault(patient, {})
            if own.setdefault(frame, name) != name:
                self.twice.append(f"{own[frame]} and {name}")
            return True
        return bool(_OF_RELEASE.fullmatch(name))


def _phases(source: Source, info: str) -> dict[int, str]:
    """Frame → ED or ES; nothing where the file is missing or says neither."""
    if not info:
        return {}
    text = source.read(info).decode("utf-8", "replace")
    found = re.findall(r"^\s*(ED|ES)\s*:\s*(\d+)\s*$", text, re.MULTILINE)
    return {int(frame): phase for phase, frame in found}


def _named(files: dict[str, dict[int, str]], phases: dict[str, dict[int, str]]) -> dict[str, str]:
    """Case → file, of the two frames that count."""
    return {
        f"{patient}_{_PHASES[phase]}": frames[frame]
        for patient, frames in files.items()
        for frame, phase in phases[patient].items()
        if frame in frames
    }


def _without_phases(files: _ByFrame, phases: dict[str, dict[int, str]]) -> list[str]:
    """The problem with frames of which nothing says whether they are ED or ES."""
    wrong = [
        f"{patient} (frames {', '.join(map(str, sorted(frames)))}; Info.cfg says "
        f"{', '.join(f'{phase} {n}' for n, phase in phases[patient].items()) or 'nothing'})"
        for patient, frames in sorted(files.items())
        if set(frames) != set(phases[patient])
    ]
    if not wrong:
        return []
    return [
        f"Info.cfg says which frame is ED and which ES, and does not fit the frames that are there "
        f"of {counted(len(wrong), 'patient')}: {shortened(wrong)}"
    ]


_SLICE = re.compile(r"(?:.*/)?(.+)_slice_\d+\.h5")
_VOLUME = re.compile(r"(?:.*/)?([^/]+)\.h5")
_LIST = re.compile(r"(?:.*/)?(train|val|test)\.(?:list|txt)")


def read_ssl4mis(source: Source, card: Card) -> Layout | None:
    """As SSL4MIS prepares volumes: data/NAME.h5 with image and label, axes (slice, row, column).

    The files data/slices/NAME_slice_1.h5 hold the same, and are not read. If the card names no test
    set, train.list, val.list and test.list beside them split the cases.
    """
    of_slices = {name: match[1] for name in source.files if (match := _SLICE.fullmatch(name))}
    lists: dict[str, str] = {}
    twice = []
    for match in filter(None, map(_LIST.fullmatch, source.files)):
        if (first := lists.setdefault(match[1], match[0])) != match[0]:
            twice.append(f"{first} and {match[0]}")
    volumes = {
        name: match[1]
        for name in source.files
        if name not in of_slices and (match := _VOLUME.fullmatch(name))
    }
    if not volumes:
        return None
    cases = [
        Case(id, "", "", (f"{name}:image",), (f"{name}:label",), axes="zyx")
        for name, id in volumes.items()
    ]
    known = {*of_slices, *volumes, *lists.values()}
    stray = [name for name in source.files if name not in known and not name.endswith(".list")]
    layout = Layout(sorted(cases), stray=stray)
    if twice:
        layout.problems.append(f"two lists for one split, {shortened(twice)}: remove one")
    if lone := sorted(set(of_slices.values()) - set(volumes.values())):
        layout.problems.append(
            f"slices of {counted(len(lone), 'volume')} without the volume NAME.h5 that they are "
            f"cut from ({shortened(lone)}): it is what is evaluated"
        )
    if not card.test_ids and "test" in lists:
        _split_by_lists(layout, source, lists)
    return layout


def _split_by_lists(layout: Layout, source: Source, lists: dict[str, str]) -> None:
    """Give the cases the splits of the lists; what is in none is left out."""
    split: dict[str, str] = {}
    for name, file in lists.items():
        try:
            names = listed(source.read(file), file)
        except ValueError as error:
            layout.problems.append(str(error))
            continue
        ids = [name.rsplit("/", 1)[-1].removesuffix(".h5") for name in names]
        twice = [id for id in ids if split.setdefault(id, name) != name]
        if twice:
            layout.problems.append(f"{file} and another list both name {shortened(twice)}")
    there = {case.id for case in layout.cases}
    if missing := sorted(split.keys() - there):
        layout.problems.append(
            f"{', '.join(lists.values())} name {counted(len(missing), 'case')} that are not there: "
            f"{shortened(missing)}"
        )
    if "train" in lists and (out := sorted(there - split.keys())):
        layout.notes.append(f"left out, in none of the lists: {shortened(out)} ({len(out)} cases)")
    default = "" if "train" in lists else "train"
    kept = [case._replace(split=split.get(case.id, default)) for case in layout.cases]
    layout.cases = [case for case in kept if case.split]
