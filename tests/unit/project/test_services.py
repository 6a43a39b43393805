"""The AWS services that a function finds in its layers."""

import pytest

from buildlib.model import Pin
from buildlib.project import services
from buildlib.tree.services import FOR_CREDENTIALS
from tests.unit.conftest import function

BOTOCORE, OTHER = Pin("botocore", "1.0", ()), Pin("other", "1.0", ())


@pytest.mark.parametrize(
    ("layers", "found"),
    [
        ([], None),
        ([(("s3",), OTHER)], None),
        ([(("s3",), BOTOCORE)], {"s3"}),
        ([(("s3",), OTHER), (("sqs",), BOTOCORE)], {"sqs"}),
        ([(("s3",), BOTOCORE), (("sqs",), BOTOCORE)], {"s3", "sqs"}),
        ([(("s3",), BOTOCORE), ((), BOTOCORE)], None),
    ],
)
def test_layers(layers: list[tuple[tuple[str, ...], Pin]], found: set[str] | None) -> None:
    """The layers with botocore count, which Lambda unpacks into one folder; one may have all."""
    listed = [(function(options=(("aws_services", names),)), [pin]) for names, pin in layers]
    result = services.of_layers([OTHER], listed)
    assert result is None if found is None else found == {*(result or ())} - FOR_CREDENTIALS


def test_a_botocore_of_its_own() -> None:
    """A function finds the botocore of its own ZIP before that of a layer."""
    layer = function(options=(("aws_services", ("s3",)),))
    assert services.of_layers([BOTOCORE], [(layer, [BOTOCORE])]) is None
