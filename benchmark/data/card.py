"""A card: the declarative description of a dataset. `cards` finds and reads them.

A dataset whose files lie in a layout that a reader knows needs a card and no code.
"""

import re
import unicodedata
from typing import Annotated, Any, Literal

import pydantic
from pydantic import BaseModel, ConfigDict, Field

from benchmark.data import lists
from benchmark.data.split.budget import is_file, of_list
from benchmark.errors import UserError

MASK_RULES = ("binary", "nonzero", "labels", "> N")


class PhantomOptions(BaseModel):
    """How many synthetic images a phantom dataset has, and how large they are before resizing.

    Of ACDC they are patients, each with two volumes.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    kind: str
    train: int = Field(gt=1)
    val: int = Field(default=0, ge=0)
    test: int = Field(gt=0)
    width: int = Field(gt=0)
    height: int = Field(gt=0)
    depth: int = Field(default=1, gt=0)
    seed: int = 0


class Card(BaseModel):
    """Description of a dataset; unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(pattern=r"^[a-z0-9_]+$", max_length=100)]
    title: str = ""
    readers: list[str] = ["pairs"]
    """Layouts in which the data may come, tried in this order."""
    channels: int = Field(default=3, ge=1, le=64)
    """1 (grey) or 3 (colour) of images; any number of volumes."""
    modalities: list[str] = []
    """Where channels are files of their own: how the names of these end, in the order of the
    channels, such as [_t1, _flair] or [_0000, _0001]; empty: one file has all channels."""
    is_volume: bool = False
    """Three-dimensional, kept at their own sizes and seen in patches."""
    dims: Literal[2, 3] | None = None
    """Of volumes, 2: trained on slice by slice across the third axis, at `size`, and evaluated as
    volumes; bench run --slices or --volumes says otherwise."""
    size: list[Annotated[int, Field(gt=0, le=8192)]] = [128, 128]
    """Height and width to which images or slices (bilinear) and masks (nearest) are resized."""
    spacing: list[Annotated[float, Field(gt=0, allow_inf_nan=False)]] = []
    """Of volumes: mm per voxel along each axis, for distances, where the files do not say it."""
    window: list[Annotated[float, Field(allow_inf_nan=False)]] = []
    """Grey values [least, greatest] to keep, such as [-160, 240] of a CT; the rest is clipped."""
    clip: list[Annotated[float, Field(ge=0, le=100)]] = []
    """The same as percentiles of each case. Of volumes that are not bytes [0.5, 99.5] if empty."""
    nsd: list[Annotated[float, Field(gt=0, allow_inf_nan=False)]] = []
    """Tolerances of surface Dice, in mm where voxel sizes are known, else in pixels."""
    symmetry: Literal["none", "flips", "all"] = "all"
    """What training may do to an image without making it another: none (left and right are
    classes), flips along each axis, all (quarter turns besides)."""
    crop: Literal["none", "label_box"] = "none"
    """Of volumes. label_box: around the label, for replication only: it leaks where to look."""
    classes: list[str] = Field(default=["background", "foreground"], min_length=2, max_length=255)
    mask: str = "binary"
    """binary: exactly one value beside 0; nonzero: all but 0 is foreground (instance numbers);
    labels: the values are the classes; "> N": foreground where the value is above N, such as 127 or
    0.5."""
    values: dict[int | str, int] = {}
    """What masks hold → class, where that is not the number of the class: {4: 3}, or the colours of
    coloured masks, all of them: {"#000000": 0, "#ff0000": 1}. Numbers that name 0 as well are all
    that there may be: {0: 0, 1: 1, 4: 2} refuses a 2. With mask: labels."""
    mask_channel: int | None = Field(default=None, ge=0, le=3)
    """Which channel of a mask holds the classes (0 is red, 3 alpha); None: masks are grey."""
    test_ids: list[str] = []
    """The test set by name, if the files come without split; or list:NAME, a published list."""
    val_ids: list[str] = []
    """A validation set by name, out of what is not the test set; a folder val/ says the same."""
    unlabelled: Literal["folder", "missing"] = "folder"
    """Which images have no masks, and are unlabelled under every budget: those in a folder
    unlabelled/; or (missing) also those for which no mask is found."""
    lists: dict[str, list[str]] = {}
    """Lists of labelled cases by name, for --labels list:NAME; no name ends in .txt or .list."""
    lists_of: str = ""
    """Whose published lists --labels list:NAME takes too: those of the card's own name if empty."""
    group: str = ""
    """Who a case is of, such as its patient: a pattern for the id (or, where it fits no id at all,
    for the path of the image), whose first bracket is the group ('^(p\\d+)_'); or a table NAME.csv
    among the files with the columns case and group."""
    subset: Literal["cases", "groups"] = "cases"
    """What is drawn to be labelled: single cases, or all cases of a group."""
    keeps_groups: bool = True
    """Cases of one group (patient, subject) stay on one side of every split that is drawn."""
    together: list[list[str]] = []
    """Cases that make up a group though the files do not say so, such as duplicates."""
    test_share: float = Field(default=0.2, gt=0, lt=1)
    """Share of cases in the test set, drawn by hash; used only if the files come without split."""
    expected: dict[Literal["train", "val", "test"], int] = {}
    """Number of cases of the whole dataset in each split."""
    homepage: str = ""
    terms: str = ""
    citation: str = ""
    phantom: PhantomOptions | None = None

    @property
    def published_lists(self) -> str:
        """Name of the dataset whose published lists are meant."""
        return self.lists_of or self.name

    @property
    def is_sliced(self) -> bool:
        """Are its volumes trained on slice by slice, unless a run says otherwise?"""
        return self.is_volume and self.dims == 2

    @pydantic.field_validator("values", mode="before")
    @classmethod
    def _numbers_of_json(cls, values: Any) -> Any:
        """JSON, as of manifests, has words for keys alone."""
        if not isinstance(values, dict):
            return values
        is_number = re.compile(r"-?\d+").fullmatch
        found: dict[Any, Any] = {}
        for typed, number in values.items():
            key = typed
            if isinstance(typed, str):
                key = int(typed) if is_number(typed) else typed.lower()
            if key in found:
                raise ValueError(f"{typed} stands there twice")
            found[key] = number
        return found

    @pydantic.field_validator("test_ids", "val_ids", "lists", "together", "group")
    @classmethod
    def _as_names_of_files(cls, said: Any) -> Any:
        """With é as one letter, as ids are made of names: some systems write it as two."""
        if isinstance(said, str):
            return unicodedata.normalize("NFC", said)
        if isinstance(said, dict):
            return {name: cls._as_names_of_files(ids) for name, ids in said.items()}
        return [cls._as_names_of_files(one) for one in said]

    @pydantic.model_validator(mode="before")
    @classmethod
    def _ids_of_published_lists(cls, fields: Any) -> Any:
        if not isinstance(fields, dict):
            return fields
        whose = fields.get("lists_of") or fields.get("name")
        named = {
            field: ids.removeprefix("list:")
            for field in ("test_ids", "val_ids")
            if isinstance(ids := fields.get(field), str) and ids.startswith("list:")
        }
        return {**fields, **{field: _ids_of(whose, name) for field, name in named.items()}}

    @pydantic.field_validator("mask")
    @classmethod
    def _known_mask_rule(cls, rule: str) -> str:
        if rule not in MASK_RULES[:-1] and not re.fullmatch(r">\s*\d+(\.\d+)?", rule):
            raise ValueError(f"mask must be one of {', '.join(MASK_RULES)}")
        return rule

    @pydantic.field_validator("group")
    @classmethod
    def _known_group(cls, group: str) -> str:
        if not group.lower().endswith(".csv"):
            try:
                re.compile(group)
            except re.error as error:
                raise ValueError(
                    f'"{group}" is no regular expression ({error}), and no table NAME.csv either'
                ) from error
        return group

    @pydantic.field_validator("lists")
    @classmethod
    def _names_of_lists(cls, lists: dict[str, list[str]]) -> dict[str, list[str]]:
        for name in lists:
            if is_file(name):
                raise ValueError(f"{name} is called as a file is: --labels list: would open that")
            try:
                of_list(name)
            except UserError as error:
                raise ValueError(str(error)) from error
        return lists

    @pydantic.model_validator(mode="after")
    def _spacing_of_volumes(self) -> "Card":
        if self.spacing and (not self.is_volume or len(self.spacing) != 3):
            raise ValueError("spacing is [x, y, z] in mm, of volumes (is_volume: true)")
        return self

    @pydantic.model_validator(mode="before")
    @classmethod
    def _as_volumes_are(cls, fields: Any) -> Any:
        """Grey, and read as volumes, unless the card says otherwise."""
        if isinstance(fields, dict) and fields.get("is_volume") is True:
            return {"channels": 1, "readers": ["volume_pairs"], **fields}
        return fields

    @pydantic.model_validator(mode="after")
    def _what_volumes_alone_have(self) -> "Card":
        if self.is_volume and "pairs" in self.readers:
            raise ValueError(
                "pairs reads images; volumes have readers of their own: volume_pairs, …"
            )
        if self.crop != "none" and not self.is_volume:
            raise ValueError("crop is of volumes (is_volume: true)")
        if self.dims is not None and not self.is_volume:
            raise ValueError("dims is of volumes (is_volume: true); images have two anyway")
        return self

    @pydantic.model_validator(mode="after")
    def _channels_that_there_are(self) -> "Card":
        if not self.is_volume and self.channels not in (1, 3):
            raise ValueError("images have channels: 1 (grey) or 3 (colour)")
        if self.modalities and len(self.modalities) != self.channels:
            raise ValueError(
                f"channels is {self.channels}, and there are {len(self.modalities)} modalities"
            )
        return self

    @pydantic.model_validator(mode="after")
    def _greys_within(self) -> "Card":
        if self.window and self.clip:
            raise ValueError("window or clip, not both")
        for name in ("window", "clip"):
            limits = getattr(self, name)
            if limits and not (len(limits) == 2 and limits[0] < limits[1]):
                raise ValueError(f"{name} is [least, greatest]")
        if self.clip and self.clip[1] <= 1:
            raise ValueError("clip is in percent, such as [0.5, 99.5]")
        return self

    @pydantic.model_validator(mode="after")
    def _values_that_become_classes(self) -> "Card":
        if not self.values:
            return self
        if self.mask != "labels":
            raise ValueError(f"values give classes: with mask: labels, not {self.mask}")
        colours = [key for key in self.values if isinstance(key, str)]
        if wrong := [key for key in colours if not re.fullmatch(r"#[0-9a-fA-F]{6}", key)]:
            raise ValueError(f'values are numbers, or colours such as "#ff0000", got {wrong[0]!r}')
        if colours and (len(colours) < len(self.values) or self.is_volume):
            raise ValueError("values are numbers, or (of images) colours: not both")
        if wrong := [n for n in self.values.values() if not 0 <= n < len(self.classes)]:
            raise ValueError(f"values: there is no class {wrong[0]} (of {len(self.classes)})")
        return self

    @pydantic.field_validator("classes")
    @classmethod
    def _told_apart(cls, classes: list[str]) -> list[str]:
        if twice := [name for name in classes if classes.count(name) > 1]:
            raise ValueError(f"two classes are called {twice[0]}")
        return classes

    @pydantic.field_validator("size")
    @classmethod
    def _height_and_width(cls, size: list[int]) -> list[int]:
        if len(size) != 2:
            raise ValueError("size is [height, width]")
        return size


def _ids_of(dataset: Any, name: str) -> list[str]:
    found = lists.find(str(dataset), name)
    if found is None:
        known = ", ".join(lists.names(str(dataset))) or "none"
        raise ValueError(f"there is no published list {name} of {dataset} (there are: {known})")
    return list(found.ids)
