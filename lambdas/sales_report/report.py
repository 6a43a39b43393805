"""The report itself: a CSV file in, totals by month and the best-selling products out.

Columns `date` (2025-01-31), `order_id`, `product`, `quantity` (a whole number) and `unit_price`
(at most two decimals, in one currency). Returns of goods have a negative quantity. Other columns
are ignored, in any order.

Amounts are added up in cents, as integers: sums of floats depend on the order of the rows.
"""

import io
from typing import TypedDict

import pandas as pd

COLUMNS = ("date", "order_id", "product", "quantity", "unit_price")
MAX_REJECTED_SHOWN = 20

# Up to 9,999,999.99 for a million pieces: far from what int64 holds in cents.
# Not \d, which takes the digits of every script.
_PRICE = r"[0-9]{1,7}(?:\.[0-9]{1,2})?"
_QUANTITY = r"-?[0-9]{1,6}"


class Month(TypedDict):
    """One month of the report."""

    month: str
    orders: int
    quantity: int
    revenue: float


class Product(TypedDict):
    """One product of the report; `share` is its part of the revenue, from 0 to 1."""

    product: str
    quantity: int
    revenue: float
    share: float


class Rejected(TypedDict):
    """Rows that were left out: how many, and the numbers of the first ones, from 1."""

    rows: int
    first: list[int]


class SalesReport(TypedDict):
    """The report; `rows` are those that it is made of."""

    rows: int
    orders: int
    revenue: float
    months: list[Month]
    top_products: list[Product]
    rejected: Rejected


class ReportError(Exception):
    """The file is no CSV of sales."""


def sales_report(csv: bytes, top: int) -> SalesReport:
    """Return the report on `csv`, with the `top` products by revenue.

    Rows with a bad date or number are left out and listed. Raises ReportError when the file as a
    whole cannot be used.
    """
    table = _read(csv)
    sales, bad = _parse(table)
    if sales.empty:
        msg = "the file has no valid row"
        raise ReportError(msg)
    cents = int(sales["cents"].sum())
    return {
        "rows": len(sales),
        "orders": int(sales["order_id"].nunique()),
        "revenue": cents / 100,
        "months": _months(sales),
        "top_products": _top_products(sales, top, cents),
        "rejected": {"rows": len(bad), "first": bad[:MAX_REJECTED_SHOWN]},
    }


def _read(csv: bytes) -> pd.DataFrame:
    try:
        # As text: pandas would guess types, and turn the product "NA" into a missing value.
        table = pd.read_csv(
            io.BytesIO(csv), dtype="str", keep_default_na=False, encoding="utf-8-sig"
        )
    except pd.errors.EmptyDataError as error:
        msg = "the file is empty"
        raise ReportError(msg) from error
    except (pd.errors.ParserError, UnicodeDecodeError) as error:
        msg = f"the file is not CSV in UTF-8: {error}"
        raise ReportError(msg) from error
    table.columns = table.columns.str.strip().str.lower()
    missing = [column for column in COLUMNS if column not in table.columns]
    if missing:
        msg = f"columns are missing: {', '.join(missing)}"
        raise ReportError(msg)
    # Where rows have more fields than the header, pandas shifts them and makes the first an index.
    if not isinstance(table.index, pd.RangeIndex) or table.columns.has_duplicates:
        msg = "the header does not fit the rows"
        raise ReportError(msg)
    text: pd.DataFrame = table[list(COLUMNS)].apply(lambda column: column.str.strip())
    return text


def _parse(table: pd.DataFrame) -> tuple[pd.DataFrame, list[int]]:
    """Return the valid rows with typed columns, and the numbers of the other rows."""
    date = pd.to_datetime(table["date"], format="%Y-%m-%d", errors="coerce")
    valid = (
        date.notna()
        & table["quantity"].str.fullmatch(_QUANTITY)
        & table["unit_price"].str.fullmatch(_PRICE)
        & (table["order_id"] != "")
        & (table["product"] != "")
    ).astype("bool")
    rows = table[valid]
    quantity = rows["quantity"].astype("int64")
    price = (rows["unit_price"].astype("float64") * 100).round().astype("int64")
    sales = pd.DataFrame(
        {
            "month": date[valid].dt.strftime("%Y-%m"),
            "order_id": rows["order_id"],
            "product": rows["product"],
            "quantity": quantity,
            "cents": quantity * price,
        }
    )
    return sales, [int(row) + 1 for row in table.index[~valid]]


def _months(sales: pd.DataFrame) -> list[Month]:
    months = sales.groupby("month").agg(
        orders=("order_id", "nunique"), quantity=("quantity", "sum"), cents=("cents", "sum")
    )
    return [
        {
            "month": row["month"],
            "orders": row["orders"],
            "quantity": row["quantity"],
            "revenue": row["cents"] / 100,
        }
        for row in months.reset_index().to_dict("records")
    ]


def _top_products(sales: pd.DataFrame, top: int, total: int) -> list[Product]:
    products = sales.groupby("product", as_index=False)[["quantity", "cents"]].sum()
    # By name where the revenue is equal, so that the same sales always give the same report.
    best = products.sort_values(["cents", "product"], ascending=[False, True]).head(top)
    return [
        {
            "product": row["product"],
            "quantity": row["quantity"],
            "revenue": row["cents"] / 100,
            "share": round(row["cents"] / total, 4) if total else 0.0,
        }
        for row in best.to_dict("records")
    ]
