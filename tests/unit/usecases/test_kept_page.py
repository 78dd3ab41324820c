"""A rendered page that another process made is kept as if it had been made here."""

from datetime import timedelta
from weakref import ref

import pytest
from tests.fakes.clock import NOON
from tests.unit.usecases.test_made_of import STORED, WHEEL, basis

from pinfold.usecases.judgement import Judgement
from pinfold.usecases.kept_page import KeptPage, RenderedPage


@pytest.mark.parametrize("unopposed", [None, ref(STORED.listing)])
def test_nothing_is_lost_between_processes(unopposed):
    found, metadata = basis(), {}
    judgement = Judgement.of(found, NOON + timedelta(days=1), (WHEEL,))
    page = RenderedPage(b"<!doctype html>", '"etag"')
    kept = KeptPage(page, judgement, metadata, NOON + timedelta(minutes=10), unopposed)
    assert KeptPage.of_another(kept.for_others(), found, metadata) == kept
