// Selects above tables of claims: rows by package, verdict and tier, as far as the table has these columns.
document$.subscribe(() => {
  for (const table of document.querySelectorAll("article table")) {
    const headers = [...(table.tHead?.rows[0]?.cells ?? [])].map((cell) => cell.textContent.trim());
    if (headers.includes("verdict") && headers.includes("tier")) addSelects(table, headers);
  }
});

function addSelects(table, headers) {
  const rows = [...table.tBodies[0].rows];
  const value = (row, column) => row.cells[column].textContent.replace("(stale)", "").trim();
  const count = document.createElement("output");
  const selects = ["package", "verdict", "tier"]
    .filter((name) => headers.includes(name))
    .map((name) => {
      const column = headers.indexOf(name);
      const select = document.createElement("select");
      select.add(new Option(`every ${name}`, ""));
      for (const text of new Set(rows.map((row) => value(row, column)).filter(Boolean))) {
        select.add(new Option(text, text));
      }
      select.setAttribute("aria-label", name);
      select.addEventListener("change", show);
      return [select, column];
    });
  function show() {
    for (const row of rows) {
      row.hidden = selects.some(([select, column]) => select.value && select.value !== value(row, column));
    }
    count.textContent = `${rows.filter((row) => !row.hidden).length} of ${rows.length} claims`;
  }
  const line = document.createElement("p");
  for (const [select] of selects) line.append(select, " ");
  line.append(count);
  (table.closest(".md-typeset__scrollwrap") ?? table).before(line);
  show();
}
