"use strict";
// Sorts tables by what stands in them, and turns the page light or dark.

function figure(text) {
  if (text.startsWith("never")) return Infinity;
  const found = text.replace(/,/g, "").match(/[-+]?\d+(\.\d+)?(e[-+]?\d+)?/i);
  return found && !/^(n\/a|-$|not )/.test(text) ? Number(found[0]) : null;
}

function before(a, b, words) {
  if (words) return a.localeCompare(b, undefined, { numeric: true });
  const [x, y] = [figure(a), figure(b)];
  if (x === null || y === null) return (x === null) - (y === null);
  return x === y ? 0 : x - y;
}

function sort(table, head, column) {
  const up = head.getAttribute("aria-sort") !== "ascending";
  const body = table.tBodies[0];
  const words = column === 0 || head.classList.contains("words");
  const text = (row) => row.cells[column].textContent.trim();
  const known = (row) => words || figure(text(row)) !== null;
  const rows = [...body.rows].sort((a, b) => {
    const order = before(text(a), text(b), words);
    return up || !known(a) || !known(b) ? order : -order;
  });
  for (const each of table.tHead.rows[0].cells) each.setAttribute("aria-sort", "none");
  head.setAttribute("aria-sort", up ? "ascending" : "descending");
  body.append(...rows);
}

for (const table of document.querySelectorAll("table.sortable")) {
  [...table.tHead.rows[0].cells].forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    button.addEventListener("click", () => sort(table, head, column));
    head.append(button);
    head.setAttribute("aria-sort", "none");
  });
}

const toggle = document.getElementById("theme");
toggle.hidden = false;
toggle.addEventListener("click", () => {
  const root = document.documentElement;
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  const now = root.dataset.theme || (dark ? "dark" : "light");
  root.dataset.theme = now === "dark" ? "light" : "dark";
});
