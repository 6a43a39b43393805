"""sales_report: sums that are right to the cent, and a reason for every row left out."""

import base64
import gzip
import json
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

Event = Callable[..., dict[str, Any]]

CSV = """\
date,order_id,product,quantity,unit_price
2025-01-30,1001,Kettle,2,39.90
2025-01-31,1002,Teapot,1,24.50
2025-01-31,1002,"Cup, blue",6,4.10
2025-02-01,1003,Kettle,1,39.90
2025-02-14,1004,Teapot,-1,24.50
"""
REPORT = {
    "rows": 5,
    "orders": 4,
    "revenue": 144.3,
    "months": [
        {"month": "2025-01", "orders": 2, "quantity": 9, "revenue": 128.9},
        {"month": "2025-02", "orders": 2, "quantity": 0, "revenue": 15.4},
    ],
    "top_products": [
        {"product": "Kettle", "quantity": 3, "revenue": 119.7, "share": 0.8295},
        {"product": "Cup, blue", "quantity": 6, "revenue": 24.6, "share": 0.1705},
        {"product": "Teapot", "quantity": 0, "revenue": 0.0, "share": 0.0},
    ],
    "rejected": {"rows": 0, "first": []},
}


@pytest.fixture
def app(load_lambda: Callable[..., ModuleType]) -> ModuleType:
    """Return the function, loaded without shared code."""
    return load_lambda("sales_report")


@pytest.fixture
def report(app: ModuleType, context: object) -> Callable[[str], dict[str, Any]]:
    """Return a function that makes the report of a text."""
    return lambda csv: app.handler({"csv": csv}, context)


def post(http_event: Event, body: bytes, **options: Any) -> dict[str, Any]:  # noqa: ANN401
    """Return the event of a CSV that is posted."""
    headers = {"content-type": "text/csv"} | options.pop("headers", {})
    return http_event(method="POST", path="/report", body=body, headers=headers, **options)


def test_report_of_a_posted_file(app: ModuleType, http_event: Event, context: object) -> None:
    """Rows are summed by month and by product; orders of several rows count once."""
    response = app.handler(post(http_event, CSV.encode()), context)

    assert response["statusCode"] == 200
    assert response["headers"]["content-type"] == "application/json"
    assert json.loads(response["body"]) == REPORT


def test_all_ways_to_hand_over_a_file_give_the_same_report(
    app: ModuleType, http_event: Event, context: object
) -> None:
    """Text, base64, gzip, a byte order mark and the line ends of Windows change nothing."""
    data = CSV.encode()
    windows = b"\xef\xbb\xbf" + data.replace(b"\n", b"\r\n")
    zipped = gzip.compress(data)

    direct = [
        {"csv": CSV},
        {"csv_base64": base64.b64encode(windows).decode()},
        {"csv_base64": base64.b64encode(zipped).decode(), "encoding": "gzip"},
    ]
    posted = [
        post(http_event, windows, binary=True),
        post(http_event, zipped, binary=True, headers={"Content-Encoding": "gzip"}),
    ]

    reports = [app.handler(event, context) for event in direct]
    reports += [json.loads(app.handler(event, context)["body"]) for event in posted]
    assert reports == [REPORT] * 5


def test_report_can_be_returned_by_lambda(app: ModuleType, context: object) -> None:
    """The result of a direct invocation is plain JSON: no type of numpy is left in it."""
    assert json.loads(json.dumps(app.handler({"csv": CSV}, context))) == REPORT


def test_top_limits_the_products(app: ModuleType, http_event: Event, context: object) -> None:
    """`top` cuts the list of products, not the sums; it comes as text or as a number."""
    posted = app.handler(post(http_event, CSV.encode(), query={"top": "1"}), context)
    direct = app.handler({"csv": CSV, "top": 1}, context)

    assert json.loads(posted["body"]) == direct
    assert [product["product"] for product in direct["top_products"]] == ["Kettle"]
    assert direct["revenue"] == REPORT["revenue"]


@pytest.mark.parametrize("top", ["0", "101", "-1", "many", "1.5", ""])
def test_top_out_of_range_is_refused(
    app: ModuleType, http_event: Event, context: object, top: str
) -> None:
    """A `top` that cannot be meant gets 400, not a default."""
    response = app.handler(post(http_event, CSV.encode(), query={"top": top}), context)

    assert response["statusCode"] == 400
    assert "from 1 to 100" in json.loads(response["body"])["error"]


def test_sums_are_exact(report: Callable[[str], dict[str, Any]]) -> None:
    """A thousand times ten cents is a hundred: amounts are added in cents, not as floats."""
    rows = "".join(f"2025-03-01,{n},Pin,1,0.10\n" for n in range(1000))

    assert report(CSV.splitlines()[0] + "\n" + rows)["revenue"] == 100.0


def test_equal_revenue_is_sorted_by_name(report: Callable[[str], dict[str, Any]]) -> None:
    """The order of the rows does not reach the report."""
    header, *rows = (CSV + "2025-01-02,1,B,1,9\n2025-01-02,1,A,1,9\n").splitlines()

    forth = report("\n".join([header, *rows]))
    back = report("\n".join([header, *reversed(rows)]))

    assert forth == back
    names = [product["product"] for product in forth["top_products"]]
    assert names.index("A") < names.index("B")


@pytest.mark.parametrize(
    "row",
    [
        "2025-02-30,9,Kettle,1,1.00",
        "31.01.2025,9,Kettle,1,1.00",
        ",9,Kettle,1,1.00",
        "2025-01-31,,Kettle,1,1.00",
        "2025-01-31,9, ,1,1.00",
        "2025-01-31,9,Kettle,one,1.00",
        "2025-01-31,9,Kettle,1.5,1.00",
        "2025-01-31,9,Kettle,1,-1.00",
        "2025-01-31,9,Kettle,1,1.005",
        "2025-01-31,9,Kettle,1,1e3",
        "2025-01-31,9,Kettle,1,inf",
        "2025-01-31,9,Kettle,1,\u0661",
        "2025-01-31,9,Kettle,1",
        "2025-01-31,9,Kettle,99999999999999999999,1",
    ],
)
def test_bad_rows_are_left_out_and_listed(
    report: Callable[[str], dict[str, Any]], row: str
) -> None:
    """A row that is not a sale changes no sum, and its number tells where to look."""
    result = report(CSV + row + "\n")

    assert result == REPORT | {"rejected": {"rows": 1, "first": [6]}}


def test_many_bad_rows_are_counted_and_not_all_listed(
    report: Callable[[str], dict[str, Any]],
) -> None:
    """The list of rejected rows stays short, their number stays right."""
    rejected = report(CSV + "x,x,x,x,x\n" * 50)["rejected"]

    assert rejected == {"rows": 50, "first": list(range(6, 26))}


def test_names_of_products_are_not_interpreted(report: Callable[[str], dict[str, Any]]) -> None:
    """Products called NA, 007 or 1e3 keep their names."""
    rows = "".join(f"2025-01-01,1,{name},1,1\n" for name in ("NA", "007", "1e3", "null"))

    products = report(CSV.splitlines()[0] + "\n" + rows)["top_products"]

    assert [product["product"] for product in products] == ["007", "1e3", "NA", "null"]


def test_columns_are_found_by_name(report: Callable[[str], dict[str, Any]]) -> None:
    """Order, case and further columns do not matter."""
    header, *rows = [line.rsplit(",", 4) for line in CSV.replace("Cup, blue", "Cup").splitlines()]
    turned = [["Note", *reversed([name.upper() for name in header])]]
    turned += [["x", *reversed(row)] for row in rows]

    result = report("\n".join(",".join(line) for line in turned))

    assert result["months"] == REPORT["months"]


@pytest.mark.parametrize(
    ("csv", "reason"),
    [
        (b"", "empty"),
        (b"date,order_id,product\n1,2,3\n", "quantity, unit_price"),
        (CSV.splitlines()[0].encode(), "no valid row"),
        (b"date,order_id,product,quantity,unit_price\n1,2,3,4,5,6\n", "header does not fit"),
        (CSV.encode() + b"1,2,3,4,5,6,7\n", "Expected 5 fields"),
        (b"date,date,order_id,product,quantity,unit_price\n1,1,2,3,4,5\n", "no valid row"),
        (b"date,Date,order_id,product,quantity,unit_price\n1,1,2,3,4,5\n", "header does not fit"),
        (CSV.encode() + "2025-01-01,1,Théière,1,1\n".encode("latin-1"), "UTF-8"),
        (b"\x00\x01\x02", "columns are missing"),
    ],
)
def test_unusable_file_is_refused_with_a_reason(
    app: ModuleType, http_event: Event, context: object, csv: bytes, reason: str
) -> None:
    """A file that holds no sales gets 422; a direct invocation fails with the same reason."""
    response = app.handler(post(http_event, csv, binary=True), context)

    assert response["statusCode"] == 422
    assert reason in json.loads(response["body"])["error"]
    with pytest.raises(Exception, match=reason):
        app.handler({"csv_base64": base64.b64encode(csv).decode()}, context)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"body": "%%%", "isBase64Encoded": True}, "base64"),
        ({"headers": {"content-encoding": "br"}}, "'br' is not supported"),
        ({"headers": {"content-encoding": "gzip"}}, "not valid gzip"),
    ],
)
def test_unreadable_body_is_refused(
    app: ModuleType, http_event: Event, context: object, change: dict[str, Any], reason: str
) -> None:
    """A body that cannot be decoded gets 400."""
    response = app.handler(post(http_event, CSV.encode()) | change, context)

    assert response["statusCode"] == 400
    assert reason in json.loads(response["body"])["error"]


def test_gzip_is_bounded(app: ModuleType, context: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """A small file that unfolds to a huge one is refused, and so is one that was cut off."""
    monkeypatch.setattr(app, "MAX_CSV_BYTES", 1000)
    data = gzip.compress(b"0" * 1001)

    with pytest.raises(app.BadRequestError, match="larger than 1000"):
        app.handler({"csv_base64": base64.b64encode(data).decode(), "encoding": "gzip"}, context)
    with pytest.raises(app.BadRequestError, match="too early"):
        app.handler(
            {"csv_base64": base64.b64encode(gzip.compress(b"0")[:-4]).decode(), "encoding": "gzip"},
            context,
        )


def test_other_methods_and_events_are_refused(
    app: ModuleType, http_event: Event, context: object
) -> None:
    """GET gets 405, an event without a CSV is an error."""
    response = app.handler(http_event(path="/report"), context)

    assert (response["statusCode"], response["headers"]["allow"]) == (405, "POST")
    with pytest.raises(app.BadRequestError, match="neither"):
        app.handler({}, context)
