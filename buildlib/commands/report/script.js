
"use strict";

/* The page is complete without this script, which sorts, filters, keeps the
   page in its place, and opens sections to print. */

const value = (cell) => cell.dataset.value ?? cell.textContent.trim();

const compare = {
  text: new Intl.Collator("en", { numeric: true }).compare,
  number: (one, other) => Number(one) - Number(other),
};

function sort(head) {
  const table = head.closest("table");
  const body = table.tBodies[0];
  const kind = head.dataset.sort;
  // Sort numbers from the largest and names from A, as most readers want.
  const first = kind === "number" ? "descending" : "ascending";
  const other = kind === "number" ? "ascending" : "descending";
  const order = head.getAttribute("aria-sort") === first ? other : first;
  for (const cleared of table.querySelectorAll("[aria-sort]")) cleared.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", order);
  const sign = order === "ascending" ? 1 : -1;
  const column = head.cellIndex;
  const rows = [...body.rows].map((row) => [value(row.cells[column]), row]);
  // Cells without a value come last.
  rows.sort(([a], [b]) => (a === "") - (b === "") || sign * compare[kind](a, b));
  body.append(...rows.map(([, row]) => row));
}

for (const head of document.querySelectorAll("th[data-sort]")) {
  const button = document.createElement("button");
  button.type = "button";
  button.append(...head.childNodes);
  button.addEventListener("click", () => sort(head));
  head.append(button);
}

for (const input of document.querySelectorAll("[data-table]")) {
  const rows = [...document.getElementById(input.dataset.table).tBodies[0].rows];
  const output = input.parentElement.querySelector("output");
  const show = () => {
    const words = input.value.toLowerCase().split(/\s+/);
    let shown = 0;
    for (const row of rows) {
      const text = row.textContent.toLowerCase();
      row.hidden = !words.every((word) => text.includes(word));
      shown += !row.hidden;
    }
    output.value = input.value ? `${shown} of ${rows.length}` : "";
  };
  input.addEventListener("input", show);
  input.parentElement.hidden = false;
  show(); // a browser may restore the text of the input
}

/* A level of a map takes the place of another one: the page must not jump, and Escape goes back. */
for (const map of document.querySelectorAll(".map")) {
  const go = (link) => {
    const at = scrollY;
    location.hash = link.hash;
    scrollTo(scrollX, at);
  };
  map.addEventListener("click", (event) => {
    const link = event.target.closest("a");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    go({ hash: link.getAttribute("href") });
  });
  map.addEventListener("keydown", (event) => {
    const above = event.target.closest(".level")?.querySelector(".trail a:last-of-type");
    if (event.key === "Escape" && above) go(above);
  });
}

let opened = [];
addEventListener("beforeprint", () => {
  opened = [...document.querySelectorAll("details:not([open])")];
  for (const details of opened) details.open = true;
});
addEventListener("afterprint", () => {
  for (const details of opened) details.open = false;
});

