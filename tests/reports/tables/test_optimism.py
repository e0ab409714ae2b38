"""The optimism gap: what choosing on the evaluation set adds to Dice."""

import pytest

from reports.select import Reading
from reports.tables import optimism
from tests.reports.worked import A, B, trials


def test_the_optimism_gap():
    sheet = optimism.sheet(trials(cps=A, supervised=B[:1]), Reading())
    assert [[cell.text for cell in line] for line in sheet.rows] == [
        ["20 %", "supervised", "83.62", "93.62", "+10.00 (n=1)"],
        ["20 %", "cps", "84.60", "94.60", "+10.00 ± 0.00"],
    ]
    assert sheet.data.gap.tolist() == pytest.approx([0.1, 0.1])
